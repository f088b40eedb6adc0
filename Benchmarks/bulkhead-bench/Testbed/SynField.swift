// SPDX-License-Identifier: Apache-2.0

import BPFRuntime
import CBenchSupport
import CDatapathABI
import Glibc
import KernelDatapath
import KernelPrograms
import LinuxHost

/// Listeners in the router and in the server behind it; forged SYNs come from the client's side, and their answers are
/// swallowed there.
final class SynField {
    /// Who answers.
    enum Defence {
        /// Nobody: the SYN queue is all there is.
        case nothing
        case kernelCookies
        case synproxy
        /// The program at tcx in the listener's namespace.
        case listener
        /// A front on the router's uplink, and that.
        case trafficFront
        case xdpFront
    }

    static let port: UInt16 = 8443
    private static let burst = 64 * 1024
    let topology: Topology
    private let generator: Program
    private let settings: BPFMap<UInt32, syn_generator_settings>
    private let swallowFrames: Program
    var swallow: Attachment?
    private let listenerProgram: Program
    private let uplink: Program
    private let front: Program
    private let empty: Program
    let tables: SynTables
    private let fronts: BPFMap<UInt32, syn_front>
    private let ways: BPFMap<syn_way_key, UInt32>
    private let clientEnd: UInt32
    private var listeners: [Int32] = []
    private var attached: [Attachment] = []
    private var frames: [FrameHolder] = []

    private final class FrameHolder {
        let link: FrameLink

        init(_ link: consuming FrameLink) { self.link = link }
    }

    init() throws {
        let topology = try Topology()
        let object = try BPFObject(.syn_generator)
        try object.load()
        let generator = Program(try object.program("generate_syn"))
        let settings: BPFMap<UInt32, syn_generator_settings> = try object.map("syn_generator_map")
        let clientEnd = try Topology.interfaceIndex("c0", in: topology.client)
        let swallowPackets = Program(try object.program("tc_swallow"))
        let swallow = try BenchThread.run(in: .named(topology.client)) {
            try Attachment(swallowPackets, to: clientEnd, at: .ingress)
        }
        let own = try BPFObject(.syn_defence)
        guard try own.omitUnsupportedPrograms().isEmpty else {
            throw BenchError("cannot measure SYN cookies: this kernel has no request sockets (Linux 6.9)")
        }
        try own.load()
        let reference = try BPFObject(.reference)
        try reference.load()
        let fronts: BPFMap<UInt32, syn_front> = try own.map("syn_fronts_map")
        let ways: BPFMap<syn_way_key, UInt32> = try own.map("syn_ways_map")
        swallowFrames = Program(try object.program("xdp_swallow"))
        listenerProgram = Program(try own.program("tc_syn_listener"))
        uplink = Program(try own.program("tc_syn_uplink"))
        front = Program(try own.program("xdp_syn_front"))
        empty = Program(try reference.program("tc_empty"))
        tables = try SynTables(own)
        self.topology = topology
        self.generator = generator
        self.settings = settings
        self.swallow = swallow
        self.clientEnd = clientEnd
        self.fronts = fronts
        self.ways = ways
        try topology.inRouter(["ip", "route", "add", "198.18.0.0/15", "via", Topology.clientAddress])
        for namespace in [topology.router, topology.server] {
            try Command.run([
                "ip", "netns", "exec", namespace, "sysctl", "-qw", "net.ipv4.tcp_no_metrics_save=1",
                "net.ipv4.tcp_syncookies=1",
            ])
            listeners.append(try BenchThread.run(in: .named(namespace)) { try SynField.listen() })
        }
        let inode = try NetworkNamespace.path("/run/netns/\(topology.server)").inode()
        let host = try NetworkNamespace.path("/run/netns/\(topology.router)").inode()
        for (device, space) in [(topology.serverLink, inode), (0, host)] {
            try self.ways.update(syn_way_key(device: device, space: UInt32(truncatingIfNeeded: space)), to: 1)
        }
    }

    deinit { for listener in listeners { close(listener) } }

    private static func listen() throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let bound = unsafe SocketAddress(address: 0, port: port).withPointer { unsafe bind(descriptor, $0, $1) }
        guard bound == 0, Glibc.listen(descriptor, 4096) == 0 else {
            throw BenchError("cannot listen on port \(port): errno \(errno)")
        }
        return descriptor
    }

    /// CPU nanoseconds of an answered SYN's whole path.
    func cost(_ defence: Defence, isWorkload: Bool, chunks: Int) throws -> Double {
        try install(defence, isWorkload: isWorkload)
        defer { try? remove(defence, isWorkload: isWorkload) }
        let isFrames = defence == .xdpFront
        // Once more than counted: the first SYNs open the gate.
        _ = try send(isWorkload: isWorkload, asFrames: isFrames)
        var samples = Samples()
        for _ in 0..<chunks { samples.add(try send(isWorkload: isWorkload, asFrames: isFrames)) }
        return samples.least
    }

    /// Refuses to believe a figure whose answers did not come.
    private func send(isWorkload: Bool, asFrames: Bool) throws -> Double {
        var wanted = syn_generator_settings()
        let bytes = SynField.frame(
            to: isWorkload ? Topology.serverAddress : "10.219.1.1", flags: 2, options: SynField.usualOptions)
        unsafe withUnsafeMutableBytes(of: &wanted.frame) { unsafe $0.copyBytes(from: bytes) }
        wanted.redirect = asFrames ? UInt64(clientEnd) : 0
        try settings.update(0, to: wanted)
        let interface = asFrames ? clientEnd : topology.clientLink
        let namespace = asFrames ? topology.client : topology.router
        let used = try BenchThread.run(in: .named(namespace)) { [generator] in
            let clock = try PacketClock(cpu: BenchThread.measuringCPU)
            let begin = try clock.nanoseconds
            try generator.value.testRunLiveFrames(
                frame: bytes, arrivingOn: interface, repeatCount: Int32(SynField.burst), batchSize: 64)
            return try clock.nanoseconds - begin
        }
        let swallowed = try settings.value(for: 0)?.swallowed ?? 0
        guard swallowed > UInt64(SynField.burst) * 97 / 100 else {
            throw BenchError("\(SynField.burst) SYNs had only \(swallowed) answers")
        }
        return Double(used) / Double(swallowed)
    }

    // MARK: - Defences

    func install(_ defence: Defence, isWorkload: Bool) throws {
        let namespace = isWorkload ? topology.server : topology.router
        switch defence {
        case .nothing: try setCookies(0, namespace)
        case .kernelCookies: try setCookies(2, namespace)
        case .synproxy:
            try topology.inRouter(["sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_loose=0"])
            try topology.inRouter(
                ["nft", "-f", "-"],
                input: """
                    table inet guard {
                        chain early {
                            type filter hook prerouting priority raw
                            iifname n0 tcp flags syn notrack
                        }
                        chain late {
                            type filter hook \(isWorkload ? "forward" : "input") priority 0
                            iifname n0 ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm
                        }
                    }

                    """)
        case .listener, .trafficFront, .xdpFront:
            var settings = SynSettings()
            settings.mode = .always
            try installOwn(defence, isWorkload: isWorkload, settings)
        }
    }

    func installOwn(_ defence: Defence, isWorkload: Bool, _ settings: SynSettings) throws {
        tables.configure(settings)
        let (interface, listenerEnd) = (topology.clientLink, topology.serverEnd)
        if defence != .listener {
            var value = syn_front()
            value.hook = UInt8(defence == .xdpFront ? SYN_FRONT_FRAMES : SYN_FRONT_TRAFFIC)
            value.hardware_address = (2, 0xdb, 0, 0, 1, 1)
            try fronts.update(interface, to: value)
        }
        attached.append(
            try BenchThread.run(in: .named(topology.router)) { [uplink] in
                try Attachment(uplink, to: interface, at: .ingress)
            })
        if isWorkload {
            attached.append(
                try BenchThread.run(in: .named(topology.server)) { [listenerProgram] in
                    try Attachment(listenerProgram, to: listenerEnd, at: .ingress)
                })
        }
        guard defence == .xdpFront else { return }
        for (program, device, namespace) in [
            (front, interface, topology.router), (swallowFrames, clientEnd, topology.client),
        ] {
            frames.append(
                try BenchThread.run(in: .named(namespace)) {
                    FrameHolder(try FrameLink(attaching: program.value, to: device, mode: .native))
                })
        }
    }

    func remove(_ defence: Defence, isWorkload: Bool) throws {
        for holder in frames { try holder.link.detach() }
        frames = []
        attached = []
        try fronts.remove(topology.clientLink)
        try setCookies(1, isWorkload ? topology.server : topology.router)
        if defence == .synproxy {
            try topology.inRouter(["nft", "delete", "table", "inet", "guard"])
            try topology.inRouter(["sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_loose=1"])
        }
    }

    private func setCookies(_ value: Int, _ namespace: String) throws {
        try Command.run(["ip", "netns", "exec", namespace, "sysctl", "-qw", "net.ipv4.tcp_syncookies=\(value)"])
    }

    // MARK: - Frames

    private static let usualOptions: [UInt8] = [2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7]

    private static func frame(to address: String, flags: UInt8, options: [UInt8]) -> [UInt8] {
        let source: [UInt8] = [198, 18, 0, 0], target = address.split(separator: ".").compactMap { UInt8($0) }
        var tcp: [UInt8] = [0x9c, 0x41, UInt8(port >> 8), UInt8(port & 255), 1, 2, 3, 4, 0, 0, 0, 0]
        tcp += [UInt8((20 + options.count) / 4) << 4, flags, 0xfa, 0xf0, 0, 0, 0, 0] + options
        let sum = checksum(source + target + [0, 6, 0, UInt8(tcp.count)] + tcp)
        tcp.replaceSubrange(16..<18, with: [UInt8(sum >> 8), UInt8(sum & 255)])
        var header: [UInt8] = [0x45, 0, 0, UInt8(20 + tcp.count), 0, 1, 0x40, 0, 64, 6, 0, 0] + source + target
        let ip = checksum(header)
        header.replaceSubrange(10..<12, with: [UInt8(ip >> 8), UInt8(ip & 255)])
        // The MAC addresses of the topology's first link.
        return [2, 0xdb, 0, 0, 1, 1, 2, 0xdb, 0, 0, 1, 2, 8, 0] + header + tcp
    }

    static func checksum(_ bytes: [UInt8]) -> UInt16 {
        var sum: UInt32 = 0
        for index in stride(from: 0, to: bytes.count, by: 2) {
            sum += UInt32(bytes[index]) << 8 | UInt32(bytes[index + 1])
        }
        while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
        return ~UInt16(truncatingIfNeeded: sum)
    }

    /// What the program adds to an ACK that carries no cookie, beyond an empty program.
    func establishedCost(isIPv6: Bool) throws -> Double {
        try install(.listener, isWorkload: false)
        _ = try send(isWorkload: false, asFrames: false)
        defer { try? remove(.listener, isWorkload: false) }
        let interface = topology.clientLink
        return try BenchThread.run(in: .named(topology.router)) { [listenerProgram, empty] in
            let ack = SynField.ack(isIPv6: isIPv6)
            let context = PacketContext(ifindex: interface)
            func cost(_ program: Program) throws -> Double {
                Double(try program.value.testRun(packet: ack, context: context, repeatCount: 100_000).nanoseconds)
            }
            var base = Samples(), ours = Samples()
            for _ in 0..<20 {
                base.add(try cost(empty))
                ours.add(try cost(listenerProgram))
            }
            return ours.least - base.least
        }
    }

    private static func ack(isIPv6: Bool) -> [UInt8] {
        let ipv4 = frame(to: "10.219.1.1", flags: 0x10, options: [])
        guard isIPv6 else { return ipv4 }
        let tcp = ipv4[34...]
        let (source, target) = (
            [0xfd, 0xdb, 0, 1] + [UInt8](repeating: 7, count: 12), self.target(isWorkload: false, isIPv6: true)
        )
        return ipv4[..<12] + [0x86, 0xdd, 0x60, 0, 0, 0, 0, UInt8(tcp.count), 6, 64] + source + target + tcp
    }
}
