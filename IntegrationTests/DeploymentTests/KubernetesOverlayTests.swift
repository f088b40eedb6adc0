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
    private static let overlays = ["audit", "enforce", "single-node"]

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
                for command in commands {
                    #expect(command.first == "/usr/bin/bulkhead", "\(command)")
                    // Without an agent and a network there is nothing to do; the words must make sense.
                    let words = command.dropFirst().map { $0 == "/opt/cni/bin" ? bed.path("bin") : $0 }
                    let isolation = words.first == "cni" ? ["--directory", bed.path("net.d")] : []
                    let result = try await bed.run(
                        [Self.product("bulkhead")] + words + isolation,
                        environment: ["BULKHEAD_SOCKET": bed.path("none")])
                    #expect([3, 4, 5].contains(result.status), "\(command): \(result.status) \(result.errors)")
                }
                let name = container["name"]?.text
                #expect(probes.count == (name == "agent" ? 3 : 0), "\(name ?? "")")
            }
        }
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

    @Test(arguments: overlays) func `agents may read exactly the kinds that they ask for`(overlay: String) async throws
    {
        try await withTestBed(subnet: 98) { bed in
            let manifests = try await render(overlay, bed)
            let role = try #require(manifests.first { $0.kind == "ClusterRole" && $0.name == "bulkhead-agent" })
            var granted: [String] = []
            for rule in role.node["rules"]?.items ?? [] {
                #expect(rule["verbs"]?.texts == ["list", "watch"])
                for group in rule["apiGroups"]?.texts ?? [] {
                    granted += (rule["resources"]?.texts ?? []).map { group.isEmpty ? $0 : "\($0).\(group)" }
                }
            }
            let asked = [ResourceKind.pods, .namespaces] + ResourceKind.documents
            #expect(granted.sorted() == asked.map(\.description).sorted())
        }
    }
}
