// SPDX-License-Identifier: Apache-2.0

package import DetectionModel
package import NetworkModel

/// Findings in, alerts and announcements out: a pure state machine with bounded memory.
///
/// Time is what callers say, nanoseconds since 1970; it never runs backwards in here.
package struct AlertPipeline: Sendable {
    package let settings: AlertSettings
    package internal(set) var counters = AlertCounters()
    /// By number.
    package internal(set) var alerts: [Int: Alert] = [:]
    package internal(set) var incidents: [Int: Incident] = [:]
    package internal(set) var mutes: [Int: AlertMute] = [:]
    var numbers = AlertNumbers()
    /// The newest alert about each thing.
    var newest: [Finding.Key: Int] = [:]
    /// The incident each address was last seen in, as a source and as a target.
    var sourceIncidents: [IPAddress: Int] = [:]
    var targetIncidents: [IPAddress: Int] = [:]
    /// Alerts of which there is something to announce.
    var pending: Set<Int> = []
    /// What the journal does not know yet, by what it is about: a later change replaces an earlier one.
    var dirty = DirtySets()
    private var clock: UInt64 = 0
    private var tokens: Double
    private var tokensAt: UInt64 = 0

    struct DirtySets: Sendable {
        var alerts: Set<Int> = []
        var incidents: Set<Int> = []
        var mutes: Set<Int> = []
        var numbers: AlertNumbers?
    }

    package init(_ settings: AlertSettings = AlertSettings()) {
        self.settings = settings
        tokens = Double(settings.noticesPerMinute)
    }

    /// Takes findings in, whose times are on the same clock as `now`.
    ///
    /// `names`: the workloads behind a source and a target. What is to be announced comes with `announce(now:)`.
    /// - Returns: the numbers of the alerts they belong to, in their order.
    package mutating func consume(
        _ findings: [Finding], now: UInt64, names: (IPAddress) -> String? = { _ in nil }
    ) -> [Int] {
        let now = advance(to: now)
        return findings.map { finding in
            counters.findings += 1
            if let id = covering(finding) {
                alerts[id]?.goOn(now: now)
                dirty.alerts.insert(id)
                return id
            }
            let id = alert(for: finding, now: now, names)
            alerts[id]?.add(finding, now: now)
            correlate(id, now: now)
            settle(id, now: now)
            cover(by: id, now: now)
            dirty.alerts.insert(id)
            return id
        }
    }

    /// Time passes: what is quiet is over, what is old goes.
    package mutating func tick(now: UInt64) {
        let now = advance(to: now)
        for mute in mutes.values where mute.isOver(now) { removeMute(mute.id) }
        for (id, alert) in alerts {
            if alert.state == .closed {
                if alert.lastSeen &+ settings.keepTime <= now && !pending.contains(id) { forget(alert) }
            } else if alert.lastSeen &+ settings.quietTime <= now {
                _ = close(id, by: nil, comment: nil, now: now)
            }
        }
        for incident in incidents.values where incident.lastSeen &+ settings.keepTime <= now { forget(incident) }
        if incidents.count > settings.capacity { forgetIncidents() }
    }

    /// The clock was set: everything that was noted moves with it.
    package mutating func shift(by nanoseconds: Int64) {
        func moved(_ time: UInt64) -> UInt64 {
            nanoseconds >= 0
                ? time.addingReportingOverflow(UInt64(nanoseconds)).partialValue
                : time - min(time, nanoseconds.magnitude)
        }
        for id in alerts.keys {
            alerts[id]?.move(moved)
            dirty.alerts.insert(id)
        }
        for id in incidents.keys {
            incidents[id]?.move(moved)
            dirty.incidents.insert(id)
        }
        // A mute's end was said as a time, or counted from one that is right now: it stays.
        clock = moved(clock)
        tokensAt = moved(tokensAt)
    }

    private mutating func advance(to now: UInt64) -> UInt64 {
        clock = max(clock, now)
        return clock
    }

    /// True if there is nothing to announce.
    package var isSilent: Bool { pending.isEmpty }

    /// Alerts of which there is something to announce.
    package var waiting: Int { pending.count }

    /// What to tell the sinks, the worst first, as the limit allows; the rest stays for the next call.
    package mutating func announce(now: UInt64) -> [AlertNotice] {
        guard !pending.isEmpty else { return [] }
        let now = advance(to: now)
        let limit = Double(settings.noticesPerMinute)
        let earned = Double(now - min(now, tokensAt)) / Double(60 * AlertSettings.second) * limit
        tokens = min(limit, tokens + earned)
        tokensAt = now
        let order = pending.sorted { a, b in
            (alerts[b]?.severity ?? .info, a) < (alerts[a]?.severity ?? .info, b)
        }
        var notices: [AlertNotice] = []
        for id in order {
            guard let alert = alerts[id], let kind = kind(of: alert) else {
                pending.remove(id)
                continue
            }
            guard tokens >= 1 else {
                counters.delayed += 1
                break
            }
            tokens -= 1
            pending.remove(id)
            notices.append(notice(kind, alert, now: now))
        }
        return notices
    }

    /// What there is to say about an alert since the sinks last heard of it.
    private func kind(of alert: Alert) -> AlertNotice.Kind? {
        let wasOpen = alert.announced.map { $0.state != .closed } ?? false
        if alert.state == .closed {
            return wasOpen || (alert.announced == nil && alert.mute == nil) ? .closed : nil
        }
        if alert.mute != nil { return nil }
        guard let announced = alert.announced, wasOpen else { return .opened }
        if alert.severity > announced.severity { return .raised }
        return alert.state == .open && announced.time &+ settings.repeatTime <= alert.lastSeen ? .continued : nil
    }

    private mutating func notice(_ kind: AlertNotice.Kind, _ alert: Alert, now: UInt64) -> AlertNotice {
        var alert = alert
        alert.announced = Alert.Announcement(state: alert.state, severity: alert.severity, time: now)
        alerts[alert.id] = alert
        dirty.alerts.insert(alert.id)
        let number = numbers.notice
        numbers.notice += 1
        dirty.numbers = numbers
        return AlertNotice(number: number, kind: kind, time: now, alert: alert)
    }

    private mutating func alert(for finding: Finding, now: UInt64, _ names: (IPAddress) -> String?) -> Int {
        if let id = newest[finding.key], let known = alerts[id] {
            if known.state != .closed { return id }
            if known.lastSeen &+ settings.reopenTime > now {
                alerts[id]?.reopen(now: now)
                return id
            }
        }
        if alerts.count >= max(16, settings.capacity) { makeRoom() }
        let id = numbers.alert
        numbers.alert += 1
        dirty.numbers = numbers
        counters.alerts += 1
        let incident = incident(for: finding, now: now)
        var alert = Alert(id: id, incident: incident, finding, now: now)
        alert.sourceName = finding.source.flatMap(names)
        alert.targetName = finding.target.flatMap(names)
        alerts[id] = alert
        newest[finding.key] = id
        incidents[incident]?.add(alert)
        return id
    }

    /// Whether an alert is muted now, and whether there is something to announce.
    private mutating func settle(_ id: Int, now: UInt64) {
        guard let alert = alerts[id] else { return }
        let mute = mutes.values.filter { !$0.isOver(now) && $0.covers(alert) }.min { $0.id < $1.id }
        alerts[id]?.mute = mute?.id
        if mute != nil { counters.muted += 1 }
        if alerts[id].flatMap(kind) != nil { pending.insert(id) }
    }

    // MARK: - What people do

    /// Marks alerts as looked after; those that are over stay over.
    ///
    /// - Returns: what to tell the sinks at once; nil: there is no such alert.
    package mutating func acknowledge(_ id: Int, by: String?, comment: String?, now: UInt64) -> [AlertNotice]? {
        let now = advance(to: now)
        guard let alert = alerts[id] else { return nil }
        guard alert.state == .open else { return [] }
        change(id, to: .acknowledged, by, comment, now)
        guard let changed = alerts[id], changed.announced != nil, changed.mute == nil else { return [] }
        return [notice(.acknowledged, changed, now: now)]
    }

    /// Ends an alert; a new finding opens it again.
    ///
    /// Nothing happens to one that is over; false: there is none.
    package mutating func close(_ id: Int, by: String?, comment: String?, now: UInt64) -> Bool {
        guard let alert = alerts[id] else { return false }
        if alert.state != .closed { change(id, to: .closed, by, comment, advance(to: now)) }
        if alerts[id].flatMap(kind) != nil { pending.insert(id) }
        return true
    }

    private mutating func change(_ id: Int, to state: Alert.State, _ by: String?, _ comment: String?, _ now: UInt64) {
        alerts[id]?.state = state
        alerts[id]?.stateSince = now
        if let by { alerts[id]?.by = AlertEvidence.cut(by) }
        if let comment { alerts[id]?.comment = AlertEvidence.cut(comment) }
        dirty.alerts.insert(id)
    }

    /// Adds a mute, also for what is open; its number is given here.
    ///
    /// Nil: it is too wide, or there are too many.
    package mutating func add(_ mute: AlertMute, now: UInt64) -> AlertMute? {
        guard mute.isNarrow, mutes.count < settings.muteCapacity else { return nil }
        let now = advance(to: now)
        var mute = mute
        mute.id = numbers.mute
        mute.by = mute.by.map(AlertEvidence.cut)
        mute.comment = mute.comment.map(AlertEvidence.cut)
        numbers.mute += 1
        dirty.numbers = numbers
        mutes[mute.id] = mute
        dirty.mutes.insert(mute.id)
        for (id, alert) in alerts where alert.mute == nil && alert.state != .closed && mute.covers(alert) {
            settle(id, now: now)
            dirty.alerts.insert(id)
        }
        return mute
    }

    /// Lifts a mute; what it kept silent and is not over is announced.
    package mutating func removeMute(_ id: Int) {
        guard mutes.removeValue(forKey: id) != nil else { return }
        dirty.mutes.insert(id)
        for (alert, content) in alerts where content.mute == id && content.state != .closed {
            settle(alert, now: clock)
            dirty.alerts.insert(alert)
        }
    }
}

extension Incident {
    fileprivate mutating func move(_ moved: (UInt64) -> UInt64) {
        since = moved(since)
        lastSeen = moved(lastSeen)
    }
}

extension Alert {
    fileprivate mutating func reopen(now: UInt64) {
        state = .open
        stateSince = now
        reopened += 1
        (by, comment) = (nil, nil)
    }

    fileprivate mutating func move(_ moved: (UInt64) -> UInt64) {
        since = moved(since)
        lastSeen = moved(lastSeen)
        stateSince = moved(stateSince)
        if let time = announced?.time { announced?.time = moved(time) }
    }
}
