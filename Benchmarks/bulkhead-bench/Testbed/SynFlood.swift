// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// Forged SYNs sent as frames by a thread of the client's namespace, at a rate, until this ends.
final class SynFlood {
    private let thread: pthread_t
    private let state: State

    private final class State: Sendable {
        let isStopped = Atomic(false)
        let sent = Atomic(0)
    }

    /// `target`: 4 or 16 bytes; `rate`: frames a second, nil for as many as one thread sends.
    init(topology: Topology, target: [UInt8], port: UInt16, rate: Int?) throws {
        let state = State()
        let descriptor = try BenchThread.run(in: .named(topology.client), cpu: nil) { try SynFlood.open("c0") }
        let frames = SynFlood.frames(target, port)
        self.state = state
        thread = try BenchThread.start {
            let begin = Clocks.wall
            var sent = 0
            while !state.isStopped.load(ordering: .relaxed) {
                let due = rate.map { Int(Double(Clocks.wall - begin) * Double($0) / 1e9) - sent } ?? 64
                guard due > 0 else {
                    Clocks.sleep(nanoseconds: 500_000)
                    continue
                }
                for _ in 0..<min(due, 64) {
                    let frame = frames[sent % frames.count]
                    _ = unsafe frame.withUnsafeBytes { unsafe send(descriptor, $0.baseAddress, $0.count, 0) }
                    sent += 1
                }
                state.sent.store(sent, ordering: .relaxed)
            }
            close(descriptor)
        }
    }

    /// Ends it; returns how many were sent.
    func stop() -> Int {
        state.isStopped.store(true, ordering: .relaxed)
        pthread_join(thread, nil)
        return state.sent.load(ordering: .relaxed)
    }

    private static func open(_ interface: String) throws -> Int32 {
        let descriptor = socket(PacketSocket.family, Int32(SOCK_RAW.rawValue), 0)
        try PacketSocket.bind(descriptor, to: interface, protocol: 0)
        return descriptor
    }

    private static func frames(_ target: [UInt8], _ port: UInt16) -> [[UInt8]] {
        var generator = SystemRandomNumberGenerator()
        return (0..<8192).map { _ in
            let random = UInt64.random(in: 0...UInt64.max, using: &generator)
            let bytes = (0..<8).map { UInt8(truncatingIfNeeded: random >> (8 * $0)) }
            let isIPv6 = target.count == 16
            let source =
                isIPv6 ? [0xfd, 0xbb, 0x0b, 0xad, 0, 0, 0, 0] + bytes : [198, 18 + (bytes[0] & 1), bytes[1], bytes[2]]
            var tcp: [UInt8] = [bytes[3] | 4, bytes[4], UInt8(port >> 8), UInt8(port & 255)] + bytes[4..<8]
            tcp += [0, 0, 0, 0, 0xa0, 2, 0xfa, 0xf0, 0, 0, 0, 0]
            tcp += [2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7]
            put(SynField.checksum(source + target + [0, 6, 0, UInt8(tcp.count)] + tcp), into: &tcp, at: 16)
            // The MAC addresses of the topology's first link.
            let link: [UInt8] = [2, 0xdb, 0, 0, 1, 1, 2, 0xdb, 0, 0, 1, 2] + (isIPv6 ? [0x86, 0xdd] : [8, 0])
            if isIPv6 { return link + [0x60, 0, 0, 0, 0, UInt8(tcp.count), 6, 64] + source + target + tcp }
            var header: [UInt8] = [0x45, 0, 0, UInt8(20 + tcp.count), 0, 1, 0x40, 0, 64, 6, 0, 0] + source + target
            put(SynField.checksum(header), into: &header, at: 10)
            return link + header + tcp
        }
    }

    private static func put(_ value: UInt16, into bytes: inout [UInt8], at offset: Int) {
        bytes[offset] = UInt8(value >> 8)
        bytes[offset + 1] = UInt8(value & 255)
    }
}
