// SPDX-License-Identifier: Apache-2.0

import PolicyReading

/// What must hold of all objects of an overlay together; each rule returns what is wrong, in one line each.
enum ManifestRules {
    /// Names that nothing in the overlay has.
    static func danglingReferences(_ manifests: [Manifest]) -> [String] {
        var findings: [String] = []
        func require(_ kind: String, _ name: String?, in namespace: String, for user: Manifest) {
            guard let name else { return }
            let isThere = manifests.contains { $0.kind == kind && $0.name == name && $0.namespace == namespace }
            if !isThere { findings.append("\(user.title): no \(kind)/\(name)") }
        }
        for manifest in manifests {
            if !manifest.namespace.isEmpty {
                require("Namespace", manifest.namespace, in: "", for: manifest)
            }
            if let spec = manifest.podSpec {
                require("ServiceAccount", spec["serviceAccountName"]?.text, in: manifest.namespace, for: manifest)
                for volume in spec["volumes"]?.items ?? [] {
                    require("ConfigMap", volume["configMap"]?["name"]?.text, in: manifest.namespace, for: manifest)
                }
                findings += danglingMounts(spec).map { "\(manifest.title): \($0)" }
            }
            if let role = manifest.node["roleRef"] {
                let kind = role["kind"]?.text ?? ""
                let namespace = kind == "ClusterRole" ? "" : manifest.namespace
                require(kind, role["name"]?.text, in: namespace, for: manifest)
                for subject in manifest.node["subjects"]?.items ?? [] {
                    require(
                        subject["kind"]?.text ?? "", subject["name"]?.text, in: subject["namespace"]?.text ?? "",
                        for: manifest)
                }
            }
        }
        return findings
    }

    /// Selectors of workloads that do not fit their own pods.
    static func strangers(_ manifests: [Manifest]) -> [String] {
        manifests.filter { $0.podSpec != nil }.flatMap { manifest in
            let selector = manifest.node["spec"]?["selector"]?["matchLabels"]
            let labels = manifest.node["spec"]?["template"]?["metadata"]?["labels"]
            let keys = selector?.keys ?? []
            guard !keys.isEmpty else { return ["\(manifest.title): no selector"] }
            return keys.filter { selector?[$0]?.text != labels?[$0]?.text }
                .map { "\(manifest.title): its pods lack the label \($0) of its selector" }
        }
    }

    /// Rights beyond those that the agent needs anywhere.
    static func excessiveRights(_ manifests: [Manifest], capabilities: Set<String>) -> [String] {
        manifests.flatMap { manifest -> [String] in
            containers(manifest).flatMap { container -> [String] in
                let place = "\(manifest.title) \(container["name"]?.text ?? "")"
                guard let context = container["securityContext"] else { return ["\(place): no securityContext"] }
                var findings: [String] = []
                if context["privileged"]?.isTrue == true { findings.append("\(place): privileged") }
                if context["readOnlyRootFilesystem"]?.isTrue != true { findings.append("\(place): writable root") }
                if context["capabilities"]?["drop"]?.texts != ["ALL"] {
                    findings.append("\(place): does not drop ALL capabilities")
                }
                let added = Set(context["capabilities"]?["add"]?.texts ?? [])
                findings += added.subtracting(capabilities).sorted().map { "\(place): capability \($0)" }
                return findings
            }
        }
    }

    static func containers(_ manifest: Manifest) -> [ConfigurationNode] {
        let spec = manifest.podSpec
        return (spec?["initContainers"]?.items ?? []) + (spec?["containers"]?.items ?? [])
    }

    private static func danglingMounts(_ spec: ConfigurationNode) -> [String] {
        let volumes = Set((spec["volumes"]?.items ?? []).compactMap { $0["name"]?.text })
        let containers = (spec["initContainers"]?.items ?? []) + (spec["containers"]?.items ?? [])
        let mounts = containers.flatMap { $0["volumeMounts"]?.items ?? [] }.compactMap { $0["name"]?.text }
        return Set(mounts).subtracting(volumes).sorted().map { "no volume \($0)" }
            + volumes.subtracting(mounts).sorted().map { "nobody mounts volume \($0)" }
    }
}
