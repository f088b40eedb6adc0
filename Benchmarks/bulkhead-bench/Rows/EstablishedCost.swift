// SPDX-License-Identifier: Apache-2.0

import BPFRuntime
import KernelPrograms

/// What one endpoint program costs a packet of an established TCP flow, as a multiple of an empty program.
///
/// By BPF_PROG_TEST_RUN in a network namespace with only a loopback device (interface 1 is the endpoint's). The program
/// writes nothing into the packet, which is checked, so every repeat sees the packet restored.
enum EstablishedCost: Benchmark {
    static let name = "established"
    static let summary = "one endpoint program on an established TCP packet, against an empty program"
    private static let sizes = [10, 1_000, 15_000, 100_000]
    private static let ratioBound = 3.0
    private static let growthBound = 1.15

    static func run(_ effort: Effort) throws -> [Row] {
        try BenchThread.run(in: .fresh) {
            let candidates = try sizes.map { try Candidate(policyEntries: $0) }
            let reference = try Reference()
            var rows: [Row] = []
            for family in Family.allCases {
                rows += try measure(candidates, reference: reference, family: family, effort: effort)
            }
            return rows
        }
    }

    private static func measure(
        _ candidates: [Candidate], reference: Reference, family: Family, effort: Effort
    ) throws -> [Row] {
        var cost = candidates.map { _ in PairedSamples() }
        var growth = PairedSamples()
        for round in 1...effort.rounds {
            // A new connection each round: where its entry comes to lie in memory is worth some nanoseconds.
            let connection = Connection(family: family, clientPort: UInt16(40_000 + round))
            var figures: [Double] = []
            for (index, candidate) in candidates.enumerated() {
                try candidate.establish(connection)
                let empty = try reference.cost(connection)
                figures.append(try candidate.cost(connection))
                cost[index].add(ours: figures[index], peer: empty)
            }
            growth.add(ours: figures[figures.count - 1], peer: figures[0])
            report("  \(family), round \(round): ns \(figures.map(ResultTable.number).joined(separator: " / "))")
        }
        let rows = zip(candidates, cost).map { candidate, samples in
            Row(
                "established \(family), \(candidate.policyEntries) entries", unit: "ns/packet", samples: samples,
                peerName: "empty tc program", bound: ratioBound)
        }
        return rows + [
            Row(
                "established \(family), growth", unit: "ns/packet", samples: growth,
                peerName: "ours, \(sizes[0]) entries", bound: growthBound)
        ]
    }
}

enum Family: String, CaseIterable, CustomStringConvertible {
    case ipv4 = "IPv4"
    case ipv6 = "IPv6"

    var description: String { rawValue }
}

/// The packets of one TCP connection from the client to the server.
struct Connection {
    let family: Family
    let clientPort: UInt16

    /// A whole frame; `isReply`: from the server.
    func frame(flags: UInt8, isReply: Bool = false) -> [UInt8] {
        let workloads = BenchState.workloads(client: 1, server: 2)
        let ends = workloads.map { $0.addresses[family == .ipv4 ? 0 : 1] }.map(PacketBytes.mapped)
        let source = isReply ? ends[1] : ends[0], destination = isReply ? ends[0] : ends[1]
        let ports = isReply ? (RuleSet.probePort, clientPort) : (clientPort, RuleSet.probePort)
        let tcp = PacketBytes.tcpHeader(source: ports.0, destination: ports.1, flags: flags)
        let macs: [UInt8] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]
        switch family {
        case .ipv4:
            let ip = PacketBytes.ipv4Header(
                source: Array(source[12...]), destination: Array(destination[12...]), protocolNumber: 6,
                payloadLength: tcp.count)
            return macs + [0x08, 0x00] + ip + tcp
        case .ipv6:
            let ip = PacketBytes.ipv6Header(
                source: source, destination: destination, nextHeader: 6, payloadLength: tcp.count)
            return macs + [0x86, 0xdd] + ip + tcp
        }
    }
}

/// The cheapest possible program, run in the same loop.
private final class Reference {
    private let program: BPFProgram

    init() throws {
        let object = try BPFObject(.reference)
        try object.load()
        program = try object.program("tc_empty")
    }

    func cost(_ connection: Connection) throws -> Double {
        try timedRuns(program, packet: connection.frame(flags: TCPFlags.ack))
    }
}

/// Our programs with a policy of a given size.
private final class Candidate {
    let policyEntries: Int
    private let fixture: DatapathFixture

    init(policyEntries: Int) throws {
        self.policyEntries = policyEntries
        let state = BenchState(policyEntries: policyEntries, ipcacheEntries: 100_000)
        // The loopback device is the client's link.
        let workloads = BenchState.workloads(client: 1, server: 2)
        fixture = try DatapathFixture(state: state.state, workloads: workloads, flows: 65_536)
    }

    /// The three packets that open the connection, through the program of their direction.
    func establish(_ connection: Connection) throws {
        try expectPass(fixture.fromEndpoint, connection.frame(flags: TCPFlags.syn))
        try expectPass(fixture.toEndpoint, connection.frame(flags: TCPFlags.syn | TCPFlags.ack, isReply: true))
        try expectPass(fixture.fromEndpoint, connection.frame(flags: TCPFlags.ack))
    }

    /// The dearer of the two directions.
    func cost(_ connection: Connection) throws -> Double {
        max(
            try timedRuns(fixture.fromEndpoint.value, packet: connection.frame(flags: TCPFlags.ack)),
            try timedRuns(fixture.toEndpoint.value, packet: connection.frame(flags: TCPFlags.ack, isReply: true)))
    }

    private func expectPass(_ program: Program, _ packet: [UInt8]) throws {
        let result = try program.value.testRun(packet: packet)
        guard Int32(bitPattern: result.verdict) <= 0 else {
            throw BenchError("\(program.value.name) gave verdict \(result.verdict) to a packet that the policy allows")
        }
        guard result.packet == packet else {
            throw BenchError("\(program.value.name) changed the packet: repeats would not see it restored")
        }
    }
}

enum TCPFlags {
    static let syn: UInt8 = 0x02
    static let ack: UInt8 = 0x10
}

/// CPU nanoseconds of one run: the best of three loops, so that an interrupt does not count.
private func timedRuns(_ program: borrowing BPFProgram, packet: [UInt8]) throws -> Double {
    let repeats: Int32 = 400_000
    var best = Double.infinity
    for _ in 0..<3 {
        let begin = Clocks.thread
        _ = try program.testRun(packet: packet, repeatCount: repeats)
        best = min(best, Double(Clocks.thread - begin) / Double(repeats))
    }
    return best
}
