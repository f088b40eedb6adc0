// SPDX-License-Identifier: Apache-2.0

import AlertPipeline
import IdentityModel
import KernelDatapath
import LinuxHost
import NetworkModel
import PolicyCompiler
import PolicyModel
import PolicyReading
import ResponseActions
import Testing

@testable import AgentCore

@Suite struct ConfigurationTests {
    /// The directory of the package, from this file's place.
    private static let package = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()

    private func read(_ text: String) throws -> AgentConfiguration {
        var configuration = AgentConfiguration()
        try configuration.read(Array(text.utf8), file: "agent.yaml")
        return configuration
    }

    @Test func `the example file holds every key with its default`() throws {
        let bytes = try readFile("\(Self.package)/Deploy/agent.yaml")
        var configuration = AgentConfiguration()
        configuration.policyDirectory = "changed"
        configuration.hostEndpoint.failsafes = []
        configuration.sizes.eventBytes = 1
        configuration.flowCapacity = 1
        configuration.shield.settings.reflectorPorts = []
        configuration.shield.settings.senses = true
        configuration.response.settings.blocksMax = 1
        configuration.alerts.settings.noticesPerMinute = 1
        configuration.names.grace = .zero
        configuration.fleet.prefix = "/changed"
        configuration.policyLog = PolicyLogConfiguration(
            isEnabled: false, path: "/changed", bytesMax: 1, filesMax: 1, includesAnnotated: false,
            annotatedLinesPerSecond: 1)
        try configuration.read(bytes, file: "agent.yaml")
        let defaults = AgentConfiguration()
        #expect(configuration.policyDirectory == defaults.policyDirectory)
        #expect(configuration.hostEndpoint == defaults.hostEndpoint)
        #expect(configuration.sizes == defaults.sizes && configuration.settings == defaults.settings)
        #expect(configuration.flowCapacity == defaults.flowCapacity && configuration.logLevel == defaults.logLevel)
        #expect(configuration.shield.settings == defaults.shield.settings)
        #expect(configuration.response.settings == defaults.response.settings)
        #expect(configuration.alerts.settings == defaults.alerts.settings && configuration.names == defaults.names)
        #expect(configuration.policyLog == defaults.policyLog)
        #expect(configuration.fleet == defaults.fleet && !defaults.fleet.isEnabled)
        #expect(configuration.socketPath == "/run/bulkhead/bulkhead.sock")
    }

    @Test func `the example of a workloads file is read`() throws {
        let file = try WorkloadsFile(readFile("\(Self.package)/Deploy/workloads.yaml"), file: "workloads.yaml")
        #expect(file.entries.map(\.name) == ["web", "database", "gateway"])
        #expect(file.entries[0].place == .namespace("/run/netns/web"))
        #expect(file.entries[0].labels.namespace == "shop")
        #expect(file.entries[0].labels.value(source: LabelSource.workload, key: "app") == "web")
        #expect(file.entries[1].addresses.count == 2)
        #expect(file.entries[2].options == .noSourceCheck)
        let metrics = try #require(file.remotes["remote:workloads/metrics"])
        #expect(metrics.labels.namespace == "monitoring" && metrics.addresses == [IPAddress("198.51.100.20")])
    }

    @Test(arguments: [
        ("audit: perhaps\n", "agent.yaml:1:8: \"perhaps\" where true or false belongs"),
        ("flows: 5\naudits: true\n", "agent.yaml:2:1: unknown key \"audits\""),
        ("reportInterval: 5 parsecs\n", "agent.yaml:1:17: \"5 parsecs\" where a duration"),
        ("reportInterval: 9999999999999999h\n", "agent.yaml:1:17: \"9999999999999999h\" where a duration"),
        ("reportInterval: 99999999999\n", "a duration of at most 8784h"),
        ("sweepInterval: 0s\n", "at least 0.1 seconds"),
        ("tables: {policyEntries: 100000}\n", "a power of two"),
        ("hostEndpoint:\n  failsafePorts: [ssh]\n", "agent.yaml:2:19: \"ssh\" is not a failsafe port"),
        ("- a\n", "agent.yaml:1:1: a list where a mapping belongs"),
    ])
    func `an error names place, text and what belongs there`(text: String, expected: String) {
        do {
            _ = try read(text)
            Issue.record("accepted: \(text)")
        } catch {
            #expect("\(error)".contains(expected))
        }
    }

    @Test(arguments: [
        ("workloads: [{netns: x}]", "without `name`"),
        ("workloads: [{name: a}]", "neither `interface` nor `netns`"),
        ("workloads: [{name: a, sourceCheck: false, addresses: [10.0.0.3]}]", "neither `interface` nor `netns`"),
        ("workloads: [{name: a, addresses: [127.0.0.3]}]", "cannot have 127.0.0.3: it is a loopback address"),
        ("workloads: [{name: a, netns: x}, {name: a, addresses: [10.0.0.3]}]", "a second workload named \"a\""),
        ("workloads: [{name: a, interface: tap0}]", "has no `addresses`"),
        ("workloads: [{name: a, netns: x}, {name: a, netns: y}]", "a second workload named \"a\""),
        ("workloads: [{name: a, netns: x, addresses: [10.0.0.300]}]", "is not an IP address"),
        ("workloads: [{name: a, netns: x, ports: {http: 80/foo}}]", "not a port"),
    ])
    func `a workload that cannot work is refused with its place`(text: String, expected: String) {
        do {
            _ = try WorkloadsFile(Array(text.utf8), file: "w.yaml")
            Issue.record("accepted: \(text)")
        } catch {
            #expect("\(error)".hasPrefix("w.yaml:1:") && "\(error)".contains(expected))
        }
    }

    @Test func `values of the file replace defaults`() throws {
        let configuration = try read(
            """
            audit: true
            reportInterval: 500ms
            sweepInterval: 1m
            hostEndpoint: {enabled: true, devices: [eth0], failsafePorts: [ingress tcp/2222]}
            identityLabels: ["!container:build."]
            """)
        #expect(configuration.isAudit && configuration.settings.reportInterval == .milliseconds(500))
        #expect(configuration.sweepInterval == .seconds(60) && configuration.hostEndpoint.devices == ["eth0"])
        #expect(
            configuration.hostEndpoint.failsafes == [FailsafePort(port: 2222, proto: .tcp, direction: .ingress)])
        #expect(configuration.labelRules.count == 1)
    }

    @Test func `documents of one text keep their own line numbers`() throws {
        let policy = { (name: String) in
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: \(name)}\nspec: {podSelector: {}}\n"
        }
        let text = policy("one") + "---\n" + policy("two")
        let bundle = PolicyBundle(Array(text.utf8), file: "p.yaml", reader: PolicyReader())
        #expect(bundle.items.map(\.policy.reference.name) == ["one", "two"])
        for item in bundle.items {
            var reading = AppliedPolicyReading(PolicyReader())
            let again = try reading.read(AppliedPolicy(item)).policy
            #expect(again == item.policy)
            #expect(AppliedPolicy(item).document.contains("apiVersion"))
        }
    }
}

@Suite struct LockoutGuardTests {
    private let close = """
        apiVersion: cilium.io/v2
        kind: CiliumClusterwideNetworkPolicy
        metadata: {name: host}
        spec:
          nodeSelector: {}
          ingress: [{fromEntities: [cluster]}]
        """

    private func check(_ failsafes: Set<FailsafePort>, isEnabled: Bool = true) throws {
        var host = AgentConfiguration.HostEndpoint()
        host.isEnabled = isEnabled
        host.failsafes = failsafes
        let policies = PolicyReader().read(close, file: "host.yaml").policies
        try #require(policies.count == 1)
        let lockout = LockoutGuard(host: host, node: "n1", inForce: [:], options: .init())
        try lockout.check(PolicyDelta(setting: policies))
    }

    @Test func `a policy that would close SSH is refused and named`() {
        let error = #expect(throws: AgentError.self) { try check([]) }
        #expect(error?.description.contains("CiliumClusterwideNetworkPolicy/host") == true)
    }

    @Test func `removing the policy that kept SSH open is refused like adding one that closes it`() throws {
        let open = close.replacing("name: host", with: "name: ssh").replacing("[cluster]", with: "[all]")
        let policies = PolicyReader().read(close + "\n---\n" + open, file: "host.yaml").policies
        try #require(policies.count == 2)
        var host = AgentConfiguration.HostEndpoint()
        host.isEnabled = true
        host.failsafes = []
        let inForce = Dictionary(policies.map { ($0.reference, $0) }) { first, _ in first }
        let lockout = LockoutGuard(host: host, node: "n1", inForce: inForce, options: .init())
        for name in ["ssh", "host"] {
            var delta = PolicyDelta()
            delta[PolicyReference(kind: "CiliumClusterwideNetworkPolicy", namespace: "", name: name)] = nil
            if name == "host" {
                try lockout.check(delta)
            } else {
                #expect(throws: AgentError.self) { try lockout.check(delta) }
            }
        }
    }

    /// A policy of Calico's without flows that selects hosts.
    private func withoutFlows(_ rules: String) -> String {
        """
        apiVersion: projectcalico.org/v3
        kind: GlobalNetworkPolicy
        metadata: {name: raw}
        spec: {selector: global(), doNotTrack: true, applyOnForward: true, \(rules)}

        """
    }

    /// Whether the change from some policies to others closes SSH.
    private func isRefused(_ policies: String, over old: String? = nil) throws -> Bool {
        func read(_ text: String) throws -> [Policy] {
            let result = PolicyReader().read(text, file: "host.yaml")
            #expect(result.diagnostics.filter { $0.severity == .error }.map(\.description) == [])
            return result.policies
        }
        var host = AgentConfiguration.HostEndpoint()
        host.isEnabled = true
        host.failsafes = []
        let inForce = Dictionary(try old.map(read)?.map { ($0.reference, $0) } ?? []) { first, _ in first }
        let lockout = LockoutGuard(host: host, node: "n1", inForce: inForce, options: .init())
        do {
            try lockout.check(PolicyDelta(setting: try read(policies)))
            return false
        } catch {
            return true
        }
    }

    @Test(arguments: ["", ", destination: {ports: [\"1024:65535\"]}", ", destination: {ports: [\"32768:60999\"]}"])
    func `a policy without flows that would cut SSH's answers is refused`(ports: String) throws {
        let rules = "egress: [{action: Deny, protocol: TCP\(ports)}]"
        #expect(try isRefused(withoutFlows(rules)))
        #expect(try !isRefused(withoutFlows(rules.replacing("Deny", with: "Allow"))))
        #expect(try isRefused(withoutFlows("ingress: [{action: Deny, protocol: TCP, destination: {ports: [22]}}]")))
        #expect(try !isRefused(withoutFlows("egress: [{action: Deny, protocol: UDP}]")))
    }

    @Test func `where only policies without flows let SSH in, they must let its answers out`() throws {
        let into = "ingress: [{action: Allow, protocol: TCP}]"
        let both = into + ", egress: [{action: Allow, protocol: TCP}]"
        #expect(try isRefused(close, over: withoutFlows(into)))
        #expect(try !isRefused(close, over: withoutFlows(both)))
        #expect(try isRefused(withoutFlows(into), over: close + "\n---\n" + withoutFlows(both)))
        // An answer is judged like what it answers.
        let ssh = "ingress: [{fromEntities: [all], toPorts: [{ports: [{port: '22'}]}]}]"
        let open = close.replacing("ingress: [{fromEntities: [cluster]}]", with: ssh)
        #expect(try !isRefused(open, over: withoutFlows(into)))
    }

    @Test func `with SSH among the failsafe ports, or no host endpoint, nothing can happen`() throws {
        try check(AgentConfiguration.HostEndpoint.defaultFailsafes)
        try check([], isEnabled: false)
    }
}
