// SPDX-License-Identifier: Apache-2.0

/// Reads any bytes as a capture, whole and in pieces; false if the two differ or a packet breaks a promise.
package func fuzzCaptureReader(_ bytes: [UInt8]) -> Bool {
    let whole = fuzzRead(bytes, pieceLength: max(bytes.count, 1))
    guard whole == fuzzRead(bytes, pieceLength: 7) else { return false }
    for (index, packet) in whole.packets.enumerated() {
        guard packet.number == index + 1, packet.originalLength >= packet.bytes.count else { return false }
        if case .network(_, let offset) = packet.frame, offset > packet.bytes.count { return false }
    }
    return true
}

private struct FuzzResult: Equatable {
    var packets: [CapturedPacket] = []
    var error: CaptureError?
}

private func fuzzRead(_ bytes: [UInt8], pieceLength: Int) -> FuzzResult {
    var reader = CaptureReader()
    var result = FuzzResult()
    var start = 0
    do throws(CaptureError) {
        while start < bytes.count {
            let end = min(start + pieceLength, bytes.count)
            reader.append(bytes[start..<end])
            while let packet = try reader.next() { result.packets.append(packet) }
            start = end
        }
        try reader.finish()
    } catch {
        result.error = error
    }
    return result
}
