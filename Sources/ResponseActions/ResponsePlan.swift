// SPDX-License-Identifier: Apache-2.0

package import DetectionModel
import NetworkModel

/// Decides what is done about alerts and when it is taken back: a pure state machine.
///
/// Carrying out is the caller's. Time is what callers say, nanoseconds since 1970; it never runs backwards in here.
package struct ResponsePlan: Sendable {
    package struct Counters: Hashable, Sendable, Codable {
        package var actions: UInt64 = 0
        package var wouldAct: UInt64 = 0
        package var refused: UInt64 = 0
        package var failed: UInt64 = 0
        package var forgotten: UInt64 = 0

        package init() {}
    }

    package let settings: ResponseSettings
    package private(set) var counters = Counters()
    /// By number: in force, and the last that were.
    package private(set) var records: [Int: ResponseRecord] = [:]
    private var next = 1
    /// What is in force, or would be, by what it does.
    private var current: [ResponseAction: Int] = [:]
    /// How many of each kind are in force.
    private var counts: [ResponseAction.Kind: Int] = [:]
    private var offenders = Offenders()
    private var pardons: [ResponseAction: UInt64] = [:]
    /// When refusals of the same were last written down.
    private var refusals: [ResponseAction: UInt64] = [:]
    /// Networks that cannot be blocked whole, as one in which somebody is allowed.
    private var shared: Set<CIDR> = []
    private var begins: [UInt64] = []
    private var dirty: Set<Int> = []
    private var clock: UInt64 = 0

    /// Records kept besides those in force; refusals and pardons likewise.
    static let keepMax = 4096
    /// The same refusal is written down again after so long.
    static let refusalTime: UInt64 = 600 * ResponseSettings.second

    /// Continues with what an earlier agent wrote down.
    package init(_ settings: ResponseSettings, continuing journal: [ResponseRecord] = []) {
        self.settings = settings
        // Numbers that nobody can have given out are damage.
        for record in journal where (1...Int.max / 2).contains(record.id) && record.repetition <= Int.max / 2 {
            store(record)
        }
        next = (records.keys.max() ?? 0) + 1
        for record in records.values.sorted(by: { $0.id < $1.id }) {
            if record.isInForce || record.state == .wouldAct { current[record.action] = record.id }
            if record.state == .undone, let ended = record.endedAt {
                pardons[record.action] = ended &+ settings.pardonTime
            }
            if case .block(let prefix) = record.action, record.state != .refused, record.state != .undone {
                offenders.note(prefix, count: record.repetition, until: record.endedAt ?? record.until)
            }
        }
    }

    // MARK: - Deciding

    /// What a finding leads to, of which `alert` and `severity` are those of its alert.
    ///
    /// - Returns: actions to be carried out now, written down as `decided`.
    package mutating func answer(
        _ finding: Finding, alert: Int, severity: Severity, rails: GuardRails, now: UInt64
    ) -> [ResponseRecord] {
        let now = advance(to: now)
        let rule = settings.rule(for: finding.detector)
        guard rule.mode != .off, severity >= settings.severity else { return [] }
        var decided: [ResponseRecord] = []
        for action in ResponsePlan.actions(finding, rails).map({ widened($0, rails, rule.mode, now) }) {
            guard rule.kinds?.contains(action.kind) ?? (action.kind != .quarantine) else { continue }
            guard !isCurrent(action, mode: rule.mode, now), !isPardoned(action, now) else { continue }
            let refusal = refusal(action, finding, rule, rails) ?? ceiling(action, rule.mode, now)
            var record = record(action, finding, alert: alert, severity: severity, now: now)
            if let refusal {
                guard isNews(action, now) else { continue }
                record.state = .refused
                record.problem = refusal
                record.endedAt = now
                counters.refused += 1
            } else if rule.mode == .dryRun {
                record.state = .wouldAct
                counters.wouldAct += 1
                current[action] = record.id
            } else {
                counters.actions += 1
                current[action] = record.id
                begins.append(now)
                if case .block(let prefix) = action {
                    offenders.note(prefix, count: record.repetition, until: record.until)
                }
            }
            next += 1
            put(record)
            if record.state == .decided { decided.append(record) }
        }
        bound()
        return decided
    }

    /// What fits a finding, the most specific first.
    private static func actions(_ finding: Finding, _ rails: GuardRails) -> [ResponseAction] {
        var actions: [ResponseAction] = []
        if let source = finding.source {
            let whole = source.isIPv4 ? 32 : 128
            let bits = finding.sourceLength == 0 ? whole : min(whole, Int(finding.sourceLength))
            if rails.workloads.contains(source) {
                actions.append(.quarantine(source))
            } else {
                actions.append(.block(CIDR(source, length: bits)))
            }
        }
        if let target = finding.target, finding.detector.hasSuffix("flood") || finding.detector == "amplification" {
            actions.append(
                wantsCookies(finding.detector) ? .synDefence(target, port: finding.port) : .rateLimit(target))
        }
        return actions
    }

    /// True if what a detector finds is answered by SYN cookies, and not by limits.
    static func wantsCookies(_ detector: String) -> Bool { detector.hasPrefix("syn") }

    /// Who comes back by IPv6 is blocked with the /64 it has, if that hits nobody whom the host needs.
    private func widened(
        _ action: ResponseAction, _ rails: GuardRails, _ mode: ResponseSettings.Mode, _ now: UInt64
    ) -> ResponseAction {
        guard case .block(let prefix) = action, !isCurrent(action, mode: mode, now) else { return action }
        let whole = Offenders.whole(prefix)
        let isBack = offenders.count(prefix, now: now, memory: settings.memoryTime) > 0
        return isBack && !shared.contains(whole) && rails.refusal(toBlock: whole) == nil ? .block(whole) : action
    }

    private func isPardoned(_ action: ResponseAction, _ now: UInt64) -> Bool {
        if pardons[action] ?? 0 > now { return true }
        guard case .block(let prefix) = action else { return false }
        return pardons[.block(Offenders.whole(prefix))] ?? 0 > now
    }

    private func isCurrent(_ action: ResponseAction, mode: ResponseSettings.Mode, _ now: UInt64) -> Bool {
        guard let record = current[action].flatMap({ records[$0] }) else { return false }
        // What was only tried out is done once it is switched on.
        if record.state == .wouldAct { return mode == .dryRun && record.until > now }
        return record.isInForce
    }

    private func refusal(
        _ action: ResponseAction, _ finding: Finding, _ rule: ResponseSettings.Rule, _ rails: GuardRails
    ) -> String? {
        switch action {
        case .block(let prefix):
            if finding.isSourceForgeable { return "the source may be forged: a block would hit whom it names" }
            if !finding.isSourceProven && !rule.blocksUnproven {
                return
                    "few or no handshakes were completed, so the source may be forged; `unproven: true` blocks all the same"
            }
            return rails.refusal(toBlock: prefix)
        case .quarantine(let address):
            if finding.isSourceForgeable { return "the source may be forged: a quarantine would hit whom it names" }
            return rails.refusal(toQuarantine: address)
        case .rateLimit(let address), .synDefence(let address, _): return rails.refusal(toDefend: address)
        }
    }

    private mutating func ceiling(_ action: ResponseAction, _ mode: ResponseSettings.Mode, _ now: UInt64) -> String? {
        guard mode == .on else { return nil }
        begins.removeAll { $0 &+ 60 * ResponseSettings.second <= now }
        // What defends a listener cuts nobody off: it is not kept from doing so by what a crowd of sources does.
        guard action.kind == .block || action.kind == .quarantine else { return nil }
        guard begins.count < settings.perMinute else {
            return "\(settings.perMinute) actions within a minute are the limit"
        }
        let most = action.kind == .block ? settings.blocksMax : settings.quarantinesMax
        return counts[action.kind, default: 0] < most ? nil : "\(most) at once are the limit"
    }

    /// Whether a refusal is to be written down.
    private mutating func isNews(_ action: ResponseAction, _ now: UInt64) -> Bool {
        guard (refusals[action] ?? 0) <= now else { return false }
        if refusals.count >= ResponsePlan.keepMax { refusals = refusals.filter { $0.value > now } }
        // A crowd of refusals is counted, not told.
        guard refusals.count < ResponsePlan.keepMax else {
            counters.refused += 1
            return false
        }
        refusals[action] = now &+ ResponsePlan.refusalTime
        return true
    }

    private func record(
        _ action: ResponseAction, _ finding: Finding, alert: Int, severity: Severity, now: UInt64
    ) -> ResponseRecord {
        var repetition = 1
        let time: UInt64
        switch action {
        case .block(let prefix):
            repetition += offenders.count(prefix, now: now, memory: settings.memoryTime)
            time = blockTime(repetition)
        case .quarantine: time = settings.quarantineTime
        case .rateLimit, .synDefence: time = settings.limitTime
        }
        return ResponseRecord(
            id: next, action: action, state: .decided, alert: alert, detector: finding.detector, severity: severity,
            cause: String(finding.summary.prefix(256)), since: now, until: now &+ time, repetition: repetition)
    }

    private func blockTime(_ repetition: Int) -> UInt64 {
        var time = settings.blockTime
        for _ in 1..<max(2, min(repetition, 64)) where repetition > 1 {
            let (grown, overflow) = time.multipliedReportingOverflow(by: max(1, settings.growth))
            time = overflow ? settings.blockTimeMax : grown
            if time >= settings.blockTimeMax { break }
        }
        return min(time, settings.blockTimeMax)
    }

    // MARK: - What became of it

    /// An action was carried out, or was not.
    package mutating func settle(_ id: Int, failure: ResponseFailure?) {
        guard var record = records[id], record.state == .decided else { return }
        record.state = failure == nil ? .active : .failed
        record.problem = failure?.description
        if failure != nil {
            counters.failed += 1
            record.endedAt = clock
            current[record.action] = nil
            // It was none, so that it does not count as one.
            if case .block(let prefix) = record.action {
                offenders.note(prefix, count: record.repetition - 1, until: clock)
                if failure?.isFinal == true, shared.count < ResponsePlan.keepMax { shared.insert(prefix) }
            }
        }
        put(record)
    }

    /// What is to be taken back now, because its time is over.
    package mutating func due(now: UInt64) -> [ResponseRecord] {
        let now = advance(to: now)
        var due: [ResponseRecord] = []
        for var record in records.values.sorted(by: { $0.id < $1.id }) {
            if record.state == .wouldAct, record.until <= now, record.endedAt == nil {
                record.endedAt = now
                if current[record.action] == record.id { current[record.action] = nil }
                put(record)
            }
            guard record.isInForce, record.until <= now else { continue }
            if record.state != .ending {
                record.state = .ending
                put(record)
            }
            due.append(record)
        }
        pardons = pardons.filter { $0.value > now }
        return due
    }

    /// An action was taken back, or was not; `by`: whoever wanted it before its time.
    package mutating func finish(_ id: Int, by: String?, failure: ResponseFailure?) {
        guard var record = records[id], record.isInForce else { return }
        if let failure {
            record.state = .ending
            record.until = min(record.until, clock)
            record.problem = "not yet taken back: \(failure.description)"
            if let by { record.by = by }
            put(record)
            return
        }
        let by = by ?? record.by
        record.state = by == nil ? .ended : .undone
        record.by = by
        record.problem = nil
        record.endedAt = clock
        current[record.action] = nil
        if by != nil {
            if pardons.count < ResponsePlan.keepMax { pardons[record.action] = clock &+ settings.pardonTime }
            if case .block(let prefix) = record.action { offenders.forgive(prefix) }
        } else if case .block(let prefix) = record.action {
            offenders.extend(prefix, count: record.repetition, until: clock)
        }
        put(record)
    }

    /// What is to be in force after a restart: repeated, since nobody knows whether it still is.
    package mutating func toRepeat(now: UInt64) -> [ResponseRecord] {
        let now = advance(to: now)
        return records.values.filter { $0.isInForce && $0.state != .ending && $0.until > now }.sorted { $0.id < $1.id }
            .map { record in
                var record = record
                record.state = .decided
                put(record)
                return record
            }
    }

    /// What is in force and may be taken back by hand.
    package var inForce: [ResponseRecord] { records.values.filter(\.isInForce).sorted { $0.id < $1.id } }

    // MARK: - Journal and time

    /// True if there is something that the journal does not know.
    package var isDirty: Bool { !dirty.isEmpty }

    /// Records that the journal does not know as they are now.
    package mutating func takeChanges() -> [ResponseRecord] {
        defer { dirty = [] }
        return dirty.sorted().compactMap { records[$0] }
    }

    /// The clock was set: everything that was noted moves with it.
    package mutating func shift(by nanoseconds: Int64) {
        func moved(_ time: UInt64) -> UInt64 {
            nanoseconds >= 0
                ? time.addingReportingOverflow(UInt64(nanoseconds)).partialValue
                : time - min(time, nanoseconds.magnitude)
        }
        for var record in Array(records.values) {
            record.since = moved(record.since)
            record.until = moved(record.until)
            record.endedAt = record.endedAt.map(moved)
            put(record)
        }
        clock = moved(clock)
        pardons = pardons.mapValues(moved)
        refusals = refusals.mapValues(moved)
        begins = begins.map(moved)
        offenders.shift(moved)
    }

    private mutating func put(_ record: ResponseRecord) {
        store(record)
        dirty.insert(record.id)
    }

    private mutating func store(_ record: ResponseRecord) {
        let old = records.updateValue(record, forKey: record.id)
        let change = (record.isInForce ? 1 : 0) - (old?.isInForce == true ? 1 : 0)
        if change != 0 { counts[record.action.kind, default: 0] += change }
    }

    private mutating func advance(to now: UInt64) -> UInt64 {
        clock = max(clock, now)
        return clock
    }

    /// What is over goes, the oldest first, a sixteenth at a time; what is in force stays, and has a ceiling of its own.
    private mutating func bound() {
        guard records.count > ResponsePlan.keepMax + settings.blocksMax else { return }
        let over = records.values.filter { !$0.isInForce }.sorted { $0.id < $1.id }
        for record in over.prefix(max(1, ResponsePlan.keepMax / 16)) {
            records[record.id] = nil
            dirty.remove(record.id)
            if current[record.action] == record.id { current[record.action] = nil }
            counters.forgotten += 1
        }
    }
}
