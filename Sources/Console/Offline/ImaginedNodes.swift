// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyCompiler
import PolicyModel

/// Nodes to compile for where rules select nodes that no document describes.
enum ImaginedNodes {
    /// One for each selector of nodes that no Node document of any state fits, with an address that no rule names.
    static func all(for states: [[Policy]]) -> [Policy] {
        let policies = states.flatMap(\.self)
        let described = policies.compactMap(\.prefixGroup?.labels)
        let selectors = Set(policies.flatMap(\.rules).flatMap(\.nodeSelectors))
        let fitting = selectors.filter { selector in !described.contains(where: selector.matches) }
            .compactMap { $0.fittingLabels() }
        let found = Set(fitting).sorted { $0.description < $1.description }
        let addresses = addresses(found.count, outside: policies.flatMap(\.prefixes).map(\.prefix))
        return zip(found, addresses).map { labels, address in
            let reference = PolicyReference(kind: "Node", namespace: "", name: name(labels))
            var node = Policy(reference: reference, source: .nowhere, rules: [], defaultDeny: [])
            node.prefixGroup = PrefixGroup(labels: labels, prefixes: [CIDR(host: address)], includesWorkloads: true)
            return node
        }
    }

    /// Imagined nodes as somebody to judge.
    static func parties(_ nodes: [Policy]) -> [VerdictComparison.Party] {
        nodes.compactMap { node in
            guard let address = node.prefixGroup?.prefixes.first?.address else { return nil }
            return .init(name: node.reference.name, side: .world(address))
        }
    }

    /// `node k8s:role=edge`, as a Node document writes the label; `node` if any will do.
    private static func name(_ labels: LabelSet) -> String {
        let own = labels.labels.filter { !$0.value.isEmpty || !$0.key.hasSuffix("node.name") }
            .map { Label(source: LabelSource.kubernetes, key: $0.key, value: $0.value) }
        return own.isEmpty ? "node" : "node \(LabelSet(own))"
    }

    /// Of the block that nobody has (RFC 1112, section 4).
    private static func addresses(_ count: Int, outside prefixes: [CIDR]) -> [IPAddress] {
        let narrow = prefixes.filter { $0.length > 4 }
        let all = (1...65535).lazy.compactMap { IPAddress("240.0.\($0 >> 8).\($0 & 255)") }
        return Array(all.filter { address in !narrow.contains { $0.contains(address) } }.prefix(count))
    }
}

extension PolicyRule {
    /// By which the rule finds nodes that documents describe.
    fileprivate var nodeSelectors: [LabelSelector] {
        guard case .some(let selectors) = peers else { return [] }
        return selectors.compactMap(\.nodes)
    }
}

extension PeerSelector {
    fileprivate var nodes: LabelSelector? {
        switch self {
        case .group(let selector):
            selector.requirements.contains { $0.source == LabelSource.node } ? selector : nil
        case .narrowed(let selector, _): selector.nodes
        case .labels, .prefix, .groupNames, .name: nil
        }
    }
}
