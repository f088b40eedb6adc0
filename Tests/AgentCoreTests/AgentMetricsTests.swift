// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EventModel
import FlowAggregation
import IdentityModel
import KernelDatapath
import Metrics
import NetworkModel
import ResponseActions
import Testing

@testable import AgentCore

@Suite struct AgentMetricsTests {
    /// A node with 500 endpoints, a full share of rules and everything switched on.
    private static func large() -> (MetricFacts, KernelFacts) {
        var facts = MetricFacts()
        var kernel = KernelFacts()
        kernel.metrics = DatapathMetrics()
        kernel.metrics?.dropped = [.policyDefaultDeny: [.ingress: Traffic(packets: 1, bytes: 2)]]
        facts.readsAnswers = true
        (facts.enforcedEndpoints, facts.untoldRules) = (500, 3)
        facts.openEndpoints = ["ingress": 3, "egress": 4]
        facts.commits.noteMade(took: .milliseconds(3))
        for number in 0..<500 { facts.sources["source \(number)"] = number }
        for number in 1...UInt32(Metric.rulePackets.samplesMax) {
            let name = "NetworkPolicy/namespace-\(number)/" + String(repeating: "long-name-", count: 12)
            facts.ruleNames[number] = MetricFacts.RuleLabels(policy: name, rule: "ingress[\(number)]")
            kernel.rules[number] = RuleTraffic(egress: Traffic(packets: .max, bytes: .max / 2))
        }
        kernel.programs = [ProgramRuns(program: "tc_from_endpoint", count: 1, nanoseconds: 2)]
        facts.hooks = ["tcx": 500]
        facts.cluster = ClusterStatus(
            feed: "etcd", connected: false, message: "", currentAt: "2026-01-01T00:00:00Z", ageSeconds: 70,
            remembered: true, policies: 1, workloads: 2, nodes: 3)
        facts.cniAttachments = 500
        facts.detection = DetectionStatus()
        facts.detection?.detectors = ["port-scan"]
        facts.alerts = AlertStatus()
        facts.alerts?.sinks = [SinkStatus(name: "hook", type: "webhook", place: "x", delivered: 2, lost: 1)]
        facts.responses = .init()
        facts.policyLog = PolicyLogStatus(path: "/x", written: 1, notWritten: 2)
        facts.shield = ShieldFacts()
        facts.shield?.packets = [("passed", 1)]
        facts.shield?.drops = [ShieldDrop(reason: "martian", packets: 1, bytes: 1, wouldDrop: true)]
        facts.shield?.feeds = [.init(name: "drop", prefixes: 7, packets: 1, isBroken: true)]
        return (facts, kernel)
    }

    private static func lines(_ page: MetricPage) -> [Substring] {
        String(decoding: page.text(.prometheus), as: UTF8.self).split(separator: "\n")
    }

    @Test func `every family of the catalogue is told where there is something to tell`() {
        let (facts, kernel) = Self.large()
        var page = MetricPage(facts, kernel, FlowCounters(), ProcessFacts.read())
        page.add(.droppedSamples, 1, "x")
        let told = Set(Self.lines(page).filter { $0.hasPrefix("# TYPE") }.map { String($0.split(separator: " ")[2]) })
        #expect(told.symmetricDifference(MetricCatalogue.all.map(\.name)).sorted() == [])
    }

    @Test func `a page of 500 endpoints is small and quickly made`() {
        let (facts, kernel) = Self.large()
        var best = Duration.seconds(1)
        var size = 0
        for _ in 0..<5 {
            let begin = ContinuousClock.now
            let page = MetricPage(facts, kernel, FlowCounters(), ProcessFacts.read())
            size = page.text(.openMetrics).count
            best = min(best, ContinuousClock.now - begin)
        }
        print("metrics of 500 endpoints and \(facts.ruleNames.count) rules: \(size) bytes, \(best)")
        #expect(size <= 2 << 20)
        // Of a debug build, on a busy machine.
        #expect(best <= .milliseconds(500))
    }

    @Test func `a cluster that never spoke has no age`() {
        var (facts, kernel) = Self.large()
        let age = "bulkhead_cluster_state_age_seconds{feed=\"etcd\"}"
        let told = { Self.lines(MetricPage(facts, kernel, FlowCounters(), ProcessFacts())) }
        #expect(told().contains("\(age) 70"))
        facts.cluster?.currentAt = nil
        facts.cluster?.ageSeconds = nil
        #expect(!told().contains { $0.hasPrefix(age) })
        facts.cluster?.connected = true
        #expect(told().contains("\(age) 0"))
        kernel.metrics = nil
        #expect(!told().contains { $0.hasPrefix("bulkhead_dropped_packets_total") }, "what is not known is not 0")
    }

    @Test func `an agent tells what status tells`() async throws {
        let scratch = try Scratch()
        let datapath = InMemoryDatapath()
        let state = try await AgentState.adopted(in: scratch.path, datapath)
        datapath.withContent { content in
            content.metrics.eventsLost = 5
            content.programRuns = [ProgramRuns(program: "tc_to_endpoint", count: 9, nanoseconds: 1_500_000_000)]
            content.ruleTraffic[2] = RuleTraffic(ingress: Traffic(packets: 4, bytes: 40))
        }
        let text = String(decoding: await state.metrics(.prometheus), as: UTF8.self)
        for line in [
            "bulkhead_events_lost_total{where=\"kernel\"} 5",
            "bulkhead_program_run_seconds_total{program=\"tc_to_endpoint\"} 1.5",
            "bulkhead_rule_packets_total{policy=\"\",rule=\"failsafe\"} 4", "bulkhead_audit_mode 0",
            "bulkhead_policies{state=\"refused\"} 0", "bulkhead_problems 0",
        ] { #expect(text.contains("\n\(line)\n"), "\(line)") }
        let status = try await state.status()
        #expect(text.contains("\nbulkhead_policy_generation \(status.state.generation)\n"))
        #expect(text.contains("\nbulkhead_commits_total{result=\"made\"} \(status.state.commits)\n"))
        #expect(text.contains("\nbulkhead_commit_duration_seconds_count \(status.state.commits)\n"))
        #expect(!text.contains("bulkhead_cluster_"), "a node that is alone has no cluster")
        let start = try #require(text.split(separator: "\n").first { $0.hasPrefix("process_start_time_seconds ") })
        #expect(Double(start.split(separator: " ")[1]) ?? 0 > 1_600_000_000)
    }

    @Test func `an endpoint that no policy closes is counted as open, by direction`() async throws {
        let scratch = try Scratch()
        let state = try await AgentState.adopted(in: scratch.path)
        let labels = [("app", "web"), (WellKnownLabel.namespace, "shop")].map {
            Label(source: LabelSource.kubernetes, key: $0.0, value: $0.1)
        }
        let workload = Workload(
            key: "test:web", name: "web", source: "test", labels: LabelSet(labels),
            addresses: [IPAddress(v4: 0x0a00_0001)], interfaces: [.init(name: "veth1", index: 1)])
        await state.update(source: "test", workloads: [workload], state: "ok", location: "")
        await state.settle()
        let open = { (direction: String, count: Int) in
            "\nbulkhead_endpoints_open{direction=\"\(direction)\"} \(count)\n"
        }
        let before = String(decoding: await state.metrics(.prometheus), as: UTF8.self)
        #expect(before.contains(open("ingress", 1)) && before.contains(open("egress", 1)))
        let policy = """
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata: {name: web, namespace: shop}
            spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress]}
            """
        _ = try await state.applyPolicies(
            PolicyDocument(name: "p.yaml", text: Array(policy.utf8)), options: ChangeOptions())
        let after = String(decoding: await state.metrics(.prometheus), as: UTF8.self)
        #expect(after.contains(open("ingress", 0)) && after.contains(open("egress", 1)), "\(after)")
    }
}
