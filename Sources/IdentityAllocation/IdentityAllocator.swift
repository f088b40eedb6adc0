// SPDX-License-Identifier: Apache-2.0

import CDatapathABI
package import IdentityModel
package import NetworkModel

/// Gives label sets, prefixes and workloads inside prefixes their identities, and says which address has which.
///
/// Four kinds of numbers: label sets (256...65535), prefixes and DNS names used by policies (node-local), and *derived*
/// ones, also node-local: a workload or the host whose address lies in a prefix that includes workloads (`ipBlock`). A derived
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

        package init(
            labels: LabelSet, addresses: [IPAddress], namedPorts: NamedPorts = NamedPorts(), isHost: Bool = false
        ) {
            self.labels = labels
            self.addresses = addresses
            self.namedPorts = namedPorts
            self.isHost = isHost
        }
    }

    /// What an endpoint was given.
    package struct Assignment: Hashable, Sendable {
        package var identity: NumericIdentity
        /// Slot in the subject table; endpoints with equal labels and port names share it.
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
    var nameUses: [NameSelector: Int] = [:]
    var touchedNames: Set<NameSelector> = []
    var nameRecords: [NumericIdentity: NameSelector] = [:]
    var subjectPool = NumberPool<SubjectKey>(IdentityAllocator.subjectRange)

    package private(set) var endpoints: [String: Endpoint] = [:]
    package private(set) var assignments: [String: Assignment] = [:]
    private var subjectUsers: [SubjectKey: Int] = [:]
    var endpointsByIdentity: [NumericIdentity: Set<String>] = [:]

    private(set) var hostLabels = LabelSet([Label(source: LabelSource.reserved, key: "host")])
    private(set) var hostAddresses: [IPAddress] = []
    var prefixes = PrefixUses()
    var groups = GroupPrefixes()
    var members = GroupMembers()
    /// What each prefix of policies and groups stands for, and how many prefixes stand for the same.
    var classes: [CIDR: LocalKey] = [:]
    var classUsers: [LocalKey: Int] = [:]

    var touchedIdentities: Set<NumericIdentity> = Set(reservedIdentities.map(\.identity))
    /// The owners of touched numbers that are local.
    var touchedLocals: [NumericIdentity: LocalKey] = [:]
    var touchedPrefixes: Set<CIDR> = []
    var areAddressesTouched = true
    /// Derived identities in use since the last `settle`.
    var derived: Set<LocalKey> = []
    var addressMappings: [CIDR: NumericIdentity] = [:]

    /// Everything settled: what each identity stands for.
    package internal(set) var records: [NumericIdentity: ResolvedIdentity] = [:]
    /// Everything settled: the desired content of the ipcache.
    package internal(set) var mappings: [CIDR: NumericIdentity] = [:]

    package init() {}

    /// Adds or changes an endpoint, named by the caller.
    @discardableResult
    package mutating func setEndpoint(_ name: String, _ endpoint: Endpoint) throws(IdentityError) -> Assignment {
        if endpoints[name] == endpoint, let assignment = assignments[name] { return assignment }
        let key = SubjectKey(labels: endpoint.labels, namedPorts: endpoint.namedPorts, isHost: endpoint.isHost)
        guard let identity = identity(for: endpoint) else { throw .workloadsExhausted }
        guard let subject = subjectPool.assign(key) else {
            releaseIfUnused(endpoint.labels, identity)
            throw .subjectsExhausted
        }
        // The new one holds its numbers before the old one lets go of them: what stays equal keeps its numbers.
        subjectUsers[key, default: 0] += 1
        let old = endpoints[name]
        let oldAssignment = assignments[name]
        endpoints[name] = endpoint
        let assignment = Assignment(identity: identity, subject: UInt16(subject))
        assignments[name] = assignment
        if let old, let oldAssignment { forget(name, old, oldAssignment, keeping: identity) }
        endpointsByIdentity[identity, default: []].insert(name)
        touchedIdentities.insert(identity)
        areAddressesTouched = true
        return assignment
    }

    /// Removes an endpoint; nothing happens if there is none.
    package mutating func removeEndpoint(_ name: String) {
        guard let endpoint = endpoints.removeValue(forKey: name),
            let assignment = assignments.removeValue(forKey: name)
        else { return }
        forget(name, endpoint, assignment, keeping: nil)
        areAddressesTouched = true
    }

    /// Says which addresses are the host's own, and its labels besides `reserved:host`.
    package mutating func setHost(labels: [Label] = [], addresses: [IPAddress]) {
        let all = LabelSet(labels + [Label(source: LabelSource.reserved, key: "host")])
        guard all != hostLabels || addresses != hostAddresses else { return }
        hostLabels = all
        hostAddresses = addresses
        touchedIdentities.insert(.host)
        areAddressesTouched = true
    }

    /// A policy begins to use a prefix or an exception.
    ///
    /// `includesWorkloads`: of an `ipBlock`.
    package mutating func usePrefix(_ prefix: CIDR, includesWorkloads: Bool) throws(IdentityError) {
        if prefixes.add(prefix, includesWorkloads: includesWorkloads) { areAddressesTouched = true }
        touch(prefix)
    }

    /// Undoes one `usePrefix` with the same arguments.
    package mutating func releasePrefix(_ prefix: CIDR, includesWorkloads: Bool) {
        if prefixes.remove(prefix, includesWorkloads: includesWorkloads) { areAddressesTouched = true }
        touch(prefix)
    }

    /// Prefixes get labels, by which rules select them: prefixes of the same groups share one identity.
    ///
    /// `includesWorkloads`: workloads inside belong to the group too.
    package mutating func useGroup(_ labels: LabelSet, _ prefixes: [CIDR], includesWorkloads: Bool) {
        groups.add(.init(labels: labels, includesWorkloads: includesWorkloads), prefixes)
        for prefix in prefixes { touch(prefix) }
        touchPrefixes(inGroupWith: includesWorkloads)
    }

    /// Undoes one `useGroup` with the same arguments.
    package mutating func releaseGroup(_ labels: LabelSet, _ prefixes: [CIDR], includesWorkloads: Bool) {
        for prefix in prefixes { touch(prefix) }
        groups.remove(.init(labels: labels, includesWorkloads: includesWorkloads), prefixes)
        touchPrefixes(inGroupWith: includesWorkloads)
    }

    /// Groups are others now: prefixes of policies may lie in others.
    private mutating func touchPrefixes(inGroupWith includesWorkloads: Bool) {
        for prefix in prefixes.all where classes[prefix]?.groups != groups.around(prefix) {
            touchedPrefixes.insert(prefix)
        }
        if includesWorkloads { areAddressesTouched = true }
    }

    /// A prefix comes, goes or changes: what lies inside may stand for something else.
    private mutating func touch(_ prefix: CIDR) {
        touchedPrefixes.insert(prefix)
        guard !groups.isEmpty else { return }
        touchedPrefixes.formUnion(groups.inside(prefix))
    }

    /// A policy begins to use a name.
    package mutating func useName(_ name: NameSelector) throws(IdentityError) {
        guard names.assign(name) != nil else { throw .namesExhausted }
        nameUses[name, default: 0] += 1
        touchedNames.insert(name)
    }

    /// Undoes one `useName`.
    package mutating func releaseName(_ name: NameSelector) {
        guard let uses = nameUses[name] else { return }
        nameUses[name] = uses > 1 ? uses - 1 : nil
        touchedNames.insert(name)
    }

    /// The names in use, with their numbers.
    package var nameNumbers: [NameSelector: NumericIdentity] {
        names.assigned.filter { nameUses[$0.key] != nil }.mapValues(NumericIdentity.init(rawValue:))
    }

    /// Subjects in use, by slot.
    package var subjects: [UInt16: SubjectKey] {
        Dictionary(subjectPool.assigned.map { (UInt16($0.value), $0.key) }) { $1 }
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

    private mutating func forget(
        _ name: String, _ endpoint: Endpoint, _ assignment: Assignment, keeping kept: NumericIdentity?
    ) {
        let key = SubjectKey(labels: endpoint.labels, namedPorts: endpoint.namedPorts, isHost: endpoint.isHost)
        subjectUsers[key, default: 1] -= 1
        if subjectUsers[key] == 0 {
            subjectUsers[key] = nil
            subjectPool.release(key)
        }
        touchedIdentities.insert(assignment.identity)
        guard assignment.identity != kept else { return }
        endpointsByIdentity[assignment.identity]?.remove(name)
        releaseIfUnused(endpoint.labels, assignment.identity)
    }

    private mutating func releaseIfUnused(_ labels: LabelSet, _ identity: NumericIdentity) {
        guard endpointsByIdentity[identity]?.isEmpty ?? true else { return }
        endpointsByIdentity[identity] = nil
        workloads.release(labels)
    }
}
