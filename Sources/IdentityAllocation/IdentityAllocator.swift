// SPDX-License-Identifier: Apache-2.0

import CDatapathABI
package import IdentityModel
package import NetworkModel

/// Gives label sets, prefixes and workloads inside prefixes their identities, and says which address has which.
///
/// Four kinds of numbers, all this node's own: label sets, prefixes and DNS names used by policies, and *derived*
/// ones: a workload or the host whose address lies in a prefix that includes workloads (`ipBlock`). A derived
/// identity has the labels of its base and the innermost such prefix, so that it is matched by both. Because it is the
/// innermost, every other policy prefix around the address contains it: one prefix stands for all of them.
///
/// Changes are collected; `settle` works out what they mean for records and mappings.
package struct IdentityAllocator: Sendable {
    /// An endpoint as far as identities are concerned.
    package struct Endpoint: Hashable, Sendable {
        package var labels: LabelSet
        package var addresses: [IPAddress]
        package var namedPorts: NamedPorts
        package var isHost: Bool
        /// Of another host: a peer of rules, but no subject, and without an address that a local one has.
        package var isRemote: Bool

        package init(
            labels: LabelSet, addresses: [IPAddress], namedPorts: NamedPorts = NamedPorts(), isHost: Bool = false,
            isRemote: Bool = false
        ) {
            self.labels = labels
            self.addresses = addresses
            self.namedPorts = namedPorts
            self.isHost = isHost
            self.isRemote = isRemote
        }

        var subjectKey: SubjectKey? {
            isRemote ? nil : SubjectKey(labels: labels, namedPorts: namedPorts, isHost: isHost)
        }
    }

    /// What an endpoint was given.
    package struct Assignment: Hashable, Sendable {
        package var identity: NumericIdentity
        /// Slot in the subject table; endpoints with equal labels and port names share it; 0: of another host.
        package var subject: UInt16
    }

    /// What shares a policy subject.
    package struct SubjectKey: Hashable, Sendable {
        package var labels: LabelSet
        package var namedPorts: NamedPorts
        package var isHost: Bool
    }

    /// A prefix by itself, or a workload identity inside one; also all prefixes of the same groups.
    package struct LocalKey: Hashable, Sendable {
        /// `.any`: the prefix itself.
        package var base: NumericIdentity
        /// The innermost prefix around it that a policy names; nil: none does.
        package var prefix: CIDR?
        /// Labels of the groups of prefixes around it, sorted.
        package var groups: [LabelSet] = []
    }

    /// Slot 0 stays empty: a zeroed endpoint record points there.
    package static let subjectRange: ClosedRange<UInt32> = 1...UInt32(SUBJECT_COUNT_MAX - 1)

    var workloads = NumberPool<LabelSet>(NumericIdentity.workloadRange)
    /// Prefixes by themselves, and workloads inside of them: apart, because names may open the former only.
    var prefixNumbers = NumberPool<LocalKey>(NumericIdentity.prefixRange)
    var derivedNumbers = NumberPool<LocalKey>(NumericIdentity.derivedRange)
    var names = NumberPool<NameSelector>(NumericIdentity.nameRange)
    /// Policies that use a name.
    var nameUses = RevertibleTable<NameSelector, Int>()
    /// Patterns with a `*` inside that are in use, by the name that they end in.
    var globUses = RevertibleTable<DomainName, Int>()
    /// Labels of the groups that have a name, each as often as it is given.
    var nameGroups = RevertibleTable<NameSelector, [LabelSet]>()
    var nameRecords = RevertibleTable<NumericIdentity, NameSelector>()
    var subjectPool = NumberPool<SubjectKey>(IdentityAllocator.subjectRange)

    var endpointTable = RevertibleTable<String, Endpoint>()
    var assignmentTable = RevertibleTable<String, Assignment>()
    var subjectUsers = RevertibleTable<SubjectKey, SubjectUsers>()
    private var subjectTable = RevertibleTable<UInt16, SubjectKey>()
    var identityUsers = RevertibleTable<NumericIdentity, IdentityUsers>()
    /// Identities in use by namespace, for services; nil: nobody asked since the start, or since a change was taken back.
    var identitiesByNamespace: [String: Set<NumericIdentity>]?

    var host = HostSide()
    var prefixes = PrefixUses()
    var groups = GroupPrefixes()
    var members = GroupMembers()
    /// The number of what each prefix of policies and groups stands for, what that is, and how many prefixes it has.
    var classes = RevertibleTable<CIDR, UInt32>()
    var classKeys = RevertibleTable<UInt32, LocalKey>()
    var classUsers = RevertibleTable<UInt32, Int>()

    var owners = AddressOwners()
    /// What an address inside a prefix that includes workloads stands for, and how many addresses that has.
    var derivedKeys = RevertibleTable<IPAddress, LocalKey>()
    var derivedUsers = RevertibleTable<LocalKey, Int>()
    /// Derived identities in use, by the identity they are of.
    var derivedByBase = RevertibleTable<NumericIdentity, Set<LocalKey>>()
    /// Addresses that stand for a label set itself.
    var plainCounts = RevertibleTable<NumericIdentity, Int32>()

    var touched = Touched()
    private var formerly: (touched: Touched, host: HostSide)?

    var recordTable = RevertibleTable<NumericIdentity, ResolvedIdentity>()
    var mappingTable = RevertibleTable<CIDR, NumericIdentity>()

    package init() {}

    /// Everything settled: what each identity stands for.
    package var records: [NumericIdentity: ResolvedIdentity] { recordTable.values }
    /// Everything settled: the desired content of the ipcache.
    package var mappings: [CIDR: NumericIdentity] { mappingTable.values }
    package var endpoints: [String: Endpoint] { endpointTable.values }
    package var assignments: [String: Assignment] { assignmentTable.values }

    /// Lets a change begin, stand, or be taken back: then everything is as it was, numbers too.
    ///
    /// Costs what the change costs. What was not settled when it began is not settled again.
    package mutating func revise(_ revision: TableRevision) {
        workloads.revise(revision)
        prefixNumbers.revise(revision)
        derivedNumbers.revise(revision)
        names.revise(revision)
        subjectPool.revise(revision)
        nameUses.revise(revision)
        globUses.revise(revision)
        nameGroups.revise(revision)
        nameRecords.revise(revision)
        endpointTable.revise(revision)
        assignmentTable.revise(revision)
        subjectUsers.revise(revision)
        subjectTable.revise(revision)
        identityUsers.revise(revision)
        prefixes.revise(revision)
        groups.revise(revision)
        members.revise(revision)
        classes.revise(revision)
        classKeys.revise(revision)
        classUsers.revise(revision)
        owners.revise(revision)
        derivedKeys.revise(revision)
        derivedUsers.revise(revision)
        derivedByBase.revise(revision)
        plainCounts.revise(revision)
        recordTable.revise(revision)
        mappingTable.revise(revision)
        if revision == .revert, let formerly { (touched, host) = formerly }
        if revision == .revert { identitiesByNamespace = nil }
        formerly = revision == .begin ? (touched, host) : nil
    }

    /// Adds or changes an endpoint, named by the caller.
    @discardableResult
    package mutating func setEndpoint(_ name: String, _ endpoint: Endpoint) throws(IdentityError) -> Assignment {
        let old = endpointTable[name], oldAssignment = assignmentTable[name]
        if old == endpoint, let oldAssignment { return oldAssignment }
        guard let identity = identity(for: endpoint) else { throw .workloadsExhausted }
        let key = endpoint.subjectKey
        var subject: UInt32 = 0
        if let key {
            guard let slot = subjectPool.assign(key) else {
                releaseIfUnused(endpoint.labels, identity)
                throw .subjectsExhausted
            }
            subject = slot
        }
        // The new one holds its numbers before the old one lets go of them: what stays equal keeps its numbers.
        let assignment = Assignment(identity: identity, subject: UInt16(subject))
        use(endpoint, identity, key, assignment.subject)
        if let old, let oldAssignment { forget(old, oldAssignment) }
        touched.addresses.formUnion(owners.replace(name, old, by: endpoint))
        // What it keeps of its addresses may stand for another identity now.
        if identity != oldAssignment?.identity { touched.addresses.formUnion(endpoint.addresses) }
        if endpoint.isHost || old?.isHost ?? false { host.endpoints[name] = endpoint.isHost ? endpoint.labels : nil }
        endpointTable[name] = endpoint
        assignmentTable[name] = assignment
        return assignment
    }

    /// Removes an endpoint; nothing happens if there is none.
    package mutating func removeEndpoint(_ name: String) {
        guard let endpoint = endpointTable[name], let assignment = assignmentTable[name] else { return }
        endpointTable[name] = nil
        assignmentTable[name] = nil
        host.endpoints[name] = nil
        touched.addresses.formUnion(owners.replace(name, endpoint, by: nil))
        forget(endpoint, assignment)
    }

    /// Says which addresses are the host's own, and its labels besides `reserved:host`.
    package mutating func setHost(labels: [Label] = [], addresses: [IPAddress]) {
        let all = LabelSet(labels + [Label(source: LabelSource.reserved, key: "host")])
        let next = Set(addresses)
        guard all != host.labels || next != host.addresses else { return }
        touched.addresses.formUnion(next.symmetricDifference(host.addresses))
        host.labels = all
        host.addresses = next
        touched.identities.insert(.host)
    }

    /// A policy begins to use a prefix or an exception.
    ///
    /// `includesWorkloads`: of an `ipBlock`.
    package mutating func usePrefix(_ prefix: CIDR, includesWorkloads: Bool) throws(IdentityError) {
        if prefixes.add(prefix, includesWorkloads: includesWorkloads) { touchAddresses(in: prefix) }
        touch(prefix)
    }

    /// Undoes one `usePrefix` with the same arguments.
    package mutating func releasePrefix(_ prefix: CIDR, includesWorkloads: Bool) {
        if prefixes.remove(prefix, includesWorkloads: includesWorkloads) { touchAddresses(in: prefix) }
        touch(prefix)
    }

    /// Prefixes get labels, by which rules select them: prefixes of the same groups share one identity.
    ///
    /// `includesWorkloads`: workloads inside belong to the group too. A group may be given in parts.
    package mutating func useGroup(_ labels: LabelSet, _ prefixes: [CIDR], includesWorkloads: Bool) {
        groups.add(.init(labels: labels, includesWorkloads: includesWorkloads), prefixes)
        touch(prefixes, inGroupWith: includesWorkloads)
    }

    /// Undoes one `useGroup` with the same arguments, or a part of it.
    package mutating func releaseGroup(_ labels: LabelSet, _ prefixes: [CIDR], includesWorkloads: Bool) {
        groups.remove(.init(labels: labels, includesWorkloads: includesWorkloads), prefixes)
        touch(prefixes, inGroupWith: includesWorkloads)
    }

    /// Of what is listed otherwise than before all that is inside may stand for something else.
    private mutating func touch(_ prefixes: [CIDR], inGroupWith includesWorkloads: Bool) {
        for prefix in prefixes {
            touch(prefix)
            touched.prefixes.formUnion(self.prefixes.inside(prefix))
            if includesWorkloads { touchAddresses(in: prefix) }
        }
    }

    /// A prefix comes, goes or changes: what groups list inside may stand for something else.
    private mutating func touch(_ prefix: CIDR) {
        touched.prefixes.insert(prefix)
        guard !groups.isEmpty else { return }
        touched.prefixes.formUnion(groups.inside(prefix))
    }

    private mutating func touchAddresses(in prefix: CIDR) {
        touched.addresses.formUnion(owners.inside(prefix))
        touched.addresses.formUnion(host.addresses.filter(prefix.contains))
    }

    /// A policy begins to use a name.
    package mutating func useName(_ name: NameSelector) throws(IdentityError) {
        guard names.assign(name) != nil else { throw .namesExhausted }
        nameUses[name] = (nameUses[name] ?? 0) + 1
        if name.glob != nil, nameUses[name] == 1 { globUses[name.name] = (globUses[name.name] ?? 0) + 1 }
        touched.names.insert(name)
    }

    /// Undoes one `useName`.
    package mutating func releaseName(_ name: NameSelector) {
        guard let uses = nameUses[name] else { return }
        nameUses[name] = uses > 1 ? uses - 1 : nil
        if name.glob != nil, uses == 1, let count = globUses[name.name] {
            globUses[name.name] = count > 1 ? count - 1 : nil
        }
        touched.names.insert(name)
    }

    /// The names in use, with their numbers.
    package var nameNumbers: [NameSelector: NumericIdentity] {
        nameUses.values.isEmpty
            ? [:] : names.assigned.filter { nameUses[$0.key] != nil }.mapValues(NumericIdentity.init(rawValue:))
    }

    /// Subjects in use, by slot.
    package var subjects: [UInt16: SubjectKey] { subjectTable.values }

    /// The subject in a slot; nil if it is not in use.
    package func subject(in slot: UInt16) -> Subject? {
        subjectTable[slot].map {
            Subject(slot: slot, identity: subjectUsers[$0]?.identity ?? .unmanaged, key: $0)
        }
    }

    func localIdentity(_ key: LocalKey) -> NumericIdentity? {
        (key.base == .any ? prefixNumbers : derivedNumbers).assigned[key].map(NumericIdentity.init(rawValue:))
    }

    mutating func assignLocal(_ key: LocalKey) -> UInt32? {
        key.base == .any ? prefixNumbers.assign(key) : derivedNumbers.assign(key)
    }

    mutating func releaseLocal(_ key: LocalKey) -> UInt32? {
        key.base == .any ? prefixNumbers.release(key) : derivedNumbers.release(key)
    }

    private mutating func identity(for endpoint: Endpoint) -> NumericIdentity? {
        if endpoint.isHost { return .host }
        let reserved = reservedIdentities.first { $0.name != "host" && endpoint.labels.isReserved($0.name) }
        if let reserved { return reserved.identity }
        return workloads.assign(endpoint.labels).map(NumericIdentity.init(rawValue:))
    }

    private mutating func use(_ endpoint: Endpoint, _ identity: NumericIdentity, _ key: SubjectKey?, _ slot: UInt16) {
        if let key {
            let users = subjectUsers[key]?.count ?? 0
            subjectUsers[key] = SubjectUsers(count: users + 1, identity: identity)
            if users == 0 {
                touchSubject(slot, nil)
                subjectTable[slot] = key
            }
        }
        var users = identityUsers[identity] ?? IdentityUsers(labels: endpoint.labels)
        if users.count == 0 { noteNamespaces(of: users.labels, identity, isUsed: true) }
        users.note(endpoint, 1)
        identityUsers[identity] = users
        touched.identities.insert(identity)
    }

    private mutating func forget(_ endpoint: Endpoint, _ assignment: Assignment) {
        if let key = endpoint.subjectKey, let users = subjectUsers[key] {
            if users.count > 1 {
                subjectUsers[key]?.count -= 1
            } else {
                subjectUsers[key] = nil
                subjectPool.release(key)
                subjectTable[assignment.subject] = nil
                touchSubject(
                    assignment.subject, Subject(slot: assignment.subject, identity: users.identity, key: key))
            }
        }
        let identity = assignment.identity
        touched.identities.insert(identity)
        guard var users = identityUsers[identity] else { return }
        users.note(endpoint, -1)
        identityUsers[identity] = users.count > 0 ? users : nil
        if users.count == 0 { noteNamespaces(of: users.labels, identity, isUsed: false) }
        releaseIfUnused(endpoint.labels, identity)
    }

    /// `former`: who had the slot until now.
    private mutating func touchSubject(_ slot: UInt16, _ former: Subject?) {
        guard touched.subjects.index(forKey: slot) == nil else { return }
        touched.subjects.updateValue(former, forKey: slot)
    }

    private mutating func releaseIfUnused(_ labels: LabelSet, _ identity: NumericIdentity) {
        if identityUsers[identity] == nil { workloads.release(labels) }
    }
}
