// SPDX-License-Identifier: Apache-2.0

import IdentityModel
package import PolicyModel

extension IdentityAllocator {
    /// A policy document defines a group: its prefixes get its labels, and workloads that are members belong to it.
    package mutating func useGroup(_ group: PrefixGroup) {
        useGroup(group.labels, group.prefixes, includesWorkloads: group.includesWorkloads)
        guard let selector = group.members else { return }
        if members.add(group.labels, selector) { touchEndpoints(of: selector) }
    }

    /// Undoes one `useGroup` with an equal group.
    package mutating func releaseGroup(_ group: PrefixGroup) {
        releaseGroup(group.labels, group.prefixes, includesWorkloads: group.includesWorkloads)
        guard let selector = group.members else { return }
        if members.remove(group.labels, selector) { touchEndpoints(of: selector) }
    }

    private mutating func touchEndpoints(of selector: LabelSelector) {
        for (identity, users) in identityUsers.values where selector.matches(users.labels) {
            touched.identities.insert(identity)
        }
    }
}
