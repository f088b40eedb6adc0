// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// 500 endpoints moved from audit to enforcement and back by one file, while packets ask all of them.
///
/// Each endpoint has a policy of its own. A packet that it allows must pass always; one that it does not allow passes in
/// audit mode only, and for one generation of the tables at all endpoints or at none.
enum AuditSwitch: Benchmark {
    static let name = "audit-switch"
    static let summary = "500 endpoints moved from audit to enforcement under traffic"
    private static let endpoints = 500

    static func run(_ effort: Effort) throws -> [Row] {
        let field = try AgentField(
            agentPath: effort.agentPath, endpoints: endpoints, corpus: AuditCorpus(endpoints: endpoints))
        _ = try field.start()
        let prober = try BenchThread.run(in: .named(field.host), cpu: nil) { try AuditProber(field) }
        try BenchThread.run(in: .named(field.host), cpu: nil) { try prober.waitUntilInForce() }
        let probing = try BenchThread.start {
            _ = try? BenchThread.run(in: .named(field.host), cpu: nil) { prober.run() }
        }
        let outcome = Result {
            for change in 1...(effort.isQuick ? 10 : 60) {
                try field.change(to: change % 2)
                Clocks.sleep(nanoseconds: 300_000_000)
            }
        }
        prober.stop()
        pthread_join(probing, nil)
        try outcome.get()
        let tally = prober.tally
        report(
            "  audit-switch: \(tally.asked) packets, \(tally.switches) switches seen, \(tally.lost) allowed ones lost,"
                + " \(tally.mixed) mixed")
        guard tally.switches >= 5 else { throw BenchError("only \(tally.switches) switches were seen") }
        return [
            Row("audit to enforce: allowed packets lost", unit: "packets", ours: Double(tally.lost), bound: 0),
            Row("audit to enforce: mixed verdicts", unit: "packets", ours: Double(tally.mixed), bound: 0),
        ]
    }
}

/// A policy for each endpoint, all in audit mode or all enforced.
struct AuditCorpus: FieldContent {
    static let peer: UInt32 = 0xcb00_7107
    static let allowedPort: UInt16 = 7001
    static let otherPort: UInt16 = 7002

    let endpoints: Int

    func files() -> [(name: String, text: String)] { [] }

    func changing(_ variant: Int) -> String {
        (0..<endpoints).map { number in
            """
            apiVersion: cilium.io/v2
            kind: CiliumClusterwideNetworkPolicy
            metadata:
              name: policy-\(number)
              annotations: {bulkhead.dev/mode: \(variant == 0 ? "audit" : "enforce")}
            spec:
              endpointSelector: {matchLabels: {app: app-\(number)}}
              ingress:
              - fromCIDR: ["\(RuleSet.text(Self.peer))/32"]
                toPorts: [{ports: [{port: "\(Self.allowedPort)", protocol: TCP}]}]

            """
        }.joined(separator: "---\n")
    }

    func workloadsFile(endpoints: Int) -> String {
        PolicyCorpus(policies: 0, applications: endpoints).workloadsFile(endpoints: endpoints)
    }
}

private final class AuditProber: @unchecked Sendable {
    struct Tally {
        var asked = 0
        var lost = 0
        var mixed = 0
        var switches = 0
    }

    // Sendable although not checked: `tally` is the prober thread's alone until it has been joined.
    private let probe: PacketProbe
    private let endpoints: Int
    private let stopping = Atomic<Bool>(false)
    private(set) var tally = Tally()

    init(_ field: AgentField) throws {
        endpoints = field.endpoints
        probe = try PacketProbe(field: field, workloads: 0..<endpoints)
    }

    func stop() { stopping.store(true, ordering: .releasing) }

    /// The last endpoint is judged by its policy: in audit mode, so that everything passes.
    func waitUntilInForce() throws {
        let end = Clocks.wall + 120_000_000_000
        while !(0..<endpoints).allSatisfy({ isOpen(AuditCorpus.allowedPort, $0, 1000) == true }) {
            guard Clocks.wall < end else {
                throw BenchError("not all endpoints were judged two minutes after the start")
            }
            Clocks.sleep(nanoseconds: 50_000_000)
        }
    }

    /// Endpoint after endpoint: an allowed packet, and one that only audit mode lets pass.
    func run() {
        var isOpenIn: [UInt32: Bool] = [:]
        var last: Bool?
        var (endpoint, source) = (0, UInt16(1024))
        while !stopping.load(ordering: .acquiring) {
            endpoint = (endpoint + 1) % endpoints
            // A few flows of each endpoint, over and over: most are open when the switch comes.
            if endpoint == 0 { source = source == 1087 ? 1024 : source + 1 }
            if isOpen(AuditCorpus.allowedPort, endpoint, source) == false { tally.lost += 1 }
            let before = probe.generation
            guard let passes = isOpen(AuditCorpus.otherPort, endpoint, source), probe.generation == before else {
                continue
            }
            tally.asked += 2
            if isOpenIn[before, default: passes] != passes { tally.mixed += 1 }
            isOpenIn[before] = passes
            if let last, last != passes { tally.switches += 1 }
            last = passes
        }
    }

    private func isOpen(_ port: UInt16, _ endpoint: Int, _ source: UInt16) -> Bool? {
        probe.isOpen(port, of: endpoint, peer: AuditCorpus.peer, from: source)
    }
}
