// SPDX-License-Identifier: Apache-2.0

import IdentityModel
package import PolicyModel

extension IdentityAllocator {
    /// A policy document defines a group: its prefixes get its labels, and workloads that are members belong to it.
    ///
    /// Its names, too, as long as they are in use (`useName`).
    package mutating func useGroup(_ group: PrefixGroup) {
        useGroup(group.labels, group.prefixes, includesWorkloads: group.includesWorkloads)
        for name in group.names {
            nameGroups[name] = (nameGroups[name] ?? []) + [group.labels]
            touched.names.insert(name)
        }
        guard let selector = group.members else { return }
        if members.add(group.labels, selector) { touchEndpoints(of: selector) }
    }

    /// Undoes one `useGroup` with an equal group.
    package mutating func releaseGroup(_ group: PrefixGroup) {
        releaseGroup(group.labels, group.prefixes, includesWorkloads: group.includesWorkloads)
        for name in group.names {
            guard var left = nameGroups[name], let index = left.firstIndex(of: group.labels) else { continue }
            left.remove(at: index)
            nameGroups[name] = left.isEmpty ? nil : left
            touched.names.insert(name)
        }
        guard let selector = group.members else { return }
        if members.remove(group.labels, selector) { touchEndpoints(of: selector) }
    }

    /// Looks only at what is in the namespaces that the selector asks for.
    private mutating func touchEndpoints(of selector: LabelSelector) {
        let namespaces = selector.requirements.lazy.compactMap { requirement -> [String]? in
            guard requirement.key == WellKnownLabel.namespace, case .isIn(let values) = requirement.operation else {
                return nil
            }
            return values
        }.first
        guard let namespaces else {
            for (identity, users) in identityUsers.values where selector.matches(users.labels) {
                touched.identities.insert(identity)
            }
            return
        }
        for namespace in namespaces {
            for identity in identities(in: namespace) {
                guard let users = identityUsers[identity], selector.matches(users.labels) else { continue }
                touched.identities.insert(identity)
            }
        }
    }

    private mutating func identities(in namespace: String) -> Set<NumericIdentity> {
        if let known = identitiesByNamespace { return known[namespace] ?? [] }
        var found: [String: Set<NumericIdentity>] = [:]
        for (identity, users) in identityUsers.values {
            for namespace in users.labels.namespaces { found[namespace, default: []].insert(identity) }
        }
        identitiesByNamespace = found
        return found[namespace] ?? []
    }

    /// An identity came into use, or went out of it.
    mutating func noteNamespaces(of labels: LabelSet, _ identity: NumericIdentity, isUsed: Bool) {
        guard identitiesByNamespace != nil else { return }
        for namespace in labels.namespaces {
            if isUsed {
                identitiesByNamespace?[namespace, default: []].insert(identity)
            } else {
                identitiesByNamespace?[namespace]?.remove(identity)
            }
        }
    }
}
