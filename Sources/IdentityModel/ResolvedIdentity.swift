// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// What an identity stands for.
///
/// A shared immutable object: every table that holds it holds a reference.
package final class ResolvedIdentity: Sendable {
    package let identity: NumericIdentity
    package let labels: LabelSet
    /// Prefix identities: the prefix.
    ///
    /// Derived identities: the innermost policy prefix around the workload's address.
    package let prefix: CIDR?
    /// Of a name: which; such an identity has no labels and no address, and is matched by this and its groups alone.
    package let name: NameSelector?
    /// A workload, or the host: matched by a prefix only where the prefix includes workloads.
    package let isWorkload: Bool
    /// Of all endpoints with this identity.
    package let namedPorts: NamedPorts
    /// Labels of the groups of prefixes around the address, and of those that its own labels belong to, or that have the
    /// name; sorted.
    package let groups: [LabelSet]
    /// All addresses of its endpoints stand for identities derived from it: no packet has this one.
    package let isOnlyDerived: Bool

    package init(
        identity: NumericIdentity, labels: LabelSet, prefix: CIDR? = nil, isWorkload: Bool = false,
        namedPorts: NamedPorts = NamedPorts(), groups: [LabelSet] = [], name: NameSelector? = nil,
        isOnlyDerived: Bool = false
    ) {
        self.identity = identity
        self.labels = labels
        self.prefix = prefix
        self.isWorkload = isWorkload
        self.namedPorts = namedPorts
        self.groups = groups
        self.name = name
        self.isOnlyDerived = isOnlyDerived
    }
}

extension ResolvedIdentity: Hashable {
    package static func == (a: ResolvedIdentity, b: ResolvedIdentity) -> Bool {
        a === b
            || a.identity == b.identity && a.labels == b.labels && a.prefix == b.prefix && a.name == b.name
                && a.isWorkload == b.isWorkload && a.namedPorts == b.namedPorts && a.groups == b.groups
                && a.isOnlyDerived == b.isOnlyDerived
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(identity)
        hasher.combine(labels)
        hasher.combine(prefix)
    }
}
