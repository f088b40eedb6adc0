// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import IdentityModel
import KernelDatapath
import NetworkModel
import Testing

@testable import AgentCore
@testable import LinuxHost

@Suite struct ExplainTests {
    private let scratch: Scratch
    private let state: AgentState

    /// `web` and `db` with addresses of both families, `old` with IPv4 and `new` with IPv6 alone; who may reach `db` on
    /// tcp/80: the IPv4 addresses but one.
    init() async throws {
        scratch = try Scratch()
        state = try await AgentState.adopted(in: scratch.path)
        let workloads = [
            try Self.workload("web", 2, ["10.0.0.2", "10.0.0.9", "fd00::2", "fe80::2"]),
            try Self.workload("db", 3, ["10.0.0.3", "fd00::3", "fe80::3"]),
            try Self.workload("old", 4, ["10.0.0.4"]), try Self.workload("new", 5, ["fd00::5", "fe80::5"]),
        ]
        await state.update(source: "test", workloads: workloads, state: "ok", location: "")
        let policy = """
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata: {name: db, namespace: shop}
            spec:
              podSelector: {matchLabels: {app: db}}
              ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.9/32]}}], ports: [{port: 80}]}]
            """
        _ = try await state.applyPolicies(
            PolicyDocument(name: "db.yaml", text: Array(policy.utf8)), options: ChangeOptions())
    }

    private static func workload(_ name: String, _ interface: UInt32, _ addresses: [String]) throws -> Workload {
        Workload(
            key: "test:\(name)", name: name, source: "test",
            labels: LabelSet([
                Label(source: LabelSource.kubernetes, key: "app", value: name),
                Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: "shop"),
            ]), addresses: Set(try addresses.map { try #require(IPAddress($0)) }),
            interfaces: [.init(name: "veth\(interface)", index: interface)])
    }

    @Test func `a service is the host with more labels, and the host to others`() async throws {
        let datapath = InMemoryDatapath()
        let state = try await AgentState.adopted(in: "\(scratch.path)/service", datapath, awaiting: ["host"]) {
            $0.hostEndpoint.isEnabled = true
        }
        let reserved = Label(source: LabelSource.reserved, key: "host")
        let host = Workload(
            key: "host", name: "host", source: "host", labels: LabelSet([reserved]),
            addresses: [try #require(IPAddress("192.0.2.1"))], interfaces: [.init(name: "eth0", index: 2)],
            options: [.host])
        var service = Workload(
            key: "service:user:web", name: "web", source: "service",
            labels: LabelSet([reserved, Label(source: LabelSource.process, key: "user", value: "web")]), addresses: [],
            interfaces: [], options: [.host])
        service.sockets = ServiceSockets(users: [33])
        let shop = try Self.workload("shop", 5, ["192.0.2.9"])
        await state.update(source: "host", workloads: [host, service, shop], state: "ok", location: "")
        #expect(datapath.withContent { $0.services }.map(\.users) == [[33]])
        #expect(try await state.endpoint("web").condition == .enforced)
        func hooks() async throws -> [String] {
            try await state.status().kernel.attachments.filter { $0.interfaceIndex == 0 }.map {
                "\($0.program) \($0.hook) \($0.endpoint)"
            }
        }
        #expect(try await hooks() == ["cgroup_egress cgroup 1 service", "cgroup_ingress cgroup 1 service"])
        datapath.withContent { $0.servicePrograms[1].isAttached = false }
        #expect(try await hooks() == ["cgroup_egress cgroup 1 service", "cgroup_ingress missing 1 service"])
        await state.retryServices()
        #expect(try await hooks() == ["cgroup_egress cgroup 1 service", "cgroup_ingress cgroup 1 service"])
        let policies = """
            apiVersion: cilium.io/v2
            kind: CiliumClusterwideNetworkPolicy
            metadata: {name: web}
            spec: {nodeSelector: {matchLabels: {"process:user": web}}, egress: [{toEntities: [host]}]}
            ---
            apiVersion: cilium.io/v2
            kind: CiliumClusterwideNetworkPolicy
            metadata: {name: shop}
            spec:
              endpointSelector: {matchLabels: {app: shop}}
              ingressDeny: [{fromEndpoints: [{matchLabels: {"process:user": web}}]}]
              enableDefaultDeny: {ingress: false}
            """
        _ = try await state.applyPolicies(
            PolicyDocument(name: "web.yaml", text: Array(policies.utf8)), options: ChangeOptions())
        func verdict(_ from: String, _ to: String) async throws -> String {
            try await state.explain(ExplainRequest(from: from, to: to, port: 80, protocol: "tcp")).verdict
        }
        #expect(try await verdict("web", "198.51.100.7") == "deny")
        #expect(try await verdict("web", "shop") == "deny")
        #expect(try await verdict("web", "host") == "allow")
        #expect(try await verdict("host", "198.51.100.7") == "allow")
        #expect(try await verdict("host", "shop") == "allow")
        let steps = try await state.explain(
            ExplainRequest(from: "web", to: "shop", port: 80, protocol: "tcp")
        ).steps
        #expect(!steps.contains { $0.cause.contains("ingressDeny") }, "to the shop it is the host")
    }

    @Test func `failsafe ports of the host pass whatever the policies say`() async throws {
        let state = try await AgentState.adopted(in: "\(scratch.path)/host", awaiting: ["host"]) {
            $0.hostEndpoint.isEnabled = true
            $0.hostEndpoint.failsafes = [
                FailsafePort(port: 22, proto: .tcp, direction: .ingress),
                FailsafePort(port: 53, proto: .udp, direction: .egress),
            ]
        }
        let host = Workload(
            key: "host", name: "host", source: "host",
            labels: LabelSet([Label(source: LabelSource.reserved, key: "host")]),
            addresses: [try #require(IPAddress("192.0.2.1"))], interfaces: [.init(name: "eth0", index: 2)],
            options: [.host])
        await state.update(source: "host", workloads: [host], state: "ok", location: "")
        let policy = """
            apiVersion: cilium.io/v2
            kind: CiliumClusterwideNetworkPolicy
            metadata: {name: closed}
            spec: {nodeSelector: {}, ingress: [{}], egress: [{}], ingressDeny: [{fromEntities: [all]}], egressDeny: [{toEntities: [all]}]}
            """
        _ = try await state.applyPolicies(
            PolicyDocument(name: "closed.yaml", text: Array(policy.utf8)), options: ChangeOptions(isForced: true))
        func verdict(_ from: String, _ to: String, _ port: UInt16, _ proto: String) async throws -> String {
            let report = try await state.explain(ExplainRequest(from: from, to: to, port: port, protocol: proto))
            return "\(report.verdict) \(report.steps.map(\.cause).filter { $0 == "failsafe" }.count)"
        }
        #expect(try await verdict("198.51.100.7", "host", 22, "tcp") == "allow 1")
        #expect(try await verdict("198.51.100.7", "host", 22, "udp") == "deny 0")
        #expect(try await verdict("198.51.100.7", "host", 23, "tcp") == "deny 0")
        // A workload's packets to the host cross its device eth0 only if the workload is on it.
        let web = try Self.workload("web", 5, ["192.0.2.9"])
        await state.update(source: "host", workloads: [host, web], state: "ok", location: "")
        let links = [
            NetworkLink(index: 2, name: "eth0"), NetworkLink(index: 5, name: "veth5", kind: "veth", master: 7),
        ]
        await state.update(network: HostNetwork(NetworkSnapshot(links: links)))
        #expect(try await verdict("web", "host", 23, "tcp") == "allow 0")
        #expect(try await verdict("host", "web", 23, "tcp") == "allow 0")
        let bridged = [links[0], NetworkLink(index: 5, name: "veth5", kind: "veth", master: 2)]
        await state.update(network: HostNetwork(NetworkSnapshot(links: bridged)))
        #expect(try await verdict("web", "host", 23, "tcp") == "deny 0")
        #expect(try await verdict("host", "198.51.100.7", 53, "udp") == "allow 1")
        #expect(try await verdict("host", "198.51.100.7", 22, "tcp") == "deny 0")
    }

    private func explain(
        _ from: String, _ to: String = "db", protocol name: String = "tcp", family: Int? = nil
    ) async throws -> ExplainReport {
        try await state.explain(ExplainRequest(from: from, to: to, port: 80, protocol: name, family: family))
    }

    private func refusal(_ from: String, _ to: String = "db", protocol name: String = "tcp", family: Int? = nil) async
        -> String
    {
        do {
            return "not refused: \(try await explain(from, to, protocol: name, family: family))"
        } catch {
            return (error as? APIError)?.message ?? "\(error)"
        }
    }

    @Test func `IPv4 comes first, and what is judged otherwise at another address is shown too`() async throws {
        let report = try await explain("web")
        #expect(report.verdict == "allow" && report.from.address == "10.0.0.2" && report.to.address == "10.0.0.3")
        #expect(report.agreeing == 0)
        #expect(
            report.differing.map { "\($0.verdict) \($0.fromAddress ?? "") \($0.toAddress ?? "")" } == [
                "deny 10.0.0.9 10.0.0.3", "deny fd00::2 fd00::3",
            ])
        #expect(report.differing.allSatisfy { $0.steps.last?.reason == "policy-default-deny" })
    }

    @Test func `one family alone is judged when asked for`() async throws {
        let six = try await explain("web", family: 6)
        #expect(six.verdict == "deny" && six.from.address == "fd00::2" && six.differing.isEmpty && six.agreeing == 0)
        let four = try await explain("web", family: 4)
        #expect(four.verdict == "allow" && four.differing.count == 1)
        #expect(try await explain("world", family: 6).to.address == "fd00::3")
    }

    @Test func `an address is judged as it is, towards its own family`() async throws {
        #expect(try await explain("10.0.0.9").verdict == "deny")
        #expect(try await explain("10.0.0.2").verdict == "allow")
        let six = try await explain("fd00::2")
        #expect(six.verdict == "deny" && six.to.address == "fd00::3" && six.from.endpoint == "web")
        // Towards itself: each address to the same address.
        let own = try await explain("web", "web")
        #expect(own.verdict == "allow" && own.agreeing == 2 && own.steps.last?.cause == "self")
    }

    @Test func `a port is asked for by the name that the destination gives it`() async throws {
        var named = try Self.workload("named", 6, ["10.0.0.6"])
        named.namedPorts = NamedPorts([
            NamedPort(proto: .tcp, name: "http"): [80], NamedPort(proto: .udp, name: "dns"): [53],
            NamedPort(proto: .tcp, name: "two"): [81, 82],
        ])
        await state.update(
            source: "test",
            workloads: [try Self.workload("web", 2, ["10.0.0.2"]), try Self.workload("db", 3, ["10.0.0.3"]), named],
            state: "ok", location: "")
        func ask(_ to: String, _ name: String, _ proto: String = "tcp", port: UInt16? = nil) async -> String {
            do {
                let request = ExplainRequest(from: "web", to: to, port: port, protocol: proto, portName: name)
                return try await state.explain(request).traffic
            } catch {
                return error.message
            }
        }
        #expect(await ask("named", "http") == "tcp/80")
        #expect(await ask("named", "dns", "udp") == "udp/53")
        #expect(
            await ask("named", "https")
                == "named has no tcp port named \"https\": it has dns (udp), http (tcp), two (tcp)")
        #expect(await ask("db", "http") == "db has no tcp port named \"http\": it names no ports; write the number")
        #expect(await ask("named", "two") == "named has several ports named \"two\": write one of 81, 82")
        #expect(await ask("named", "http", "icmp").contains("has no ports"))
        #expect(await ask("named", "http", port: 80) == "a port is a number or a name, not both")
    }

    @Test func `no packet travels between IPv4 and IPv6`() async throws {
        #expect(await refusal("10.0.0.2", "fd00::3").contains("no address family in common"))
        #expect(await refusal("old", "new").contains("no address family in common"))
        #expect(await refusal("old", family: 6) == "old has no IPv6 address")
        #expect(await refusal("fd00::2", protocol: "icmp") == "fd00::2 has no IPv4 address")
        #expect(await refusal("web", protocol: "icmp", family: 6).contains("write icmpv6"))
        #expect(await refusal("web", family: 5) == "no address family 5: 4 or 6")
        #expect(try await explain("web", protocol: "icmpv6").from.address == "fd00::2")
    }

    @Test func `under audit mode what would be denied is an audit`() async throws {
        #expect(try await explain("world").verdict == "deny")
        _ = try await state.setEndpointAudit("db", true)
        let one = try await explain("world")
        #expect(one.verdict == "audit" && one.steps.last?.reason == "policy-default-deny")
        #expect(one.steps.last?.cause == "no ingress rule of NetworkPolicy/shop/db")
        #expect(try await explain("k8s:app=x,k8s:\(WellKnownLabel.namespace)=shop").verdict == "audit")
        _ = try await state.setEndpointAudit("db", false)
        #expect(try await explain("world").verdict == "deny")
        _ = try await state.setAudit(true)
        #expect(try await explain("world").verdict == "audit")
        #expect(try await explain("10.0.0.2").verdict == "allow")
    }
}
