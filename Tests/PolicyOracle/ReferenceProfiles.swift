// SPDX-License-Identifier: Apache-2.0

/// Profiles and host endpoints of Calico: what they give endpoints, and what they say when no tier has decided.
struct ReferenceProfiles {
    static let accountKey = "io.cilium.k8s.policy.serviceaccount"
    private static let allowAll = "projectcalico-default-allow"

    private let profiles: [CaseNode]
    private let hosts: [CaseNode]

    init(_ documents: [CaseNode]) {
        func all(_ kind: String) -> [CaseNode] {
            documents.filter { $0["kind"]?.string == kind }.sorted { Self.name($0) < Self.name($1) }
        }
        (profiles, hosts) = (all("Profile"), all("HostEndpoint"))
    }

    private static func name(_ document: CaseNode) -> String { document["metadata"]?["name"]?.string ?? "" }

    private func hosts(of node: String) -> [CaseNode] { hosts.filter { $0["spec"]?["node"]?.string == node } }

    // MARK: - Who has which

    private func profiles(_ names: [String]) -> [CaseNode] { profiles.filter { names.contains(Self.name($0)) } }

    private func profiles(ofWorkloadIn namespace: String, _ labels: Set<ReferenceParty.Label>) -> [CaseNode] {
        let accounts = labels.filter { $0.key == Self.accountKey }.map(\.value)
        return profiles(["kns.\(namespace)"] + accounts.map { "ksa.\(namespace).\($0)" })
    }

    private func profiles(ofHost node: String) -> [CaseNode] {
        profiles(hosts(of: node).flatMap { $0["spec"]?["profiles"]?.elements ?? [] }.compactMap(\.string))
    }

    // MARK: - What they give

    func labels(ofWorkloadIn namespace: String, _ own: Set<ReferenceParty.Label>) -> Set<ReferenceParty.Label> {
        Self.adding(profiles(ofWorkloadIn: namespace, own).map { $0["spec"]?["labelsToApply"] ?? [:] }, to: own)
    }

    func labels(ofHost node: String, _ own: Set<ReferenceParty.Label>) -> Set<ReferenceParty.Label> {
        let given = hosts(of: node).map { $0["metadata"]?["labels"] ?? [:] }
        return Self.adding(given + profiles(ofHost: node).map { $0["spec"]?["labelsToApply"] ?? [:] }, to: own)
    }

    /// Who has a key keeps it.
    private static func adding(
        _ given: [CaseNode], to own: Set<ReferenceParty.Label>
    ) -> Set<ReferenceParty.Label> {
        var labels = own
        for (key, value) in given.flatMap(\.members) where !labels.contains(where: { $0.key == key }) {
            labels.insert(.init(source: "k8s", key: key, value: value.string ?? ""))
        }
        return labels
    }

    func ports(ofHost node: String) -> Set<ReferenceParty.Port> {
        var ports: Set<ReferenceParty.Port> = []
        for host in hosts(of: node) {
            for port in host["spec"]?["ports"]?.elements ?? [] {
                let (name, proto) = (port["name"]?.string ?? "", port["protocol"]?.string ?? "")
                guard !ports.contains(where: { $0.name == name && $0.proto == proto }) else { continue }
                ports.insert(.init(name: name, proto: proto, number: port["port"]?.integer ?? 0))
            }
        }
        return ports
    }

    // MARK: - What they say

    /// `policies`: those whose word counts; nil: nobody speaks for the endpoint.
    func isDenied(_ question: ReferenceQuestion, by policies: [CaseNode], node: String) -> Bool? {
        let counting = ReferenceProfiles(policies)
        let subject = question.subject
        let own =
            subject.isWorkload
            ? profiles(ofWorkloadIn: subject.namespace, subject.labels) : profiles(ofHost: node)
        let counted = own.filter { mine in counting.profiles.contains { Self.name($0) == Self.name(mine) } }
        for profile in counted {
            for rule in profile["spec"]?[question.direction.rawValue]?.elements ?? []
            where ReferenceCalicoPolicy.matches(rule, question, nil) {
                if rule["action"]?.string == "Allow" { return false }
                if rule["action"]?.string == "Deny" { return true }
            }
        }
        guard subject.isWorkload else {
            let mine = counting.hosts(of: node)
            let all = mine.flatMap { $0["spec"]?["profiles"]?.elements ?? [] }.compactMap(\.string)
            return mine.isEmpty ? nil : !all.contains(Self.allowAll)
        }
        guard counted.contains(where: { Self.name($0) == "kns.\(subject.namespace)" }) else { return nil }
        // The host reaches its workloads.
        return !(question.direction == .ingress && question.peer.kind == .host)
    }
}
