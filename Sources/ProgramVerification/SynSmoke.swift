// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import Glibc
import KernelDatapath
import KernelPrograms
import NetworkModel

/// Forged SYNs against a listener in the workload's namespace, and users of it: each program of the defence that this
/// kernel has, over clsact.
///
/// First without it, and without the kernel's own cookies, where users must fail: else the flood proves nothing.
struct SynSmoke: ~Copyable {
    private let bed: SmokeBed
    private let frames: FileDescriptor

    private static let userCount = 20
    private static let burst = 100
    private static let targets = [SmokeBed.workload4, SmokeBed.workload6]

    init(_ bed: SmokeBed) throws {
        self.bed = bed
        frames = try bed.packetSocket()
    }

    /// A line for each thing that holds.
    func run() throws -> [String] {
        // Answers to forged sources go to a neighbour that nobody is.
        for (family, gateway) in [("-4", "10.219.7.9"), ("-6", "fdbb:219:7::9")] {
            let ip = "/sbin/ip \(family)"
            try bed.runInside("\(ip) neigh add \(gateway) lladdr 02:00:00:00:07:09 dev bhsmoke1 nud permanent")
            try bed.runInside("\(ip) route add default via \(gateway) dev bhsmoke1")
        }
        // A client that was served once is a stranger again.
        try bed.runInside("sysctl -qw net.ipv4.tcp_no_metrics_save=1 net.ipv4.tcp_syncookies=0")
        var held: [String] = []
        for target in SynSmoke.targets {
            try flood(target)
            guard !bed.connects(to: target, port: SmokeBed.openPort) else {
                throw SmokeFailure(reason: "\(target) is served in a flood without a defence")
            }
            held.append("\(target) fails in a flood of SYNs without a defence")
        }
        try bed.runInside("sysctl -qw net.ipv4.tcp_syncookies=1")
        for name in ["tc_syn_listener_helper", "tc_syn_listener"] { held += try defend(with: name) }
        return held
    }

    private func defend(with name: String) throws -> [String] {
        let object = try BPFObject(.syn_defence)
        guard try !object.omitUnsupportedPrograms().contains(name) else { return [] }
        try object.load()
        let tables = try SynTables(object)
        var settings = SynSettings()
        settings.mode = .auto
        tables.configure(settings)
        try bed.inside {
            let device = unsafe if_nametoindex("bhsmoke1")
            try ClsactFilter.attach(object.program(name), to: device, at: .ingress, .last)
        }
        let metrics: BPFMap<UInt32, metric> = try object.map("syn_metrics_map")
        func answered() throws -> UInt64 {
            try metrics.valuesPerCPU(for: UInt32(SynCounter.answered.rawValue))?.reduce(0) { $0 + $1.packets } ?? 0
        }
        var held: [String] = []
        for target in SynSmoke.targets {
            let before = try answered()
            for user in 1...SynSmoke.userCount {
                try flood(target)
                guard bed.connects(to: target, port: SmokeBed.openPort) else {
                    throw SmokeFailure(reason: "\(name): user \(user) of \(target) is not served in a flood")
                }
            }
            let count = try answered() - before
            // All but those that filled the queue first.
            guard count > SynSmoke.userCount * SynSmoke.burst / 2 else {
                throw SmokeFailure(reason: "\(name): only \(count) SYNs to \(target) were answered")
            }
            held.append("\(name): \(SynSmoke.userCount) users of \(target) are all served, \(count) SYNs answered")
        }
        _ = try bed.inside { try ClsactFilter.detach(from: unsafe if_nametoindex("bhsmoke1"), at: .ingress, .last) }
        return held
    }

    // MARK: - The flood

    private func flood(_ target: String) throws {
        guard let address = IPAddress(target) else { throw SmokeFailure(reason: "\(target) is no address") }
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<SynSmoke.burst {
            let frame = SynSmoke.frame(to: address, random: generator.next())
            let count = unsafe frame.withUnsafeBytes { unsafe send(frames.rawValue, $0.baseAddress, $0.count, 0) }
            guard count == frame.count else { throw SmokeFailure(reason: "cannot send a frame: errno \(errno)") }
        }
    }

    /// A SYN of a usual client, from 198.18.0.0/15 or fdbb:bad::/64.
    private static func frame(to target: IPAddress, random: UInt64) -> [UInt8] {
        let bytes = (0..<8).map { UInt8(truncatingIfNeeded: random >> (8 * UInt64($0))) }
        let isIPv4 = target.isIPv4
        let source: [UInt8] =
            isIPv4
            ? [198, 18 | bytes[0] & 1, bytes[1], bytes[2]] : [0xfd, 0xbb, 0x0b, 0xad, 0, 0, 0, 0] + bytes
        var tcp: [UInt8] = [bytes[3] | 4, bytes[4], UInt8(SmokeBed.openPort >> 8), UInt8(SmokeBed.openPort & 255)]
        tcp += bytes[4..<8] + [0, 0, 0, 0, 0xa0, 2, 0xfa, 0xf0, 0, 0, 0, 0]
        tcp += [2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7]
        let destination = networkBytes(target)
        put(checksum(source + destination + [0, 6, 0, UInt8(tcp.count)] + tcp), into: &tcp, at: 16)
        let link: [UInt8] = [2, 0, 0x0a, 0xdb, 7, 2, 2, 0, 0, 0, 0xf1, 0x0d] + (isIPv4 ? [8, 0] : [0x86, 0xdd])
        guard isIPv4 else { return link + [0x60, 0, 0, 0, 0, UInt8(tcp.count), 6, 64] + source + destination + tcp }
        var header: [UInt8] = [0x45, 0, 0, UInt8(20 + tcp.count), 0, 1, 0x40, 0, 64, 6, 0, 0] + source + destination
        put(checksum(header), into: &header, at: 10)
        return link + header + tcp
    }

    private static func networkBytes(_ address: IPAddress) -> [UInt8] {
        let bytes = [address.high, address.low].flatMap { word in
            (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * UInt64($0))) }
        }
        return address.isIPv4 ? Array(bytes.suffix(4)) : bytes
    }

    private static func checksum(_ bytes: [UInt8]) -> UInt16 {
        var sum: UInt32 = 0
        for index in stride(from: 0, to: bytes.count, by: 2) {
            sum += UInt32(bytes[index]) << 8 | UInt32(bytes[index + 1])
        }
        while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
        return ~UInt16(truncatingIfNeeded: sum)
    }

    private static func put(_ value: UInt16, into bytes: inout [UInt8], at offset: Int) {
        bytes[offset] = UInt8(value >> 8)
        bytes[offset + 1] = UInt8(value & 255)
    }
}
