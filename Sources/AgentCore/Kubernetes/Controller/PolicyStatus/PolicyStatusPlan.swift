// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import KubernetesClient

/// What a controller is to write so that policies say how they fare on the nodes.
///
/// Pure: what informers tell comes in, what is to be written comes out. Costs what changes: a policy is looked at when it
/// changes, when a node says something of it, or when nodes reach or lose the version that it came with.
struct PolicyStatusPlan: Sendable {
    struct Settings: Hashable, Sendable {
        /// Nodes have so long to take a change before it is said that they have not.
        var patience: Duration = .seconds(2)
        /// Other words for the same are written no more often.
        var rewording: Duration = .seconds(10)
        /// What somebody changed so lately comes before what is only brought up to date.
        var haste: Duration = .seconds(60)
        /// A node that was not heard for so long is silent; some heartbeats.
        var silence: Duration = .seconds(420)
    }

    enum Step: Sendable {
        case policies(ResourceKind, InformerChange<PolicyFacts>)
        case reports(InformerChange<NodePolicyReport>)
    }

    /// A policy, among those of all kinds.
    struct PolicyID: Hashable, Sendable {
        var kind: ResourceKind
        var key: ObjectKey
    }

    /// Conditions that are to be written.
    struct Write: Hashable, Sendable {
        var policy: PolicyID
        var uid: String
        var conditions: [PolicyCondition]
    }

    private let settings: Settings
    private var facts: [ResourceKind: [ObjectKey: PolicyFacts]] = [:]
    private var censuses: [ResourceKind: PolicyCensus] = [:]
    private(set) var roll = NodeRoll()
    private var areReportsListed = false
    /// When a policy became what it is.
    private var changedAt: [PolicyID: Duration] = [:]
    private var wroteAt: [PolicyID: Duration] = [:]
    private var touched: Set<PolicyID> = []
    /// Somebody changed these, or a node says something of them, since then.
    private var hastened: [PolicyID: Duration] = [:]
    /// Not before then.
    private var waiting: [PolicyID: Duration] = [:]
    private var writing: Set<PolicyID> = []
    /// The number of nodes is in every message, and that alone is no haste.
    private var isCountOther = false
    private var lookedAt: Duration = .zero
    /// Kinds whose status nobody may write, and when to try again.
    private var barred: [ResourceKind: Duration] = [:]
    /// Policies that are not in force as they stand, and since when.
    private(set) var troubles: [PolicyID: PolicyTrouble] = [:]

    init(settings: Settings = Settings()) { self.settings = settings }

    /// How many policies are known.
    var policyCount: Int { facts.values.reduce(0) { $0 + $1.count } }

    /// How many wait to be looked at or to be written.
    var backlog: Int { touched.count + waiting.count + writing.count }

    mutating func take(_ step: Step, now: Duration) {
        switch step {
        case .policies(let kind, .replaced(let all, let keeping)):
            for key in (facts[kind] ?? [:]).keys where all[key] == nil && !keeping.contains(key) {
                set(kind, key, nil, now)
            }
            censuses[kind, default: PolicyCensus()].replace(all.mapValues(\.mark), keeping: keeping)
            for (key, policy) in all { set(kind, key, policy, now) }
        case .policies(let kind, .upserted(let key, let policy)):
            censuses[kind]?.set(key, policy.mark)
            if facts[kind]?[key]?.mark != policy.mark { hastened[PolicyID(kind: kind, key: key)] = now }
            set(kind, key, policy, now)
        case .policies(let kind, .removed(let key)):
            censuses[kind]?.set(key, nil)
            set(kind, key, nil, now)
        case .policies(let kind, .status(.notInstalled)):
            // With the kind its policies are gone: nobody is to be told.
            if facts[kind]?.isEmpty == false { take(.policies(kind, .replaced([:], keeping: [])), now: now) }
        case .reports(.replaced(let all, let keeping)):
            areReportsListed = true
            for node in roll.reports.keys where all[ObjectKey(name: node)] == nil {
                if !keeping.contains(ObjectKey(name: node)) { set(node, nil, now) }
            }
            for (key, report) in all { set(key.name, report, now) }
        case .reports(.upserted(let key, let report)): set(key.name, report, now)
        case .reports(.removed(let key)): set(key.name, nil, now)
        case .policies(_, .status), .reports(.status): break
        }
        tellNodes(of: step)
    }

    /// What is to be written next; none of them is given again before it is settled or failed.
    ///
    /// `time`: of day, RFC 3339.
    mutating func takeWrites(atMost count: Int, now: Duration, time: String) -> [Write] {
        guard areReportsListed else { return [] }
        gather(now)
        var writes: [Write] = []
        for policies in [Set(hastened.keys).intersection(touched), touched] {
            for policy in policies where writes.count < count && touched.remove(policy) != nil {
                if let write = look(at: policy, now, time) { writes.append(write) }
            }
        }
        return writes
    }

    /// A write is done, and what it wrote is there.
    mutating func settle(_ write: Write, now: Duration) {
        writing.remove(write.policy)
        wroteAt[write.policy] = now
        facts[write.policy.kind]?[write.policy.key]?.conditions = write.conditions
        touched.insert(write.policy)
    }

    /// A write failed: it is to be tried again, as things are then.
    mutating func fail(_ write: Write, now: Duration) {
        writing.remove(write.policy)
        waiting[write.policy] = now + settings.rewording
    }

    /// Nobody may write the status of a kind: it is left alone until then.
    mutating func bar(_ kind: ResourceKind, until: Duration) { barred[kind] = until }

    /// What a policy is known to say of itself.
    func conditions(of policy: PolicyID) -> [PolicyCondition] { facts[policy.kind]?[policy.key]?.conditions ?? [] }

    /// A policy, as events name it.
    func subject(_ policy: PolicyID) -> EventRecorder.Subject {
        EventRecorder.Subject(policy.kind, policy.key, uid: facts[policy.kind]?[policy.key]?.uid ?? "")
    }

    private mutating func set(_ kind: ResourceKind, _ key: ObjectKey, _ policy: PolicyFacts?, _ now: Duration) {
        let id = PolicyID(kind: kind, key: key)
        let former = facts[kind]?[key]
        facts[kind, default: [:]][key] = policy
        guard let policy else {
            (changedAt[id], wroteAt[id], waiting[id], troubles[id]) = (nil, nil, nil, nil)
            touched.remove(id)
            return
        }
        if former?.mark != policy.mark { changedAt[id] = now }
        if former != policy { touched.insert(id) }
    }

    private mutating func set(_ node: String, _ report: NodePolicyReport?, _ now: Duration) {
        let former = roll.reports[node]
        if (former == nil) != (report == nil) { isCountOther = true }
        let touched = roll.set(node, report, now: now)
        for id in touched.compactMap(id) {
            self.touched.insert(id)
            hastened[id] = now
        }
        for kind in censuses.keys { tell(kind, of: node, isNews: former != report) }
    }

    /// A kind that was not known before learns what nodes said of it.
    private mutating func tellNodes(of step: Step) {
        guard case .policies(let kind, .replaced) = step else { return }
        for node in roll.reports.keys { tell(kind, of: node, isNews: true) }
    }

    private mutating func tell(_ kind: ResourceKind, of node: String, isNews: Bool) {
        guard isNews else { return }
        guard let report = roll.reports[node] else { return censuses[kind]?.forget(node: node) ?? () }
        let isBlocked = roll.problem(of: node, kind.description) != nil
        censuses[kind]?.note(
            node: node, isBlocked ? nil : report.digests[kind.description] ?? DocumentDigest())
    }

    /// The policy that a document is.
    private func id(_ key: String) -> PolicyID? {
        let parts = key.split(separator: "/").map(String.init)
        guard parts.count > 1, let kind = censuses.keys.first(where: { $0.description == parts[0] }) else { return nil }
        let object = ObjectKey(namespace: parts.count > 2 ? parts[1] : "", name: parts[parts.count - 1])
        return facts[kind]?[object] == nil ? nil : PolicyID(kind: kind, key: object)
    }

    /// Collects what is to be looked at.
    private mutating func gather(_ now: Duration) {
        let silent = roll.noteSilence(of: settings.silence, now: now)
        for kind in censuses.keys {
            for node in silent { censuses[kind]?.touch(node: node) }
            for key in censuses[kind]?.takeTouched() ?? [] { touched.insert(PolicyID(kind: kind, key: key)) }
        }
        for (policy, since) in hastened where now - since > settings.haste { hastened[policy] = nil }
        for (policy, due) in waiting where due <= now {
            waiting[policy] = nil
            touched.insert(policy)
        }
        // So seldom that thousands of policies are no load when nodes come and go.
        let pause = max(settings.rewording, .milliseconds(60) * policyCount)
        guard isCountOther, now - lookedAt >= pause || lookedAt == .zero else { return }
        (isCountOther, lookedAt) = (false, max(now, .nanoseconds(1)))
        for (kind, policies) in facts { for key in policies.keys { touched.insert(PolicyID(kind: kind, key: key)) } }
    }

    /// What is to be written of a policy now, if anything.
    private mutating func look(at policy: PolicyID, _ now: Duration, _ time: String) -> Write? {
        guard let facts = facts[policy.kind]?[policy.key], let census = censuses[policy.kind],
            !writing.contains(policy)
        else { return nil }
        let verdict = PolicyVerdict(policy.key, policy.kind, facts.mark, census, roll)
        noteTrouble(policy, verdict, facts.mark, now)
        // Nobody says anything of policies: neither do we.
        guard policy.kind.hasConditions, roll.count > 0 || !facts.conditions.isEmpty else { return nil }
        let conditions = verdict.conditions.map { new in
            var condition = new
            let former = facts.conditions.first { $0.type == new.type }
            condition.since = former.flatMap { $0.status == new.status ? $0.since : nil } ?? time
            return condition
        }
        func former(_ new: PolicyCondition) -> PolicyCondition? { facts.conditions.first { $0.type == new.type } }
        guard !conditions.allSatisfy({ former($0)?.says($0) == true }) else {
            waiting[policy] = nil
            return nil
        }
        var due = barred[policy.kind] ?? .zero
        if conditions.allSatisfy({ former($0)?.decides(as: $0) == true }) {
            due = max(due, wroteAt[policy].map { $0 + settings.rewording } ?? .zero)
        } else if ![.inForce, .refused].contains(verdict.outcome) {
            due = max(due, (changedAt[policy] ?? .zero) + settings.patience)
        }
        guard due <= now else {
            waiting[policy] = due
            return nil
        }
        waiting[policy] = nil
        writing.insert(policy)
        return Write(policy: policy, uid: facts.uid, conditions: conditions)
    }

    private mutating func noteTrouble(
        _ policy: PolicyID, _ verdict: PolicyVerdict, _ mark: DocumentMark, _ now: Duration
    ) {
        let isTrouble = [.pending, .failed, .refused].contains(verdict.outcome) && roll.count > 0
        guard isTrouble else { return troubles[policy] = nil }
        let isRefused = verdict.outcome == .refused
        let text = isRefused ? verdict.accepted.message : verdict.inForce.message
        let former = troubles[policy]
        let isSame = former?.mark == mark && former?.isRefused == isRefused
        troubles[policy] = PolicyTrouble(
            isRefused: isRefused, mark: mark, text: text, since: isSame ? former?.since ?? now : now)
    }
}

/// Why a policy is not in force as it stands.
struct PolicyTrouble: Hashable, Sendable {
    /// False: nodes understand it, and do not do it.
    var isRefused: Bool
    var mark: DocumentMark
    /// For people.
    var text: String
    var since: Duration
}
