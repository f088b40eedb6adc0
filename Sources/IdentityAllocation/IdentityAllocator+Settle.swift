// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel

extension IdentityAllocator {
    /// Brings records and mappings up to date with all changes since the last call, and returns what that changed.
    ///
    /// Throws if derived identities run out; endpoints whose identity is missing keep their base identity then. Also if
    /// there are more patterns of names below one name than the programs look for.
    package mutating func settle() throws(IdentityError) -> IdentityChanges {
        var changes = IdentityChanges()
        let areAddressesComplete = settleAddresses(&changes)
        let arePrefixesComplete = settlePrefixes(&changes)
        let crowded = touched.names.filter { (globUses[$0.name] ?? 0) > NameGlob.countMax }.map(\.name).min()
        settleNames(&changes)
        settleRecords(&changes)
        settleSubjects(&changes)
        guard areAddressesComplete && arePrefixesComplete else { throw .localsExhausted }
        if let crowded { throw .patternsExhausted(crowded) }
        return changes
    }

    /// False if numbers for derived identities ran out.
    private mutating func settleAddresses(_ changes: inout IdentityChanges) -> Bool {
        var isComplete = true
        // Those that go last: what stays the same keeps its number.
        var left: [LocalKey] = []
        for address in touched.addresses.sorted() {
            let host = CIDR(host: address)
            // The host first, whoever else names its address.
            let base = self.host.addresses.contains(address) ? .host : owners.owner(of: address).map(identity)
            let key = base.flatMap { derivedKey(address, of: $0) }
            let old = derivedKeys[address]
            if key != old {
                if let old { left.append(old) }
                if let key { isComplete = useDerived(key) && isComplete }
                derivedKeys[address] = key
            }
            if let base {
                setMapping(host, to: key.flatMap(localIdentity) ?? base, &changes)
            } else {
                // A policy may use the same single address as a prefix: that shows again.
                touched.prefixes.insert(host)
            }
        }
        touched.addresses.removeAll()
        for key in left { releaseDerived(key) }
        return isComplete
    }

    private func identity(of endpoint: String) -> NumericIdentity { assignmentTable[endpoint]?.identity ?? .unmanaged }

    /// Nil: the address is in no prefix that includes workloads.
    private func derivedKey(_ address: IPAddress, of base: NumericIdentity) -> LocalKey? {
        let around = groups.around(CIDR(host: address), withWorkloadsOnly: true)
        let prefix = prefixes.innermost(address)
        return prefix == nil && around.isEmpty ? nil : LocalKey(base: base, prefix: prefix, groups: around)
    }

    /// False if numbers ran out.
    private mutating func useDerived(_ key: LocalKey) -> Bool {
        let users = derivedUsers[key] ?? 0
        derivedUsers[key] = users + 1
        guard users == 0 else { return true }
        derivedByBase[key.base] = (derivedByBase[key.base] ?? []).union([key])
        touched.identities.insert(key.base)
        guard assignLocal(key) != nil else { return false }
        touch(key)
        return true
    }

    private mutating func releaseDerived(_ key: LocalKey) {
        guard let users = derivedUsers[key] else { return }
        derivedUsers[key] = users > 1 ? users - 1 : nil
        guard users == 1 else { return }
        let others = (derivedByBase[key.base] ?? []).subtracting([key])
        derivedByBase[key.base] = others.isEmpty ? nil : others
        touched.identities.insert(key.base)
        if let number = releaseLocal(key) { touched.identities.insert(NumericIdentity(rawValue: number)) }
    }

    /// False if numbers for prefixes ran out.
    private mutating func settlePrefixes(_ changes: inout IdentityChanges) -> Bool {
        var isComplete = true
        // Those that go last: what stays the same keeps its number.
        var left: [UInt32] = []
        for prefix in touched.prefixes.sorted() {
            let isThere = prefixes.contains(prefix) || groups.contains(prefix)
            let key =
                isThere
                ? LocalKey(base: .any, prefix: prefixes.around(prefix), groups: groups.around(prefix)) : nil
            let old = classes[prefix]
            let new = key.flatMap { assignLocal($0) }
            if key != nil, new == nil { isComplete = false }
            if new != old {
                if let new {
                    classUsers[new] = (classUsers[new] ?? 0) + 1
                    if classUsers[new] == 1 { classKeys[new] = key }
                }
                if let old { left.append(old) }
                classes[prefix] = new
            }
            if let key { touch(key) }
            // An endpoint's own address is the endpoint, whatever a policy calls a prefix.
            guard !isSomebodys(prefix) else { continue }
            setMapping(prefix, to: new.map(NumericIdentity.init(rawValue:)), &changes)
        }
        for number in left {
            let users = (classUsers[number] ?? 1) - 1
            classUsers[number] = users > 0 ? users : nil
            guard users == 0, let key = classKeys[number] else { continue }
            classKeys[number] = nil
            _ = releaseLocal(key)
            touched.identities.insert(NumericIdentity(rawValue: number))
        }
        touched.prefixes.removeAll()
        return isComplete
    }

    /// True for the single address of an endpoint, or of the host.
    private func isSomebodys(_ prefix: CIDR) -> Bool {
        guard prefix.length == (prefix.isIPv4 ? 32 : 128) else { return false }
        return host.addresses.contains(prefix.address) || owners.owner(of: prefix.address) != nil
    }

    private mutating func settleNames(_ changes: inout IdentityChanges) {
        for name in touched.names {
            guard let number = names.assigned[name] else { continue }
            let identity = NumericIdentity(rawValue: number)
            touched.identities.insert(identity)
            if nameUses[name] == nil {
                names.release(name)
                if nameRecords[identity] != nil { changes.nameRemovals[name] = identity }
                nameRecords[identity] = nil
            } else {
                if nameRecords[identity] == nil { changes.nameSettings[name] = identity }
                nameRecords[identity] = name
            }
        }
        touched.names.removeAll()
    }

    private mutating func settleSubjects(_ changes: inout IdentityChanges) {
        for (slot, former) in touched.subjects {
            let subject = subject(in: slot)
            guard subject != former else { continue }
            if let subject {
                changes.subjectSettings.append(subject)
            } else if let former {
                changes.subjectRemovals.append(former)
            }
        }
        touched.subjects.removeAll()
    }

    private mutating func settleRecords(_ changes: inout IdentityChanges) {
        // A derived identity has its base's labels and port names.
        for base in touched.identities {
            for key in derivedByBase[base] ?? [] { touch(key) }
        }
        for identity in touched.identities.sorted() {
            let key = touched.locals[identity].flatMap { localIdentity($0) == identity ? $0 : nil }
            let record =
                nameRecords[identity].map { self.record(of: $0, identity) }
                ?? key.map { self.record(of: $0, identity) } ?? baseRecord(identity)
            guard record != recordTable[identity] else { continue }
            recordTable[identity] = record
            if let record { changes.recordSettings.append(record) } else { changes.recordRemovals.append(identity) }
        }
        touched.identities.removeAll()
        touched.locals.removeAll()
    }

    /// Has the record of a local number that is in use worked out anew.
    @discardableResult
    private mutating func touch(_ key: LocalKey) -> NumericIdentity? {
        guard let identity = localIdentity(key) else { return nil }
        touched.identities.insert(identity)
        touched.locals[identity] = key
        return identity
    }

    private func record(of name: NameSelector, _ identity: NumericIdentity) -> ResolvedIdentity {
        ResolvedIdentity(
            identity: identity, labels: LabelSet([]), groups: [LabelSet].distinct(nameGroups[name] ?? []), name: name)
    }

    private func record(of key: LocalKey, _ identity: NumericIdentity) -> ResolvedIdentity? {
        if key.base == .any {
            let world = Label(source: LabelSource.reserved, key: "world")
            let labels = LabelSet([world] + (key.prefix.map { [Label(source: LabelSource.cidr, key: "\($0)")] } ?? []))
            return ResolvedIdentity(identity: identity, labels: labels, prefix: key.prefix, groups: key.groups)
        }
        guard let base = baseRecord(key.base) else { return nil }
        return ResolvedIdentity(
            identity: identity, labels: base.labels, prefix: key.prefix, isWorkload: base.isWorkload,
            namedPorts: base.namedPorts, groups: [LabelSet].distinct(base.groups + key.groups))
    }

    /// Of a reserved identity, or of a label set in use.
    private func baseRecord(_ identity: NumericIdentity) -> ResolvedIdentity? {
        let users = identityUsers[identity]
        let ports = users?.namedPorts ?? NamedPorts()
        if identity == .host {
            let labels = host.endpoints.min { $0.key < $1.key }.map { host.labels.merging($0.value.labels) }
            return ResolvedIdentity(
                identity: .host, labels: labels ?? host.labels, isWorkload: true, namedPorts: ports)
        }
        if let reserved = reservedIdentities.first(where: { $0.identity == identity }) {
            // With endpoints (`init`, `remote-node`) it is one of ours: its derived identities are no outsiders.
            return ResolvedIdentity(
                identity: identity, labels: LabelSet([Label(source: LabelSource.reserved, key: reserved.name)]),
                isWorkload: users != nil, namedPorts: ports)
        }
        return users.map {
            ResolvedIdentity(
                identity: identity, labels: $0.labels, isWorkload: true, namedPorts: ports,
                groups: members.groups(of: $0.labels),
                isOnlyDerived: plainCounts[identity] == nil && derivedByBase[identity] != nil)
        }
    }

    private mutating func setMapping(_ prefix: CIDR, to identity: NumericIdentity?, _ changes: inout IdentityChanges) {
        let former = mappingTable[prefix]
        guard former != identity else { return }
        mappingTable[prefix] = identity
        if let former { countPlain(former, -1) }
        if let identity { countPlain(identity, 1) }
        changes.mappingSettings[prefix] = identity
        if identity == nil { changes.mappingRemovals.append(prefix) }
    }

    private mutating func countPlain(_ identity: NumericIdentity, _ change: Int32) {
        guard NumericIdentity.workloadRange.contains(identity.rawValue) else { return }
        let count = (plainCounts[identity] ?? 0) + change
        plainCounts[identity] = count > 0 ? count : nil
        if count == 0 || count == change { touched.identities.insert(identity) }
    }
}
