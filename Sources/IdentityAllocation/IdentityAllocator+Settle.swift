// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel

extension IdentityAllocator {
    /// Brings records and mappings up to date with all changes since the last call, and returns what that changed.
    ///
    /// Throws if derived identities run out; endpoints whose identity is missing keep their base identity then.
    package mutating func settle() throws(IdentityError) -> IdentityChanges {
        var changes = IdentityChanges()
        var isExhausted = false
        if areAddressesTouched {
            areAddressesTouched = false
            isExhausted = !settleAddresses(&changes)
        }
        isExhausted = !settlePrefixes(&changes) || isExhausted
        settleNames()
        settleRecords(&changes)
        if isExhausted { throw .localsExhausted }
        return changes
    }

    /// False if numbers for derived identities ran out.
    private mutating func settleAddresses(_ changes: inout IdentityChanges) -> Bool {
        var wanted: [CIDR: NumericIdentity] = [:]
        var wantedDerived: Set<LocalKey> = []
        var isComplete = true
        // In order of names, the host last: of several with one address the same one always wins, the host first.
        var owners = endpoints.keys.sorted().reversed().flatMap { name in
            (endpoints[name]?.addresses ?? []).map { ($0, assignments[name]?.identity ?? .unmanaged) }
        }
        owners += hostAddresses.map { ($0, .host) }
        for (address, base) in owners {
            var identity = base
            let around = groups.around(CIDR(host: address), withWorkloadsOnly: true)
            let prefix = prefixes.innermost(address)
            if prefix != nil || !around.isEmpty {
                let key = LocalKey(base: base, prefix: prefix, groups: around)
                if let number = assignLocal(key) {
                    if wantedDerived.insert(key).inserted, !derived.contains(key) { touch(key) }
                    identity = NumericIdentity(rawValue: number)
                } else {
                    isComplete = false
                }
            }
            wanted[CIDR(host: address)] = identity
        }
        for key in derived.subtracting(wantedDerived) {
            if let number = releaseLocal(key) { touchedIdentities.insert(NumericIdentity(rawValue: number)) }
        }
        derived = wantedDerived
        for (prefix, identity) in wanted where addressMappings[prefix] != identity {
            setMapping(prefix, to: identity, &changes)
        }
        for prefix in addressMappings.keys where wanted[prefix] == nil {
            // A policy may use the same single address as a prefix: that shows again.
            touchedPrefixes.insert(prefix)
        }
        addressMappings = wanted
        return isComplete
    }

    /// False if numbers for prefixes ran out.
    private mutating func settlePrefixes(_ changes: inout IdentityChanges) -> Bool {
        var isComplete = true
        // Those that go last: what stays the same keeps its number.
        var left: [LocalKey] = []
        for prefix in touchedPrefixes.sorted() {
            let isThere = prefixes.contains(prefix) || groups.contains(prefix)
            let key =
                isThere
                ? LocalKey(base: .any, prefix: prefixes.around(prefix), groups: groups.around(prefix)) : nil
            let old = classes[prefix]
            if key != old {
                if let key {
                    if assignLocal(key) == nil { isComplete = false }
                    classUsers[key, default: 0] += 1
                }
                if let old { left.append(old) }
                classes[prefix] = key
            }
            // An endpoint's own address is the endpoint, whatever a policy calls a prefix.
            let identity = key.flatMap { touch($0) }
            if addressMappings[prefix] == nil { setMapping(prefix, to: identity, &changes) }
        }
        for key in left {
            classUsers[key, default: 1] -= 1
            guard classUsers[key] == 0 else { continue }
            classUsers[key] = nil
            if let number = releaseLocal(key) { touchedIdentities.insert(NumericIdentity(rawValue: number)) }
        }
        touchedPrefixes.removeAll()
        return isComplete
    }

    private mutating func settleNames() {
        for name in touchedNames {
            guard let number = names.assigned[name] else { continue }
            let identity = NumericIdentity(rawValue: number)
            touchedIdentities.insert(identity)
            if nameUses[name] == nil {
                names.release(name)
                nameRecords[identity] = nil
            } else {
                nameRecords[identity] = name
            }
        }
        touchedNames.removeAll()
    }

    private mutating func settleRecords(_ changes: inout IdentityChanges) {
        guard !touchedIdentities.isEmpty else { return }
        // A derived identity has its base's labels and port names.
        for key in derived where touchedIdentities.contains(key.base) { touch(key) }
        for identity in touchedIdentities.sorted() {
            let key = touchedLocals[identity].flatMap { localIdentity($0) == identity ? $0 : nil }
            let record =
                nameRecords[identity].map { ResolvedIdentity(identity: identity, labels: LabelSet([]), name: $0) }
                ?? key.map { self.record(of: $0, identity) } ?? baseRecord(identity)
            guard record != records[identity] else { continue }
            records[identity] = record
            if let record { changes.recordSettings.append(record) } else { changes.recordRemovals.append(identity) }
        }
        touchedIdentities.removeAll()
        touchedLocals.removeAll()
    }

    /// Has the record of a local number that is in use worked out anew.
    @discardableResult
    private mutating func touch(_ key: LocalKey) -> NumericIdentity? {
        guard let identity = localIdentity(key) else { return nil }
        touchedIdentities.insert(identity)
        touchedLocals[identity] = key
        return identity
    }

    private func record(of key: LocalKey, _ identity: NumericIdentity) -> ResolvedIdentity? {
        if key.base == .any {
            let world = Label(source: LabelSource.reserved, key: "world")
            let labels = LabelSet([world] + (key.prefix.map { [Label(source: LabelSource.cidr, key: "\($0)")] } ?? []))
            return ResolvedIdentity(identity: identity, labels: labels, prefix: key.prefix, groups: key.groups)
        }
        guard var record = baseRecord(key.base) else { return nil }
        record.identity = identity
        record.prefix = key.prefix
        record.groups = [LabelSet].distinct(record.groups + key.groups)
        return record
    }

    /// Of a reserved identity, or of a label set in use.
    private func baseRecord(_ identity: NumericIdentity) -> ResolvedIdentity? {
        let users = endpointsByIdentity[identity] ?? []
        let ports = users.reduce(NamedPorts()) { $0.union(endpoints[$1]?.namedPorts ?? NamedPorts()) }
        if identity == .host {
            let labels = users.sorted().first.flatMap { endpoints[$0] }.map { hostLabels.merging($0.labels.labels) }
            return ResolvedIdentity(
                identity: .host, labels: labels ?? hostLabels, isWorkload: true, namedPorts: ports)
        }
        if let reserved = reservedIdentities.first(where: { $0.identity == identity }) {
            // With endpoints (`init`, `remote-node`) it is one of ours: its derived identities are no outsiders.
            return ResolvedIdentity(
                identity: identity, labels: LabelSet([Label(source: LabelSource.reserved, key: reserved.name)]),
                isWorkload: !users.isEmpty, namedPorts: ports)
        }
        guard let labels = users.first.flatMap({ endpoints[$0]?.labels }) else { return nil }
        return ResolvedIdentity(
            identity: identity, labels: labels, isWorkload: true, namedPorts: ports, groups: members.groups(of: labels))
    }

    private mutating func setMapping(_ prefix: CIDR, to identity: NumericIdentity?, _ changes: inout IdentityChanges) {
        guard mappings[prefix] != identity else { return }
        mappings[prefix] = identity
        changes.mappingSettings[prefix] = identity
        if identity == nil { changes.mappingRemovals.append(prefix) }
    }
}
