// SPDX-License-Identifier: Apache-2.0

import IdentityAllocation
import IdentityModel
import PolicyModel

/// What documents give endpoints, worked out where a change makes a difference.
extension PolicyEngine {
    /// A change with what it gives endpoints: those that the change brings, and those for whom documents may give something
    /// else now, are looked at.
    func granting(_ change: EngineChange) -> EngineChange {
        guard !change.isGranted else { return change }
        var next = change
        next.isGranted = true
        var reach = EndpointGrants.Reach()
        for reference in change.policies.references {
            let (old, new) = (input.policies[reference]?.grants ?? [], change.policies[reference]?.grants ?? [])
            guard old != new else { continue }
            var grants = next.grants ?? input.grants
            reach.formUnion(grants.replace(old, by: new, of: reference))
            next.grants = grants
        }
        let grants = next.grants ?? input.grants
        guard next.grants != nil || !grants.isEmpty else { return next }
        next.workloads = granting(grants, reach, change.workloads)
        grant(grants, reach, change.remotes, &next)
        return next
    }

    /// The workloads of this host with what they are given; nil: as they are.
    private func granting(
        _ grants: EndpointGrants, _ reach: EndpointGrants.Reach, _ brought: [String: Workload]?
    ) -> [String: Workload]? {
        guard brought != nil || !reach.isEmpty else { return nil }
        var result = brought ?? input.workloads
        var isOther = false
        for (key, workload) in brought ?? input.workloads {
            let former = input.workloads[key]
            let isReached = reach.includes(labels: workload.ownLabels, isHost: workload.isHost)
            if !isReached, let former, former.isSame(butForGrants: workload) {
                if brought != nil { result[key] = former }
                continue
            }
            let granted = workload.granted(grants)
            guard granted != former else {
                if brought != nil { result[key] = granted }
                continue
            }
            result[key] = granted
            isOther = true
        }
        return brought == nil && !isOther ? nil : result
    }

    /// Workloads of other hosts: those that come, and those in reach.
    private func grant(
        _ grants: EndpointGrants, _ reach: EndpointGrants.Reach, _ brought: RemoteDelta, _ next: inout EngineChange
    ) {
        var remotes = brought
        if !reach.isEmpty {
            let reached = allocator.endpoints.filter { _, endpoint in
                endpoint.isRemote && reach.includes(labels: endpoint.labels, isHost: false)
            }
            remotes = RemoteDelta(
                setting: Dictionary(
                    uniqueKeysWithValues: reached.compactMap { key, endpoint in
                        (input.givenRemotes[key] ?? endpoint.remote).map { (key, $0) }
                    }))
            remotes.merge(brought)
        }
        for key in remotes.keys {
            let own = remotes[key], granted = own?.granted(grants)
            if granted == allocator.endpoints[key]?.remote {
                next.remotes.leaveOut(key)
            } else {
                next.remotes[key] = granted
            }
            next.givenRemotes[key] = granted == own ? nil : own
        }
    }
}
