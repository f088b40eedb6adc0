// SPDX-License-Identifier: Apache-2.0

import Glibc

/// When the first packet of an attack arrived at a link, by the kernel's stamp on it.
final class FirstPacket {
    private let descriptor: Int32
    private let matches: ([UInt8]) -> Bool
    private var buffer = [UInt8](repeating: 0, count: 2048)

    /// Nanoseconds since 1970; nil as long as there was none.
    private(set) var time: UInt64?

    /// Looks from now on at what arrives at the interface; `source`: as many bytes of the IPv4 source address as count.
    init(at interface: String, in namespace: String, from source: [UInt8], to target: [UInt8] = []) throws {
        descriptor = try BenchThread.run(in: .named(namespace), cpu: nil) { try FirstPacket.open(interface) }
        matches = { $0.count >= 34 && $0[26..<34].starts(with: source) && $0[30..<34].starts(with: target) }
        // The first question switches stamping on.
        _ = FirstPacket.stamp(descriptor)
    }

    deinit { close(descriptor) }

    /// Reads what came until one matches.
    func look() {
        while time == nil {
            let count = unsafe recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            guard count > 0 else { return }
            if matches(Array(buffer.prefix(count))) { time = FirstPacket.stamp(descriptor) }
        }
    }

    private static func stamp(_ descriptor: Int32) -> UInt64? {
        let requestStampOfLast: UInt = 0x8906  // SIOCGSTAMP
        var stamp = timeval()
        guard unsafe ioctl(descriptor, requestStampOfLast, &stamp) == 0 else { return nil }
        return UInt64(stamp.tv_sec) * 1_000_000_000 + UInt64(stamp.tv_usec) * 1000
    }

    private static func open(_ interface: String) throws -> Int32 {
        let protocolIPv4 = UInt16(0x0800)
        let descriptor = socket(PacketSocket.family, Int32(SOCK_RAW.rawValue), Int32(protocolIPv4.bigEndian))
        try PacketSocket.bind(descriptor, to: interface, protocol: protocolIPv4)
        return descriptor
    }
}

/// Sockets of whole frames, in the calling thread's namespace.
enum PacketSocket {
    static let family: Int32 = 17  // AF_PACKET

    /// `protocol`: what is received, 0 for nothing.
    static func bind(_ descriptor: Int32, to interface: String, protocol number: UInt16) throws {
        var address = [UInt8](repeating: 0, count: 20)  // struct sockaddr_ll: family, protocol, index …
        address[0] = UInt8(family)
        address[2] = UInt8(number >> 8)
        address[3] = UInt8(number & 255)
        let index = unsafe if_nametoindex(interface)
        for byte in 0..<4 { address[4 + byte] = UInt8(truncatingIfNeeded: index >> UInt32(8 * byte)) }
        let bound = unsafe address.withUnsafeBytes { bytes in
            unsafe bytes.withMemoryRebound(to: sockaddr.self) { pointer in
                unsafe pointer.baseAddress.map { unsafe Glibc.bind(descriptor, $0, 20) } ?? -1
            }
        }
        guard descriptor >= 0, bound == 0 else {
            throw BenchError("no socket for the frames of \(interface): errno \(errno)")
        }
    }
}
