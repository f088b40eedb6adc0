// SPDX-License-Identifier: Apache-2.0

import KubernetesClient
import LinuxHost
import TestBed
import Testing

@testable import AgentCore

/// The overlays of `Deploy/kubernetes`, rendered as users render them.
@Suite struct KubernetesOverlayTests {
    private static let repository = #filePath
        .split(separator: "/").dropLast(3).map { "/\($0)" }.joined()
    private static let overlays = ["audit", "enforce", "large", "single-node"]

    private static func product(_ name: String) -> String {
        let bundle = CommandLine.arguments[0]
        return bundle.lastIndex(of: "/").map { "\(bundle[..<$0])/\(name)" } ?? name
    }

    /// The objects of an overlay.
    private func render(_ overlay: String, _ bed: TestBed) async throws -> [Manifest] {
        let result = try await bed.run([
            "kubectl", "kustomize", "\(Self.repository)/Deploy/kubernetes/overlays/\(overlay)",
        ]).checked()
        return try Manifest.read(result.output)
    }

    /// What the unit of systemd allows the agent: in a container it needs no more.
    private func capabilities() throws -> Set<String> {
        let unit = try readTextFile("\(Self.repository)/Deploy/bulkhead-agent.service")
        let line = try #require(unit.split(separator: "\n").first { $0.hasPrefix("CapabilityBoundingSet=") })
        return Set(line.drop { $0 != "=" }.dropFirst().split(separator: " ").map { String($0.dropFirst(4)) })
    }

    @Test func `every overlay is looked at`() async throws {
        try await withTestBed(subnet: 98) { bed in
            let listed = try await bed.run(["ls", "\(Self.repository)/Deploy/kubernetes/overlays"]).checked().text
            #expect(listed.split(separator: "\n").map(String.init) == Self.overlays)
        }
    }

    @Test(arguments: overlays) func `what an overlay names is there, and nobody has more rights than the unit`(
        overlay: String
    ) async throws {
        try await withTestBed(subnet: 98) { bed in
            let manifests = try await render(overlay, bed)
            #expect(manifests.count >= 6)
            #expect(Set(manifests.map { "\($0.namespace)/\($0.title)" }).count == manifests.count)
            #expect(ManifestRules.danglingReferences(manifests) == [])
            #expect(ManifestRules.strangers(manifests) == [])
            #expect(try ManifestRules.excessiveRights(manifests, capabilities: capabilities()) == [])
        }
    }

    @Test(arguments: overlays) func `containers run what the image holds, as this version understands it`(
        overlay: String
    ) async throws {
        try await withTestBed(subnet: 98) { bed in
            let manifests = try await render(overlay, bed)
            let version = try await bed.run([Self.product("bulkhead"), "--version"]).checked().text
            let containers = manifests.flatMap(ManifestRules.containers)
            #expect(!containers.isEmpty)
            for container in containers {
                #expect(container["image"]?.text == "localhost/bulkhead:\(version)")
                let probes = container.keys.filter { $0.hasSuffix("Probe") }
                var commands = probes.map { container[$0]?["exec"]?["command"]?.texts ?? [] }
                if let own = container["command"]?.texts { commands.append(own + (container["args"]?.texts ?? [])) }
                for command in commands { try await tryOut(command, bed) }
                let name = container["name"]?.text ?? ""
                #expect(probes.count == (["agent": 3, "controller": 2][name] ?? 0), "\(name)")
            }
        }
    }

    /// Without an agent, a network and a cluster there is nothing to do; the words must make sense.
    private func tryOut(_ command: [String], _ bed: TestBed) async throws {
        let program = try #require(command.first?.split(separator: "/").last.map(String.init))
        #expect(command.first == "/usr/bin/\(program)")
        let replaced = ["/opt/cni/bin": bed.path("bin"), "/etc/bulkhead/agent.yaml": bed.path("agent.yaml")]
        try writeFile(bed.path("agent.yaml"), "runDirectory: \(bed.path("none"))\nkubernetes: {}\n")
        let words = command.dropFirst().map { replaced[$0] ?? $0 }
        let isolation = words.first == "cni" ? ["--directory", bed.path("net.d")] : []
        let result = try await bed.run(
            [Self.product(program)] + words + isolation, environment: ["BULKHEAD_SOCKET": bed.path("none")])
        // Neither success nor wrong usage.
        let expected: Set<Int32> = program == "bulkhead" ? [3, 4, 5] : [1]
        #expect(expected.contains(result.status), "\(command): \(result.status) \(result.errors)")
    }

    @Test func `only what enforces holds pods up`() async throws {
        try await withTestBed(subnet: 98) { bed in
            for overlay in Self.overlays {
                let agent = try #require(try await render(overlay, bed).first { $0.kind == "DaemonSet" })
                let plugins = agent.podSpec?["initContainers"]?.items.compactMap { $0["args"]?.texts } ?? []
                let expected = ["--plugin-directory", "/opt/cni/bin", "--without-agent", "closed"]
                #expect(plugins == (overlay == "audit" ? [] : [expected]), "\(overlay)")
            }
        }
    }

    @Test(arguments: overlays) func `the agent takes its configuration and its flags`(overlay: String) async throws {
        try await withTestBed(subnet: 98) { bed in
            let manifests = try await render(overlay, bed)
            let agent = try #require(manifests.first { $0.kind == "DaemonSet" })
            let volume = try #require(agent.podSpec?["volumes"]?.items.first { $0["name"]?.text == "config" })
            let name = try #require(volume["configMap"]?["name"]?.text)
            let map = try #require(manifests.first { $0.kind == "ConfigMap" && $0.name == name })
            let text = try #require(map.node["data"]?["agent.yaml"]?.text)
            try writeFile(bed.path("agent.yaml"), text)
            let arguments = try #require(ManifestRules.containers(agent).last?["args"]?.texts)
            #expect(arguments.prefix(2) == ["--config", "/etc/bulkhead/agent.yaml"])
            #expect(arguments.contains("--audit") == (overlay == "audit"))
            let flags = ["--check-config", "--config", bed.path("agent.yaml")] + arguments.dropFirst(2)
            try await bed.run([Self.product("bulkhead-agent")] + flags).checked()
        }
    }

    @Test(arguments: overlays) func `agents may read exactly the kinds that they ask for, and report`(
        overlay: String
    ) async throws {
        try await withTestBed(subnet: 98) { bed in
            let manifests = try await render(overlay, bed)
            var asked: [String: [String]] = [:]
            for kind in [ResourceKind.pods, .namespaces] + ResourceKind.documents {
                for form in [kind, StoredCalico.form(of: kind)].compactMap(\.self) {
                    asked[form.description] = ["list", "watch"]
                }
            }
            asked[ResourceKind.nodes.description, default: []].append("get")
            asked[ResourceKind.nodePolicyReports.description] = ["create", "patch"]
            asked[ResourceKind.events.description] = ["create", "patch"]
            #expect(granted("bulkhead-agent", manifests) == asked)
            let slices = [ResourceKind.workloadSlices.description: ["get", "list", "watch"]]
            #expect(granted("bulkhead-agent-slices", manifests) == (overlay == "large" ? slices : [:]))
        }
    }

    /// What a cluster role allows, by kind.
    private func granted(_ role: String, _ manifests: [Manifest]) -> [String: [String]] {
        let role = manifests.first { $0.kind == "ClusterRole" && $0.name == role }
        var granted: [String: [String]] = [:]
        for rule in role?.node["rules"]?.items ?? [] {
            for group in rule["apiGroups"]?.texts ?? [] {
                for resource in rule["resources"]?.texts ?? [] {
                    granted[group.isEmpty ? resource : "\(resource).\(group)", default: []] +=
                        rule["verbs"]?.texts ?? []
                }
            }
        }
        return granted
    }

    @Test(arguments: overlays) func `the controller writes conditions, slices where there are any, and its lease`(
        overlay: String
    ) async throws {
        try await withTestBed(subnet: 98) { bed in
            let manifests = try await render(overlay, bed)
            var asked = [
                ResourceKind.nodePolicyReports.description: ["list", "watch"],
                ResourceKind.events.description: ["create", "patch"],
            ]
            for kind in ResourceKind.policies {
                for form in [kind, StoredCalico.form(of: kind)].compactMap(\.self) {
                    asked[form.description] = ["list", "watch"]
                }
                if kind.hasConditions { asked["\(kind.plural)/status.\(kind.group)"] = ["patch"] }
            }
            #expect(granted("bulkhead-controller", manifests) == asked)
            let slices = [
                "pods": ["list", "watch"], "namespaces": ["list", "watch"],
                ResourceKind.workloadSlices.description: ["list", "watch", "create", "patch", "delete"],
            ]
            #expect(granted("bulkhead-controller-slices", manifests) == (overlay == "large" ? slices : [:]))
            let role = try #require(manifests.first { $0.kind == "Role" && $0.name == "bulkhead-controller" })
            let rules = role.node["rules"]?.items ?? []
            #expect(rules.map { $0["resources"]?.texts } == [["leases"], ["leases"]])
            #expect(rules.compactMap { $0["resourceNames"]?.texts } == [[ControllerSettings().lease]])
            #expect(role.namespace == ControllerSettings().namespace)
            let controller = try #require(manifests.first { $0.kind == "Deployment" })
            let container = try #require(ManifestRules.containers(controller).first)
            #expect(container["env"]?.items.compactMap { $0["name"]?.text } == ["POD_NAME"])
            #expect(container["args"]?.texts.contains("--no-slices") == (overlay != "large"))
        }
    }
}
