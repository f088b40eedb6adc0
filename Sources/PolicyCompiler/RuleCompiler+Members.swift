// SPDX-License-Identifier: Apache-2.0

package import IdentityModel
import NetworkModel
package import PolicyModel

/// Policies, subjects and peers coming and going.
extension RuleCompiler {
    /// Adds policies, or replaces those of the same references; each reference once.
    package func setPolicies(_ new: [Policy]) {
        guard !new.isEmpty else { return }
        lastInput = nil
        let moved = ranks.replace(new.map { ($0.reference, $0) })
        var movedTiers: Set<PolicyTier> = []
        var others = Set(moved)
        for policy in new {
            let old = policies[policy.reference]?.policy
            movedTiers.formUnion(changeTiers(old, to: policy))
            others.formUnion(replace(old?.standsInFor, by: policy.standsInFor))
        }
        for policy in new { install(policy) }
        reinstall(others, in: movedTiers, besides: Set(new.map(\.reference)))
    }

    /// Another policy is rehearsed in the place of one; returns those that stand otherwise now.
    private func replace(_ old: PolicyReference?, by new: PolicyReference?) -> Set<PolicyReference> {
        guard old != new else { return [] }
        if let old { replaced.remove(old) }
        if let new { replaced.insert(new) }
        return Set([old, new].compactMap(\.self))
    }

    /// The tiers that have other stages now, or end otherwise.
    private func changeTiers(_ old: Policy?, to new: Policy?) -> Set<PolicyTier> {
        guard let moved = tiers.replace(old, by: new) else { return [] }
        // The order of stages may be another one even where no stage is.
        touchedSubjects.formUnion(cells.keys.map(SubjectStage.subject))
        return moved
    }

    /// Puts in anew the policies whose rules have other ranks now, and those of tiers that have moved.
    private func reinstall(
        _ moved: Set<PolicyReference>, in tiers: Set<PolicyTier> = [], besides new: Set<PolicyReference> = []
    ) {
        for reference in moved.subtracting(new).sorted() {
            guard let policy = policies[reference]?.policy, !tiers.contains(policy.tier) else { continue }
            install(policy)
        }
        guard !tiers.isEmpty else { return }
        for (reference, compiled) in policies where tiers.contains(compiled.policy.tier) && !new.contains(reference) {
            install(compiled.policy)
        }
    }

    /// What changed since the last call is in force: ranks stay as they are.
    package func keepRanks() { ranks.keep() }

    /// Brings ranks back to what they were at the last `keepRanks`: what is in force has them.
    ///
    /// Bring the policies back next.
    package func revertRanks() {
        lastInput = nil
        reinstall(Set(ranks.revert()))
    }

    private func install(_ policy: Policy) {
        // The new one first: rules that stay keep their slots, and entries that stay are not written again.
        let previous = policies[policy.reference]
        let place = tiers.line.place(of: policy.tier)
        let standing = PolicyStanding(isAudit: policy.isAudit, isReplaced: replaced.contains(policy.reference))
        let compiled = CompiledPolicy(
            policy: policy,
            rules: policy.rules.enumerated().map { position, rule in
                CompiledRule(rule, stage: place?.stage, rank: ranks.rank(of: position, in: policy), standing: standing)
            },
            closures: policy.defaultDeny.map {
                CompiledClosure(
                    $0, of: policy, stage: place?.closes ?? false ? place?.stage : nil, standing: standing)
            })
        policies[policy.reference] = compiled
        for rule in compiled.rules { add(rule) }
        for closure in compiled.closures { add(closure) }
        if let previous { take(previous) }
    }

    /// Removes a policy; nothing happens if there is none.
    package func removePolicy(_ reference: PolicyReference) {
        lastInput = nil
        guard let compiled = policies.removeValue(forKey: reference) else { return }
        take(compiled)
        let moved = Set(ranks.replace([(reference, nil)])).union(replace(compiled.policy.standsInFor, by: nil))
        reinstall(moved, in: changeTiers(compiled.policy, to: nil))
    }

    /// Adds a subject, or replaces the one in the same slot.
    package func setSubject(_ subject: CompileSubject) {
        lastInput = nil
        guard subjects[subject.slot] != subject else { return }
        removeSubject(subject.slot, willReturn: true)
        subjects[subject.slot] = subject
        touchedSubjects.insert(subject.slot)
        for id in subjectIndex.insert(UInt32(subject.slot), subject.labels) {
            for user in subjectIndex.users(of: id) {
                guard user.subject.kind == subject.kind else { continue }
                if let rule = user as? CompiledRule { connect(rule, to: subject.slot) }
                if let closure = user as? CompiledClosure { change(closure, at: subject.slot, .add) }
            }
        }
    }

    /// Removes a subject with all its entries; nothing happens if there is none.
    package func removeSubject(_ slot: UInt16) { removeSubject(slot, willReturn: false) }

    private func removeSubject(_ slot: UInt16, willReturn: Bool) {
        lastInput = nil
        guard let subject = subjects[slot] else { return }
        touchedSubjects.insert(slot)
        for id in subjectIndex.remove(UInt32(slot)) {
            for user in subjectIndex.users(of: id) where user.subject.kind == subject.kind {
                if let rule = user as? CompiledRule { disconnect(rule, from: slot, takingEntries: false) }
            }
        }
        for stage in 0..<SubjectStage.count {
            clear(SubjectStage.slot(stage, of: slot), willReturn: willReturn)
        }
        subjects[slot] = nil
    }

    private func clear(_ slot: UInt16, willReturn: Bool) {
        guard let subjectCells = cells.removeValue(forKey: slot) else { return }
        touchedSubjects.insert(slot)
        var slotJournal = journal.removeValue(forKey: slot) ?? SlotJournal(of: subjectCells)
        slotJournal.noteAll(of: subjectCells, willReturn: willReturn, precedes: precedes)
        journal[slot] = slotJournal
        openedHostPeers[slot] = nil
        for description in defaultDenies.removeValue(forKey: slot) ?? [] {
            if let description { releaseDefaultDeny(description) }
        }
    }

    /// Adds a peer, or replaces the one with the same identity.
    ///
    /// One that no packet has needs no entries: those of its derived identities are its.
    package func setPeer(_ peer: ResolvedIdentity) {
        lastInput = nil
        let number = peer.identity.rawValue
        guard peers[number] != peer else { return }
        removePeer(peer.identity)
        guard !peer.isOnlyDerived else { return }
        peers[number] = peer
        if let name = peer.name {
            nameIndex.insert(name, number)
            for rule in nameIndex.users(of: name) { contributeEverywhere(rule, peer: number, .add) }
            for group in peer.groups {
                for id in groupNameIndex.insert(number, group) {
                    contribute(groupNameIndex.users(of: id), .groupNames, id, peer, .add)
                }
            }
            return
        }
        if peer.labels.isReserved("host") {
            hostPeers.insert(number)
            touchedSubjects.formUnion(cells.keys)
        }
        portNameIndex.insert(number, peer.namedPorts)
        for rule in portNameIndex.users(of: peer.namedPorts) { contributeEverywhere(rule, peer: number, .add) }
        for id in peerIndex.insert(number, peer.labels) {
            contribute(peerIndex.users(of: id), .labels, id, peer, .add)
        }
        for group in peer.groups {
            for id in groupIndex.insert(number, group) {
                contribute(groupIndex.users(of: id), .groups, id, peer, .add)
            }
        }
        guard let prefix = peer.prefix else { return }
        for id in prefixIndex.insert(.init(prefix: prefix, identity: number, isWorkload: peer.isWorkload)) {
            contribute(prefixIndex.users(of: id), .prefixes, id, peer, .add)
        }
    }

    /// Removes a peer with all entries that name it; nothing happens if there is none.
    package func removePeer(_ identity: NumericIdentity) {
        lastInput = nil
        let number = identity.rawValue
        guard let peer = peers[number] else { return }
        if let name = peer.name {
            for rule in nameIndex.users(of: name) { contributeEverywhere(rule, peer: number, .remove) }
            nameIndex.remove(name)
            for group in peer.groups {
                for id in groupNameIndex.remove(number, group) {
                    contribute(groupNameIndex.users(of: id), .groupNames, id, peer, .remove)
                }
            }
            peers[number] = nil
            return
        }
        if hostPeers.contains(number) { touchedSubjects.formUnion(cells.keys) }
        portNameIndex.remove(number, peer.namedPorts)
        for rule in portNameIndex.users(of: peer.namedPorts) { contributeEverywhere(rule, peer: number, .remove) }
        for id in peerIndex.remove(number) {
            contribute(peerIndex.users(of: id), .labels, id, peer, .remove)
        }
        for group in peer.groups {
            for id in groupIndex.remove(number, group) {
                contribute(groupIndex.users(of: id), .groups, id, peer, .remove)
            }
        }
        if let prefix = peer.prefix {
            for id in prefixIndex.remove(.init(prefix: prefix, identity: number, isWorkload: peer.isWorkload)) {
                contribute(prefixIndex.users(of: id), .prefixes, id, peer, .remove)
            }
        }
        // Last: the entries of named ports follow from the peer's record.
        hostPeers.remove(number)
        peers[number] = nil
    }

    /// The rules with a selector that selects the peer, once for each time that they use it.
    private func contribute(
        _ rules: [CompiledRule], _ index: CompiledRule.PeerUse.Index, _ id: Int, _ peer: ResolvedIdentity, _ sign: Sign
    ) {
        var seen: Set<ObjectIdentifier> = []
        for rule in rules where rules.count == 1 || seen.insert(ObjectIdentifier(rule)).inserted {
            for use in rule.uses(of: id, in: index) where use.isMet(by: peer) {
                contributeEverywhere(rule, peer: peer.identity.rawValue, sign)
            }
        }
    }

    private func contributeEverywhere(_ rule: CompiledRule, peer: UInt32, _ sign: Sign) {
        for subject in selectedSubjects(by: rule) {
            contribute(rule, to: subject, peers: [peer], sign)
        }
    }

    func selectedSubjects(by user: SubjectUser) -> [UInt16] {
        let kind = user.subject.kind
        return subjectIndex.members(of: user.subjectUse).map { UInt16($0) }.filter {
            subjects[$0]?.kind == kind
        }
    }

    private func add(_ rule: CompiledRule) {
        if case .some(let selectors) = rule.rule.peers {
            rule.setPeerUses(selectors.map { use($0, by: rule) })
        }
        portNameIndex.use(rule.namesOfAnyPeer, by: rule)
        rule.subjectUse = subjectIndex.use(rule.subject.labels, by: rule)
        for subject in selectedSubjects(by: rule) {
            connect(rule, to: subject)
        }
    }

    private func use(_ selector: PeerSelector, by rule: CompiledRule) -> CompiledRule.PeerUse {
        switch selector {
        case .labels(let labels): return .init(index: .labels, id: peerIndex.use(labels, by: rule))
        case .prefix(let prefix, let except, let includesWorkloads):
            let wanted = PrefixIndex<CompiledRule>.Selector(
                prefix: prefix, except: PrefixSet(except), includesWorkloads: includesWorkloads)
            return .init(index: .prefixes, id: prefixIndex.use(wanted, by: rule))
        case .group(let labels): return .init(index: .groups, id: groupIndex.use(labels, by: rule))
        case .groupNames(let labels): return .init(index: .groupNames, id: groupNameIndex.use(labels, by: rule))
        case .name(let name): return .init(index: .names, id: nameIndex.use(name, by: rule))
        case .narrowed(let selector, let condition):
            // Of several conditions each must be met: none is left out, as selectors are narrowed once.
            var use = use(selector, by: rule)
            use.condition = condition
            return use
        }
    }

    private func add(_ closure: CompiledClosure) {
        closure.subjectUse = subjectIndex.use(closure.subject.labels, by: closure)
        for subject in selectedSubjects(by: closure) {
            change(closure, at: subject, .add)
        }
    }

    private func take(_ compiled: CompiledPolicy) {
        for rule in compiled.rules where rule.subjectUse >= 0 {
            for subject in selectedSubjects(by: rule) {
                disconnect(rule, from: subject)
            }
            subjectIndex.release(rule.subjectUse, by: rule)
            portNameIndex.release(rule.namesOfAnyPeer, by: rule)
            for use in rule.peerUses ?? [] {
                switch use.index {
                case .labels: peerIndex.release(use.id, by: rule)
                case .prefixes: prefixIndex.release(use.id, by: rule)
                case .groups: groupIndex.release(use.id, by: rule)
                case .groupNames: groupNameIndex.release(use.id, by: rule)
                case .names: nameIndex.release(use.id, by: rule)
                }
            }
        }
        for closure in compiled.closures where closure.subjectUse >= 0 {
            for subject in selectedSubjects(by: closure) {
                change(closure, at: subject, .remove)
            }
            subjectIndex.release(closure.subjectUse, by: closure)
        }
    }
}
