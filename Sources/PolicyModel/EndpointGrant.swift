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
/// source, keeps its value.
package struct EndpointGrants: Hashable, Sendable {
    private let grants: [EndpointGrant]
    /// The host's name.
    private let node: String

    /// What an endpoint has altogether.
    package struct Belongings: Hashable, Sendable {
        package var labels: LabelSet
        package var ports: NamedPorts
    }

    package init(of policies: some Sequence<Policy>, node: String) {
        grants = policies.filter { !$0.grants.isEmpty }.sorted { $0.reference < $1.reference }.flatMap(\.grants)
        self.node = node
    }

    package var isEmpty: Bool { grants.isEmpty }

    /// What an endpoint has with what it is given.
    package func applied(labels: LabelSet, ports: NamedPorts = NamedPorts(), isHost: Bool) -> Belongings {
        var result = Belongings(labels: labels, ports: ports)
        for grant in grants where isMeant(grant.recipient, result.labels, isHost) {
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
        }
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

    /// True if it is about the host of this name.
    package func isAbout(node: String) -> Bool {
        grants.contains { grant in
            if case .node(node, _) = grant.recipient { true } else { false }
        }
    }
}
