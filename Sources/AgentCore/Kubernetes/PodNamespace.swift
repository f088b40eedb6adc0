// SPDX-License-Identifier: Apache-2.0

import ContainerRuntimes
import IdentityModel

/// A namespace as it is told, and its pods.
struct PodNamespace: Sendable {
    /// What pods of one template are to others.
    private struct Kind: Sendable {
        /// The one that all of them share.
        let template: PodTemplate
        /// Nil: the namespace is not known.
        var labels: LabelSet?
        var pods = 0
    }

    private let filter: LabelFilter
    /// Nil: nobody described it yet.
    private(set) var labels: [String: String]?
    /// By name.
    private(set) var pods: [String: PodFacts] = [:]
    private var kinds: [PodTemplate: Kind] = [:]
    /// What all its pods have from it.
    private var given: [Label] = []

    init(filter: LabelFilter) { self.filter = filter }

    /// True if nobody described it, and nobody is in it.
    var isNobody: Bool { labels == nil && pods.isEmpty }

    /// Takes over a pod; nil: it is gone.
    mutating func set(_ name: String, _ pod: PodFacts?) {
        var pod = pod
        if let template = pod?.template { pod?.template = use(template) }
        if let former = pods[name]?.template { release(former) }
        pods[name] = pod
    }

    /// Takes over its labels; nil: it is not known any more.
    mutating func describe(_ name: String, _ labels: [String: String]?) {
        self.labels = labels
        given = (labels ?? [:]).filter { $0.key != WellKnownLabel.namespaceName }.map { key, value in
            Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespaceLabelPrefix + key, value: value)
        }
        given.append(Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: name))
        for template in kinds.keys {
            let labels = identityLabels(of: template)
            kinds[template]?.labels = labels
        }
    }

    /// What the identity of a template's pods is made from; nil: the namespace is not known.
    func labels(of template: PodTemplate) -> LabelSet? { kinds[template]?.labels }

    private mutating func use(_ template: PodTemplate) -> PodTemplate {
        var kind = kinds[template] ?? Kind(template: template, labels: identityLabels(of: template))
        kind.pods += 1
        kinds[kind.template] = kind
        return kind.template
    }

    private mutating func release(_ template: PodTemplate) {
        guard let pods = kinds[template]?.pods else { return }
        if pods > 1 { kinds[template]?.pods = pods - 1 } else { kinds[template] = nil }
    }

    private func identityLabels(of template: PodTemplate) -> LabelSet? {
        guard labels != nil else { return nil }
        var all = template.labels + given
        if !template.serviceAccount.isEmpty {
            let key = WellKnownLabel.serviceAccount
            all.append(Label(source: LabelSource.kubernetes, key: key, value: template.serviceAccount))
        }
        return filter.identityLabels(of: all)
    }
}

extension PodTemplate {
    /// Its ports as the sources of this node's workloads tell theirs.
    var listedPorts: [ContainerRuntimes.NamedPort] {
        namedPorts.numbers.flatMap { port, numbers in
            numbers.map { ContainerRuntimes.NamedPort(name: port.name, port: $0, transport: port.proto) }
        }.sorted { ($0.name, $0.port) < ($1.name, $1.port) }
    }
}
