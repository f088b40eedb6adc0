// SPDX-License-Identifier: Apache-2.0

import LinuxHost

/// A secret in a file, which is read for every request: another one counts from the moment it is there.
struct BearerToken: Hashable, Sendable {
    let path: String

    private static let bytesMax = 4096
    /// Shorter ones could be guessed.
    static let bytesMin = 16

    /// The secret without the line's end.
    func read() throws(AgentError) -> [UInt8] {
        var bytes: [UInt8]
        do throws(HostError) {
            bytes = try readRegularFile(path, bytesMax: BearerToken.bytesMax)
        } catch {
            throw AgentError("\(error); nobody is answered until it can be read")
        }
        while let last = bytes.last, last == 0x0a || last == 0x0d || last == 0x20 { bytes.removeLast() }
        guard bytes.count >= BearerToken.bytesMin, bytes.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw AgentError(
                "\(path) holds no token: one word of at least \(BearerToken.bytesMin) ASCII characters; make one with "
                    + "`openssl rand -hex 32`")
        }
        return bytes
    }

    /// Whether the header `Authorization` shows the secret; nobody does while it cannot be read.
    func admits(_ header: String?) -> Bool {
        guard let secret = try? read(), let header, header.utf8.count <= BearerToken.bytesMax + 7 else { return false }
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return false }
        return BearerToken.areEqual(Array(parts[1].utf8), secret)
    }

    /// Takes as long for a wrong first byte as for a wrong last one.
    static func areEqual(_ shown: [UInt8], _ secret: [UInt8]) -> Bool {
        guard !secret.isEmpty else { return false }
        var difference = shown.count ^ secret.count
        for (index, byte) in shown.enumerated() { difference |= Int(byte ^ secret[index % secret.count]) }
        return difference == 0
    }
}
