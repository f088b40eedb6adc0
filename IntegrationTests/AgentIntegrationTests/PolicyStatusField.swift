// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import FoundationEssentials
import Glibc
import TestBed

/// A cluster in which policies are told how they fare: a node, and a controller beside it.
struct PolicyStatusField {
    struct Condition: Decodable {
        var type: String
        var status: String
        var reason: String?
        var message: String?
    }

    struct Event: Decodable {
        struct Object: Decodable {
            var kind: String?
            var name: String?
            var uid: String?
        }

        struct Series: Decodable { var count: Int }

        var reason: String
        var note: String?
        var regarding: Object?
        var series: Series?
    }

    private struct Policy: Decodable {
        struct Status: Decodable { var conditions: [Condition]? }

        var status: Status?
    }

    private struct List<Item: Decodable>: Decodable { var items: [Item] }

    static let cilium = "/apis/cilium.io/v2/namespaces/shop/ciliumnetworkpolicies"
    static let reports = "/apis/bulkhead.dev/v1alpha1/nodepolicyreports"
    private static let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

    let field: KubernetesField

    init(_ bed: TestBed, settings: String = "") async throws {
        field = try await KubernetesField(bed, settings: settings)
        try await field.put("namespaces/bulkhead-system", "{}")
        try await field.put("nodes/n1", #"{"metadata":{"uid":"node-n1"}}"#)
        try await define("nodepolicyreports.bulkhead.dev", "NodePolicyReport", scope: "Cluster")
        try await define("ciliumnetworkpolicies.cilium.io", "CiliumNetworkPolicy", hasStatus: true)
    }

    /// Around a field that is there, without the kinds.
    init(_ field: KubernetesField) { self.field = field }

    /// Installs a kind.
    func define(_ name: String, _ kind: String, scope: String = "Namespaced", hasStatus: Bool = false) async throws {
        let parts = name.split(separator: ".", maxSplits: 1)
        let version = parts[1] == "cilium.io" ? "v2" : "v1alpha1"
        let status = hasStatus ? #","subresources":{"status":{}}"# : ""
        try await field.put(
            "\(Self.definitions)/\(name)",
            """
            {"spec":{"group":"\(parts[1])","scope":"\(scope)","names":{"plural":"\(parts[0])","kind":"\(kind)"},
             "versions":[{"name":"\(version)","served":true,"storage":true\(status)}]}}
            """)
    }

    func controller(_ name: String = "one") throws -> SpawnedProcess {
        let folder = field.bed.path(name)
        try makeDirectory(folder)
        try writeFile(
            "\(folder)/agent.yaml",
            "kubernetes: {kubeconfig: \(field.kubeconfig)}\nrunDirectory: \(folder)\n")
        return try field.host.namespace.start([
            TestAgent.product("bulkhead-agent"), "controller", "--config", "\(folder)/agent.yaml", "--identity", name,
            "--no-slices",
        ])
    }

    func controllerStatus(_ name: String = "one") async throws -> String {
        try await field.host.namespace.run([
            TestAgent.product("bulkhead-agent"), "controller", "--probe", "--config",
            "\(field.bed.path(name))/agent.yaml",
        ]).output
    }

    /// A policy of Cilium's dialect that lets in whom `rule` says.
    func put(_ name: String, _ rule: String) async throws {
        try await field.put(
            "\(Self.cilium)/\(name)",
            #"{"spec":{"endpointSelector":{"matchLabels":{"app":"server"}},"ingress":[{\#(rule)}]}}"#)
    }

    func conditions(_ name: String) async throws -> [Condition] {
        guard let text = try await field.get("\(Self.cilium)/\(name)") else { return [] }
        return try JSONDecoder().decode(Policy.self, from: Data(text.utf8)).status?.conditions ?? []
    }

    func events(_ reason: String, namespace: String = "shop") async throws -> [Event] {
        let text = try await field.get("/apis/events.k8s.io/v1/namespaces/\(namespace)/events") ?? #"{"items":[]}"#
        return try JSONDecoder().decode(List<Event>.self, from: Data(text.utf8)).items.filter { $0.reason == reason }
    }

    /// Waits until a condition of a policy is as it should be, and says so in these words.
    func await(
        _ type: String, _ status: String, of name: String, _ words: String = "", within limit: Duration = .seconds(60)
    ) async throws {
        var last: [Condition] = []
        do {
            try await eventually("\(name) is \(type)=\(status): \(words)", within: limit) {
                last = try await conditions(name)
                return last.contains {
                    $0.type == "bulkhead.dev/\(type)" && $0.status == status && ($0.message ?? "").contains(words)
                }
            }
        } catch { throw TestBedError("\(error); told: \(last)") }
    }

    /// Another node tells what this one does.
    func copyReport(to node: String) async throws {
        guard let text = try await field.get("\(Self.reports)/n1"), let begin = text.firstRange(of: #""status":"#)
        else {
            throw TestBedError("n1 has told nothing")
        }
        try await field.put("\(Self.reports)/\(node)", "{\(text[begin.lowerBound...])")
    }

    func end(_ process: SpawnedProcess) async throws {
        kill(process.pid, SIGTERM)
        let status = try await process.waitForExit(within: .seconds(20))
        guard status == 0 else { throw TestBedError("a process ended with \(status ?? -1)") }
    }
}
