// SPDX-License-Identifier: Apache-2.0

package import IdentityModel

/// Labels and names of ports that a document gives endpoints besides those that they have themselves.
package struct EndpointGrant: Hashable, Sendable {
    /// Who gets them.
    package enum Recipient: Hashable, Sendable {
        /// The host of this name. `device`: its only device that is judged; nil: whichever are.
        case node(String, device: String?)
        /// Whom labels select, those of earlier grants among them.
        case selected(SubjectSelector)
    }

    package var recipient: Recipient
    package var labels: [Label]
    package var ports: NamedPorts

    package init(recipient: Recipient, labels: [Label], ports: NamedPorts = NamedPorts()) {
        self.recipient = recipient
        self.labels = labels
        self.ports = ports
    }
}

/// Everything that documents in force give endpoints.
///
/// A pure function of the policies: what gives is asked in the order of its references, and who has a key, from whatever
/// source, keeps its value. Grants that are for one namespace are kept apart from the others, so that an endpoint and a
/// change of a document look at few.
package struct EndpointGrants: Hashable, Sendable {
    /// What one document gives, in the order in which it says so.
    private struct Entry: Hashable, Sendable {
        var reference: PolicyReference
        var grants: [EndpointGrant]
    }

    /// Whom a grant may be for.
    fileprivate enum Place: Hashable, Sendable {
        case hosts
        case namespace(String)
        case anywhere
    }

    /// In the order of the references.
    private var entries: [Place: [Entry]] = [:]
    /// The host's name.
    private let node: String

    /// What an endpoint has altogether.
    package struct Belongings: Hashable, Sendable {
        package var labels: LabelSet
        package var ports: NamedPorts
    }

    /// Who may be given something else after a change.
    package struct Reach: Hashable, Sendable {
        fileprivate var places: Set<Place> = []

        package init() {}

        fileprivate init(_ places: Set<Place>) { self.places = places }

        package var isEmpty: Bool { places.isEmpty }

        package mutating func formUnion(_ other: Reach) { places.formUnion(other.places) }

        /// False only if the endpoint is given what it was given before; `labels`: its own, or those with what it is given.
        package func includes(labels: LabelSet, isHost: Bool) -> Bool {
            if isHost { return places.contains(.hosts) }
            // Who has no namespace of its own may be given one.
            guard let namespace = labels.namespace else { return places.contains { $0 != .hosts } }
            return places.contains(.anywhere) || places.contains(.namespace(namespace))
        }
    }

    package init(of policies: some Sequence<Policy>, node: String) {
        self.node = node
        for policy in policies where !policy.grants.isEmpty { set(policy.grants, of: policy.reference) }
    }

    package var isEmpty: Bool { entries.isEmpty }

    /// A document gives something else than it did; returns for whom that may make a difference.
    package mutating func replace(_ old: [EndpointGrant], by new: [EndpointGrant], of reference: PolicyReference)
        -> Reach
    {
        let places = Set((old + new).flatMap(\.recipient.places))
        for place in places {
            entries[place]?.removeAll { $0.reference == reference }
            if entries[place]?.isEmpty ?? false { entries[place] = nil }
        }
        set(new, of: reference)
        return Reach(places)
    }

    private mutating func set(_ grants: [EndpointGrant], of reference: PolicyReference) {
        for place in Set(grants.flatMap(\.recipient.places)) {
            let entry = Entry(reference: reference, grants: grants.filter { $0.recipient.places.contains(place) })
            let index = entries[place]?.firstIndex { reference < $0.reference }
            entries[place, default: []].insert(entry, at: index ?? entries[place]?.count ?? 0)
        }
    }

    /// What may be for an endpoint, in order.
    private func grants(labels: LabelSet, isHost: Bool) -> [EndpointGrant] {
        if isHost { return (entries[.hosts] ?? []).flatMap(\.grants) }
        let anywhere = entries[.anywhere] ?? []
        guard !anywhere.isEmpty else {
            return labels.namespace.flatMap { entries[.namespace($0)] }?.flatMap(\.grants) ?? []
        }
        // It may be given its namespace as well.
        let others = entries.filter { place, _ in place != .hosts && place != .anywhere }.values.joined()
        var sorted: [PolicyReference: [EndpointGrant]] = [:]
        for entry in Array(others) + anywhere {
            let known = sorted[entry.reference] ?? []
            sorted[entry.reference] = known + entry.grants.filter { !known.contains($0) }
        }
        return sorted.sorted { $0.key < $1.key }.flatMap(\.value)
    }

    /// What an endpoint has with what it is given.
    package func applied(labels: LabelSet, ports: NamedPorts = NamedPorts(), isHost: Bool) -> Belongings {
        var result = Belongings(labels: labels, ports: ports)
        guard !isEmpty else { return result }
        for grant in grants(labels: labels, isHost: isHost) where isMeant(grant.recipient, result.labels, isHost) {
            let added = grant.labels.filter { !result.labels.has(source: LabelSource.any, key: $0.key) }
            if !added.isEmpty { result.labels = LabelSet(result.labels.labels + added) }
            result.ports = result.ports.union(
                NamedPorts(grant.ports.numbers.filter { result.ports.numbers[$0.key] == nil }))
        }
        return result
    }

    private func isMeant(_ recipient: EndpointGrant.Recipient, _ labels: LabelSet, _ isHost: Bool) -> Bool {
        switch recipient {
        case .node(let name, _): isHost && name == node
        case .selected(.hosts(let selector)): isHost && selector.matches(labels)
        case .selected(.endpoints(let selector)): !isHost && selector.matches(labels)
        case .selected(.stage): false
        }
    }
}

extension EndpointGrant.Recipient {
    /// All that a recipient may be in.
    fileprivate var places: [EndpointGrants.Place] {
        guard case .selected(.endpoints(let selector)) = self else { return [.hosts] }
        for requirement in selector.requirements
        where requirement.source == LabelSource.kubernetes && requirement.key == WellKnownLabel.namespace {
            if case .isIn(let namespaces) = requirement.operation { return namespaces.map { .namespace($0) } }
        }
        return [.anywhere]
    }
}

/// How a host has a profile of Calico: by a label that no selector can name.
package enum CalicoProfile {
    /// Allows everything, and is there without a document.
    package static let allowAll = "projectcalico-default-allow"
    private static let source = "calico"
    private static let prefix = "profile:"

    package static func marker(_ name: String) -> Label { Label(source: source, key: prefix + name) }

    /// The profile that a label stands for; nil if it is another label.
    static func name(of label: Label) -> String? {
        label.source == source && label.key.hasPrefix(prefix) ? String(label.key.dropFirst(prefix.count)) : nil
    }
}

extension Policy {
    /// Profiles that the document gives a host, but for the one that is there by itself.
    package var profiles: Set<String> {
        Set(grants.flatMap(\.labels).compactMap(CalicoProfile.name(of:))).subtracting([CalicoProfile.allowAll])
    }

    /// The profile that the document defines; nil: it defines none.
    package var definedProfile: String? { reference.kind == "Profile" ? reference.name : nil }

    /// True if it gives endpoints something.
    package var grantsLabels: Bool { !grants.isEmpty }

    /// The device that a document about the host of this name is about; nil: it is about no host, another one, or all
    /// devices of this one.
    package func device(onNode node: String) -> String? {
        for grant in grants {
            if case .node(node, let device?) = grant.recipient { return device }
        }
        return nil
    }

    /// The hosts that documents are about by name.
    package var nodes: Set<String> {
        Set(grants.compactMap { if case .node(let name, _) = $0.recipient { name } else { nil } })
    }

    /// True if it is about the host of this name.
    package func isAbout(node: String) -> Bool {
        grants.contains { grant in
            if case .node(node, _) = grant.recipient { true } else { false }
        }
    }
}
