// SPDX-License-Identifier: Apache-2.0

import BPFRuntime
import CDatapathABI
import IdentityModel
import NetworkModel
import PolicyCompiler

/// What reading a DNS answer costs, and whether the addresses are open when the workload sees them.
///
/// By BPF_PROG_TEST_RUN: ask, be answered, connect, with a name and an address of its own each time; no agent runs.
enum NameAnswerCost: Benchmark {
    static let name = "names"
    static let summary = "CPU of reading a DNS answer; first connections refused after 10 000 answers"
    private static let runs = 10_000
    private static let nanosecondsMax = 2000.0

    static func run(_ effort: Effort) throws -> [Row] {
        let suffix = try measure(["**.bench.test"], effort)
        // As many as one automaton holds; the last one means the names of the lookups.
        let patterns = try measure((1...7).map { "edge-\($0)*.**.bench.test" } + ["host*.round*.bench.test"], effort)
        return [
            Row("DNS answer read", unit: "+ns CPU", ours: suffix.nanoseconds, bound: nanosecondsMax),
            Row("DNS answer, 8 patterns", unit: "+ns CPU", ours: patterns.nanoseconds, bound: nanosecondsMax),
            Row(
                "first connections refused", unit: "of \(2 * runs)", ours: Double(suffix.refused + patterns.refused),
                bound: 0),
        ]
    }

    /// What reading an answer costs where these names are allowed, and how many first connections were refused.
    private static func measure(
        _ names: [String], _ effort: Effort
    ) throws -> (nanoseconds: Double, refused: Int) {
        try BenchThread.run(in: .fresh) {
            let field = try NameField(names)
            var added = Samples(), refused = 0
            for round in 1...effort.rounds {
                var read = Samples(), plain = Samples()
                for index in 0..<(effort.isQuick ? runs / 10 : runs) {
                    let lookup = NameField.Lookup(number: index, round: round)
                    plain.add(try field.answer(lookup, port: 54))
                    try field.ask(lookup, port: 53)
                    read.add(try field.answer(lookup, port: 53))
                    if try !field.connects(lookup) { refused += 1 }
                }
                added.add(read.median - plain.median)
                let text = [plain.median, read.median].map(ResultTable.number).joined(separator: " / ")
                report("  \(names.count) names, round \(round): ns not an answer / an answer = \(text)")
            }
            return (added.median, refused)
        }
    }
}

/// A workload that may ask one resolver, and connect to what certain names below a suffix resolve to.
private final class NameField {
    /// One name, and the address that it has.
    struct Lookup {
        let number: Int
        let round: Int

        var address: [UInt8] { [198, 51, UInt8(number >> 8 & 0xff), UInt8(number & 0xff)] }
        var question: [UInt8] {
            let labels = ["host\(number)", "round\(round)", "bench", "test"]
            return labels.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0, 0, 1, 0, 1]
        }
        var id: [UInt8] { PacketBytes.big(UInt16(number)) }
    }

    private static let resolver: [UInt8] = [10, 219, 2, 2], client: [UInt8] = [10, 219, 1, 2]
    private static let clientPort: UInt16 = 40_053
    private static let ethernet = [UInt8](repeating: 2, count: 12) + [8, 0]
    private static let dropped: UInt32 = 2
    private let fixture: DatapathFixture

    /// Rules allow these names, all of them below one.
    init(_ names: [String]) throws {
        let number = NumericIdentity(rawValue: NumericIdentity.nameRange.lowerBound + 1)
        var state = MapState()
        let exactPort: UInt32 = 1 << 16
        state.subjects[1] = SubjectState(
            defaultDeny: [true, false], defaultDenyAll: [true, false],
            probeMask: [[exactPort | 1 << UInt32(PROBE_NAMES), exactPort | 1 << UInt32(PROBE_NAMES)], [0, 0]],
            defaultDenyRule: [20, 21])
        let verdict = PolicyVerdict(precedence: 0xff80, rule: 32)
        let allowed: [(NumericIdentity, UInt8, UInt16)] = [
            (NumericIdentity(rawValue: 0), 17, 53), (NumericIdentity(rawValue: 0), 17, 54), (number, 6, 443),
        ]
        for (peer, proto, port) in allowed {
            let key = PolicyKey(
                peer: peer, subject: 1, port: port, proto: proto, direction: .egress, prefixLength: 16)
            state.policy[key] = PolicyValue(enforced: verdict, all: verdict)
        }
        let workload = DatapathFixture.Workload(
            interface: 1, number: 1, subject: 1, identity: BenchState.clientIdentity,
            addresses: [IPAddress(v4: 0x0adb_0102)])
        fixture = try DatapathFixture(state: state, workloads: [workload], flows: 262_144)
        let selectors = names.compactMap { NameSelector($0) }
        guard selectors.count == names.count, let suffix = selectors.first?.name else { throw BenchError("not a name") }
        try fixture.readNames(
            under: suffix, selectors.map(\.extent), number: number, resolver: IPAddress(v4: 0x0adb_0202))
        // The flow that answers of port 54 belong to.
        try ask(Lookup(number: 0, round: 0), port: 54)
    }

    func ask(_ lookup: Lookup, port: UInt16) throws {
        let message = lookup.id + [1, 0, 0, 1, 0, 0, 0, 0, 0, 0] + lookup.question
        let result = try fixture.fromEndpoint.value.testRun(packet: Self.datagram(to: port, message))
        guard result.verdict != Self.dropped else { throw BenchError("a question was dropped") }
    }

    /// Nanoseconds of the program that sees the answer pass.
    func answer(_ lookup: Lookup, port: UInt16) throws -> Double {
        let record: [UInt8] = [0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4] + lookup.address
        let message = lookup.id + [0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0] + lookup.question + record
        let result = try fixture.toEndpoint.value.testRun(packet: Self.datagram(from: port, message))
        guard result.verdict != Self.dropped else { throw BenchError("an answer was dropped") }
        return Double(result.nanoseconds)
    }

    /// Whether a first packet to the address passes.
    func connects(_ lookup: Lookup) throws -> Bool {
        let segment = PacketBytes.tcpHeader(
            source: UInt16(10_000 + lookup.round), destination: 443, flags: TCPFlags.syn)
        let header = PacketBytes.ipv4Header(
            source: Self.client, destination: lookup.address, protocolNumber: 6, payloadLength: segment.count)
        return try fixture.fromEndpoint.value.testRun(packet: Self.ethernet + header + segment).verdict != Self.dropped
    }

    private static func datagram(to port: UInt16, _ message: [UInt8]) -> [UInt8] {
        datagram(client, resolver, PacketBytes.big(clientPort) + PacketBytes.big(port), message)
    }

    private static func datagram(from port: UInt16, _ message: [UInt8]) -> [UInt8] {
        datagram(resolver, client, PacketBytes.big(port) + PacketBytes.big(clientPort), message)
    }

    private static func datagram(
        _ source: [UInt8], _ destination: [UInt8], _ ports: [UInt8], _ message: [UInt8]
    ) -> [UInt8] {
        let length = 8 + message.count
        let header = PacketBytes.ipv4Header(
            source: source, destination: destination, protocolNumber: 17, payloadLength: length)
        return ethernet + header + ports + PacketBytes.big(UInt16(length)) + [0, 0] + message
    }
}
