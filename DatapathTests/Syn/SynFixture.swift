// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import Glibc
import KernelDatapath
import KernelPrograms
import KernelTesting
import NetworkModel
import Testing

/// The defence's programs with tables of their own, and a listener in a namespace of the test's own.
///
/// To be used on the thread of that namespace only.
final class SynFixture {
    let tables: SynTables
    private let program: BPFProgram
    /// For kernels without request sockets.
    private let helper: BPFProgram
    private let uplink: BPFProgram
    private let front: BPFProgram
    let fronts: BPFMap<UInt32, syn_front>
    let ways: BPFMap<syn_way_key, UInt32>
    let gates: BPFMap<syn_gate_key, syn_gate>
    let published: BPFMap<syn_published_key, syn_published>
    private let metrics: BPFMap<UInt32, metric>
    private let settings: MappedArray
    private var sockets: [Int32] = []

    static let port: UInt16 = 8443
    static let clientPort: UInt16 = 40_001
    static let sequence: UInt32 = 0x1122_3344

    /// On a fresh thread in a fresh namespace that has the addresses of both families.
    static func run(_ body: @escaping @Sendable (SynFixture) throws -> Void) async throws {
        try await inFreshNetworkNamespace {
            try shell("ip link set lo up; sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0")
            for family in Family.allCases {
                try shell("ip address add \(family.own)/\(family == .v4 ? 32 : 128) dev lo")
            }
            try body(try SynFixture())
        }
    }

    init(mode: SynMode = .always) throws {
        let object = try BPFObject(.syn_defence)
        let omitted = try object.omitUnsupportedPrograms()
        try #require(omitted.isEmpty, "tests run on a kernel with request sockets")
        try object.load()
        let program = try object.program("tc_syn_listener")
        let helper = try object.program("tc_syn_listener_helper")
        let metrics: BPFMap<UInt32, metric> = try object.map("syn_metrics_map")
        let settings = try MappedArray(object.mapDescriptor("syn_settings_map"), name: "syn_settings_map")
        let uplink = try object.program("tc_syn_uplink"), front = try object.program("xdp_syn_front")
        let fronts: BPFMap<UInt32, syn_front> = try object.map("syn_fronts_map")
        let ways: BPFMap<syn_way_key, UInt32> = try object.map("syn_ways_map")
        let gates: BPFMap<syn_gate_key, syn_gate> = try object.map("syn_gates_map")
        let published: BPFMap<syn_published_key, syn_published> = try object.map("syn_published_map")
        tables = try SynTables(object)
        self.uplink = uplink
        self.front = front
        self.fronts = fronts
        self.ways = ways
        self.gates = gates
        self.published = published
        self.program = program
        self.helper = helper
        self.metrics = metrics
        self.settings = settings
        configure { $0.mode = mode }
    }

    deinit { for socket in sockets { close(socket) } }

    func configure(_ change: (inout SynSettings) -> Void) {
        var settings = SynSettings()
        settings.mode = .always
        change(&settings)
        tables.configure(settings)
    }

    /// Lets ACKs be looked at, as an answered SYN does.
    func arm() {
        settings.storeReleasingDoubleWord(UInt64.max / 2, at: MemoryLayout<syn_settings>.offset(of: \.armed_until) ?? 0)
    }

    /// A listener on any address.
    ///
    /// `proto`: 262 for MPTCP. False if there is no such protocol here.
    @discardableResult
    func listen(port: UInt16 = SynFixture.port, proto: Int32 = 0, backlog: Int32 = 128) throws -> Bool {
        let descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), proto)
        guard descriptor >= 0 else { return false }
        sockets.append(descriptor)
        var name = sockaddr_in6()
        name.sin6_family = sa_family_t(AF_INET6)
        name.sin6_port = port.bigEndian
        let bound = unsafe withUnsafeBytes(of: &name) { bytes in
            unsafe bytes.withMemoryRebound(to: sockaddr.self) { pointer in
                unsafe pointer.baseAddress.map { unsafe bind(descriptor, $0, socklen_t(bytes.count)) } ?? -1
            }
        }
        try #require(bound == 0)
        try #require(Glibc.listen(descriptor, backlog) == 0)
        return true
    }

    /// The next connection of the last listener.
    func accept() throws -> Int32 {
        let descriptor = Glibc.accept(try #require(sockets.last), nil, nil)
        try #require(descriptor >= 0)
        return descriptor
    }

    func run(_ packet: Packet, withHelper: Bool = false) throws -> (verdict: UInt32, packet: [UInt8]) {
        let bytes = packet.toUs().bytes, context = PacketContext(ifindex: 1)
        let result =
            withHelper
            ? try helper.testRun(packet: bytes, context: context) : try program.testRun(packet: bytes, context: context)
        return (result.verdict, result.packet)
    }

    /// Where a front looks at a packet.
    enum Place: String, CaseIterable, Sendable {
        case tcx
        case xdp

        var kernelValue: UInt8 { UInt8(self == .xdp ? SYN_FRONT_FRAMES : SYN_FRONT_TRAFFIC) }
    }

    /// What a front makes of a packet: the answer, or nil if it lets it through.
    func meet(_ packet: Packet, at place: Place) throws -> [UInt8]? {
        let bytes = packet.toUs().bytes
        if place == .xdp {
            let result = try front.testRunFrame(bytes)
            return result.action == 3 ? result.frame : nil
        }
        let result = try uplink.testRun(packet: bytes, context: PacketContext(ifindex: 1))
        return result.verdict == 7 ? result.packet : nil
    }

    /// The TCP header of a packet, its checksum not yet written.
    func header(_ packet: Packet, _ family: Family) -> [UInt8] {
        var bytes = Array(packet.toUs().bytes[(family == .v4 ? 34 : 54)...])
        bytes.replaceSubrange(16..<18, with: [0, 0])
        return bytes
    }

    func gateKey(_ family: Family) -> syn_gate_key {
        syn_gate_key(address: family.own.kernelAddress, port: SynFixture.port.bigEndian, pad: 0)
    }

    func change(_ family: Family, _ body: (inout syn_gate) -> Void) throws {
        var gate = try #require(try gates.value(for: gateKey(family)))
        body(&gate)
        try gates.update(gateKey(family), to: gate)
    }

    /// The stack, or the next program, has it.
    func expectLeft(_ packet: Packet, _ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation)
        throws
    {
        #expect(try run(packet).verdict == UInt32(bitPattern: -1), comment, sourceLocation: sourceLocation)
    }

    func count(_ counter: SynCounter) throws -> UInt64 {
        (try metrics.valuesPerCPU(for: UInt32(counter.rawValue)) ?? []).reduce(0) { $0 &+ $1.packets }
    }

    /// Cookies that were found valid.
    ///
    /// A test run is not a real way in, so that the stack takes none of them.
    func validCount() throws -> UInt64 { try count(.accepted) + count(.refused) }

    static func now() -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    func cookie(_ family: Family, step: UInt64) -> SynCookie {
        SynCookie(
            key: tables.key(of: step), remote: family.world, remotePort: SynFixture.clientPort,
            sequence: SynFixture.sequence)
    }

    /// The same step before and after, so that a test does not fall between two.
    static func inOneStep<Result>(_ body: (UInt64) throws -> Result) rethrows -> Result {
        // The coarse clock is up to 10 ms behind.
        while now() & (1 << UInt64(SYN_STEP_SHIFT) - 1) > 1 << UInt64(SYN_STEP_SHIFT) - 3_000_000_000
            || now() & (1 << UInt64(SYN_STEP_SHIFT) - 1) < 20_000_000
        {
            _ = poll(nil, 0, 50)
        }
        return try body(SynTables.step())
    }
}

/// What a client may ask for.
struct ClientOptions: Hashable, Sendable {
    var mss: UInt16? = 1460
    var windowScale: UInt8? = 7
    var hasSACK = true
    var timestamp: UInt32? = 0x0a0b_0c0d
    var echo: UInt32 = 0
    var asksECN = false

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        if let mss { bytes += [2, 4] + mss.networkOrder }
        if hasSACK { bytes += [4, 2] }
        if let timestamp { bytes += [8, 10] + timestamp.networkOrder + echo.networkOrder }
        if let windowScale { bytes += [3, 3, windowScale] }
        while bytes.count % 4 != 0 { bytes.append(1) }
        return bytes
    }
}

extension Packet {
    /// A segment from the client of the tests to its server.
    static func segment(
        _ family: Family, _ flags: UInt8, sequence: UInt32 = SynFixture.sequence, acknowledged: UInt32 = 0,
        options: [UInt8] = ClientOptions().bytes, payload: Int = 0, port: UInt16 = SynFixture.port
    ) -> Packet {
        let header: [UInt8] =
            SynFixture.clientPort.networkOrder + port.networkOrder + sequence.networkOrder + acknowledged.networkOrder
            + [UInt8((20 + options.count) / 4) << 4, flags, 0xfa, 0xf0, 0, 0, 0, 0]
        return Packet.ip(family.world, to: family.own)
            .transport(6, header + options + [UInt8](repeating: 7, count: payload), checksum: .withAddresses(16))
    }

    static func syn(_ family: Family, _ options: ClientOptions = ClientOptions(), port: UInt16 = SynFixture.port)
        -> Packet
    {
        segment(family, options.asksECN ? 0xc2 : 0x02, options: options.bytes, port: port)
    }

    /// The ACK that brings a cookie back, with timestamps if there is an echo.
    static func answer(_ family: Family, cookie: UInt32, sequence: UInt32 = SynFixture.sequence, echo: UInt32? = nil)
        -> Packet
    {
        let options: [UInt8] = echo.map { [1, 1, 8, 10] + UInt32(77).networkOrder + $0.networkOrder } ?? []
        return segment(family, 0x10, sequence: sequence &+ 1, acknowledged: cookie &+ 1, options: options)
    }
}
