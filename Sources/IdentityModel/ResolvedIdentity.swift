// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// What an identity stands for.
package struct ResolvedIdentity: Hashable, Sendable {
    package var identity: NumericIdentity
    package var labels: LabelSet
    /// Prefix identities: the prefix.
    ///
    /// Derived identities: the innermost policy prefix around the workload's address.
    package var prefix: CIDR?
    /// Of a name: which; such an identity has no labels and no address, and is matched by this alone.
    package var name: NameSelector?
    /// A workload, or the host: matched by a prefix only where the prefix includes workloads.
    package var isWorkload: Bool
    /// Of all endpoints with this identity.
    package var namedPorts: NamedPorts
    /// Labels of the groups of prefixes around the address, and of those that its own labels belong to; sorted.
    package var groups: [LabelSet]

    package init(
        identity: NumericIdentity, labels: LabelSet, prefix: CIDR? = nil, isWorkload: Bool = false,
        namedPorts: NamedPorts = NamedPorts(), groups: [LabelSet] = [], name: NameSelector? = nil
    ) {
        self.identity = identity
        self.labels = labels
        self.prefix = prefix
        self.isWorkload = isWorkload
        self.namedPorts = namedPorts
        self.groups = groups
        self.name = name
    }
}
