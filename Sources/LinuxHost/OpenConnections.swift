// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// A TCP connection of a socket in some namespace.
package struct OpenConnection: Hashable, Sendable {
    package var local: IPAddress
    package var localPort: UInt16
    package var remote: IPAddress
    package var remotePort: UInt16
    /// The other side opened it: something listens on its port here.
    package var isInbound: Bool

    /// Those of the calling process's namespace: `ss -tn`, without sockets that only wait for their end.
    package static func all() throws(HostError) -> [OpenConnection] {
        var tables = [try readTextFile("/proc/self/net/tcp", bytesMax: 256 << 20)]
        // Without IPv6 there is no such file.
        if let text = try? readTextFile("/proc/self/net/tcp6", bytesMax: 256 << 20) { tables.append(text) }
        return parse(tables)
    }

    /// Reads the kernel's tables: `  0: 0100007F:0016 0200007F:C350 01 …`, addresses in words of the host's byte order.
    static func parse(_ tables: [String]) -> [OpenConnection] {
        let sockets = tables.flatMap { table in
            table.utf8.split(separator: UInt8(ascii: "\n")).dropFirst().compactMap(Socket.init)
        }
        let listening = Set(sockets.filter { $0.state == Socket.listen }.map(\.local.port))
        return sockets.filter(\.isOpen).map { socket in
            OpenConnection(
                local: socket.local.address, localPort: socket.local.port, remote: socket.remote.address,
                remotePort: socket.remote.port, isInbound: listening.contains(socket.local.port))
        }
    }
}

/// One line of the table.
private struct Socket {
    typealias End = (address: IPAddress, port: UInt16)

    let local: End
    let remote: End
    let state: UInt8

    // include/net/tcp_states.h
    static let listen: UInt8 = 10
    private static let timeWait: UInt8 = 6
    private static let close: UInt8 = 7

    var isOpen: Bool { ![Socket.listen, Socket.timeWait, Socket.close].contains(state) }

    init?(_ line: Substring.UTF8View) {
        let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 4)
        guard fields.count > 3, let local = Socket.end(fields[1]), let remote = Socket.end(fields[2]),
            let state = UInt8(Substring(fields[3]), radix: 16)
        else { return nil }
        self.local = local
        self.remote = remote
        self.state = state
    }

    private static func end(_ field: Substring.UTF8View) -> End? {
        let parts = field.split(separator: UInt8(ascii: ":"))
        guard parts.count == 2, let port = UInt16(Substring(parts[1]), radix: 16) else { return nil }
        let digits = Array(parts[0])
        guard digits.count % 8 == 0 else { return nil }
        let words = stride(from: 0, to: digits.count, by: 8).compactMap { start in
            UInt32(String(decoding: digits[start..<start + 8], as: UTF8.self), radix: 16)
                .map { UInt64(UInt32(bigEndian: $0)) }
        }
        switch words.count {
        case 1: return (IPAddress(v4: UInt32(truncatingIfNeeded: words[0])), port)
        case 4: return (IPAddress(high: words[0] << 32 | words[1], low: words[2] << 32 | words[3]), port)
        default: return nil
        }
    }
}
