// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import NetworkModel
import Testing

@testable import AlertPipeline

/// A pipeline with a clock that the test turns; times in seconds.
struct Watch {
    var pipeline: AlertPipeline
    var now: UInt64 = 1_800_000_000

    init(_ change: (inout AlertSettings) -> Void = { _ in }) {
        var settings = AlertSettings()
        change(&settings)
        pipeline = AlertPipeline(settings)
    }

    var nanoseconds: UInt64 { now * AlertSettings.second }

    @discardableResult
    mutating func find(_ findings: Finding...) -> [AlertNotice] {
        _ = pipeline.consume(findings, now: nanoseconds)
        return pipeline.announce(now: nanoseconds)
    }

    @discardableResult
    mutating func pass(_ seconds: UInt64) -> [AlertNotice] {
        now += seconds
        pipeline.tick(now: nanoseconds)
        return pipeline.announce(now: nanoseconds)
    }

    var alerts: [Alert] { pipeline.alerts.values.sorted { $0.id < $1.id } }
}

func finding(
    _ detector: String, from source: String? = nil, to target: String? = nil, port: UInt16 = 0,
    severity: Severity = .low, technique: String = "T1046", forgeable: Bool = false, evidence: [Evidence] = []
) -> Finding {
    var finding = Finding(
        time: 0, since: 0, detector: detector, severity: severity, technique: technique, summary: "it happens",
        evidence: evidence)
    finding.since = 1_800_000_000 * AlertSettings.second
    finding.source = source.flatMap { IPAddress($0) }
    finding.target = target.flatMap { IPAddress($0) }
    finding.port = port
    finding.isSourceForgeable = forgeable
    return finding
}

@Suite struct AlertPipelineTests {
    @Test func `findings with one key are one alert, announced once`() {
        var watch = Watch()
        let scan = finding("port-scan", from: "192.0.2.1", to: "198.51.100.1")
        #expect(watch.find(scan).map(\.kind) == [.opened])
        for _ in 0..<100 {
            watch.now += 1
            #expect(watch.find(scan, scan).isEmpty)
        }
        #expect(watch.alerts.count == 1 && watch.alerts[0].findings == 201)
        watch.find(finding("port-scan", from: "192.0.2.2", to: "198.51.100.1"))
        #expect(watch.alerts.map(\.id) == [1, 2])
    }

    @Test func `a workload that fans out is one alert: that it also scans a network says less`() {
        var watch = Watch()
        let scan = finding("network-scan", from: "10.0.0.5", port: 22, severity: .medium)
        let other = finding("network-scan", from: "10.0.0.6", port: 22, severity: .medium)
        let fanOut = finding("fan-out", from: "10.0.0.5", port: 22, severity: .critical, technique: "T1210")
        // It scans first, and is told of; then it is known for what it is.
        #expect(watch.find(scan, other).map(\.kind) == [.opened, .opened])
        let notices = watch.find(fanOut)
        #expect(notices.map { "\($0.kind) \($0.alert.detector)" } == ["opened fan-out", "closed network-scan"])
        #expect(watch.alerts[0].comment == "alert 3, fan-out, says more")
        for _ in 0..<10 {
            watch.now += 60
            #expect(watch.find(scan, fanOut).isEmpty)
        }
        #expect(watch.alerts.map(\.state) == [.closed, .open, .open], "another source's scan is its own")
        #expect(watch.alerts[2].findings == 21 && watch.pipeline.incidents[watch.alerts[2].incident]?.alertCount == 2)
        // Where both come at once nobody hears of the scan.
        var late = Watch()
        #expect(late.find(scan, fanOut).map(\.alert.detector) == ["fan-out"])
        #expect(late.pass(301).map(\.alert.detector) == ["fan-out"], "closed")
        late.now += 10
        #expect(late.find(scan).map(\.alert.detector) == ["network-scan"], "nothing covers it any more")
    }

    @Test func `a muted alert covers nothing`() {
        var watch = Watch()
        _ = watch.pipeline.add(AlertMute(detector: "fan-out"), now: watch.nanoseconds)
        let fanOut = finding("fan-out", from: "10.0.0.5", severity: .critical, technique: "T1210")
        let scan = finding("network-scan", from: "10.0.0.5", severity: .medium)
        #expect(watch.find(scan, fanOut).map(\.alert.detector) == ["network-scan"])
        #expect(watch.find(fanOut, scan).isEmpty)
        #expect(watch.alerts.map(\.state) == [.open, .open])
    }

    @Test func `what is quiet is over, and what comes back soon is the same alert`() {
        var watch = Watch()
        let scan = finding("port-scan", from: "192.0.2.1")
        watch.find(scan)
        #expect(watch.pass(299).isEmpty)
        #expect(watch.pass(1).map(\.kind) == [.closed])
        watch.now += 1000
        #expect(watch.find(scan).map(\.kind) == [.opened])
        #expect(watch.alerts.count == 1 && watch.alerts[0].reopened == 1 && watch.alerts[0].state == .open)
        watch.pass(300)
        watch.now += 1800
        #expect(watch.find(scan).first?.alert.id == 2, "much later it is another one")
    }

    @Test func `what goes on is announced again, unless somebody looks after it`() {
        var watch = Watch()
        let flood = finding("udp-flood", to: "198.51.100.1", severity: .critical)
        var kinds = watch.find(flood).map(\.kind)
        for _ in 0..<60 {
            watch.now += 60
            kinds += watch.find(flood).map(\.kind)
        }
        #expect(kinds == [.opened, .continued, .continued])
        let told = watch.pipeline.acknowledge(1, by: "root", comment: "on it", now: watch.nanoseconds)
        #expect(told?.map(\.kind) == [.acknowledged])
        for _ in 0..<60 {
            watch.now += 60
            #expect(watch.find(flood).isEmpty)
        }
        #expect(watch.alerts[0].by == "root" && watch.alerts[0].comment == "on it")
        #expect(watch.pass(300).map(\.kind) == [.closed])
        #expect(watch.pipeline.acknowledge(7, by: nil, comment: nil, now: watch.nanoseconds) == nil)
    }

    @Test func `what gets worse is announced also if somebody looks after it`() {
        var watch = Watch()
        watch.find(finding("udp-flood", to: "198.51.100.1", severity: .medium))
        _ = watch.pipeline.acknowledge(1, by: nil, comment: nil, now: watch.nanoseconds)
        #expect(watch.find(finding("udp-flood", to: "198.51.100.1", severity: .high)).map(\.kind) == [.raised])
        #expect(watch.find(finding("udp-flood", to: "198.51.100.1", severity: .low)).isEmpty, "nothing gets better")
        #expect(watch.alerts[0].severity == .high)
    }

    @Test func `evidence keeps the largest figures and stays bounded`() {
        var watch = Watch()
        for step in 0..<100 {
            let value = Double(step < 50 ? step : 100 - step)
            watch.find(
                finding(
                    "port-scan", from: "192.0.2.1",
                    evidence: [
                        Evidence("ports", .number(value)), Evidence("last", .text("step \(step)")),
                        Evidence("hosts", .addresses([IPAddress(v4: UInt32(step))])),
                        Evidence("item\(step)", .text(String(repeating: "ä", count: 600))),
                    ]))
        }
        let evidence = watch.alerts[0].evidence
        #expect(evidence.count == 32)
        #expect(evidence[0] == AlertEvidence("ports", .number(50)))
        #expect(evidence[1] == AlertEvidence("last", .text("step 99")))
        guard case .list(let hosts) = evidence[2].value, case .text(let long) = evidence[3].value else {
            Issue.record("list and text expected")
            return
        }
        #expect(hosts.count == 32 && hosts.first == "0.0.0.0")
        #expect(long.utf8.count == 512)
    }

    @Test func `announcements are limited, and the worst come first; nothing is lost`() {
        var watch = Watch { $0.noticesPerMinute = 6 }
        var findings = (0..<20).map { finding("port-scan", from: "192.0.2.\($0)") }
        findings.append(finding("syn-flood", to: "198.51.100.1", severity: .critical))
        _ = watch.pipeline.consume(findings, now: watch.nanoseconds)
        var notices = watch.pipeline.announce(now: watch.nanoseconds)
        #expect(notices.count == 6 && notices[0].alert.detector == "syn-flood")
        #expect(watch.pipeline.counters.delayed > 0)
        for _ in 0..<200 { notices += watch.pass(1) }
        #expect(Set(notices.filter { $0.kind == .opened }.map(\.alert.id)) == Set(1...21))
        #expect(notices.map(\.number) == Array(1...notices.count))
    }

    @Test func `an alert that was over before its turn is announced as such`() {
        var watch = Watch { $0.noticesPerMinute = 1 }
        _ = watch.pipeline.consume(
            [finding("port-scan", from: "192.0.2.1"), finding("port-scan", from: "192.0.2.2")], now: watch.nanoseconds)
        #expect(watch.pipeline.announce(now: watch.nanoseconds).map(\.alert.id) == [1])
        let later = watch.pass(400) + watch.pass(60) + watch.pass(60)
        #expect(later.filter { $0.alert.id == 2 }.map(\.kind) == [.closed])
        #expect(later.filter { $0.alert.id == 1 }.map(\.kind) == [.closed])
    }

    @Test func `time that runs backwards changes nothing`() {
        var watch = Watch()
        watch.find(finding("port-scan", from: "192.0.2.1"))
        watch.now -= 86_400
        watch.find(finding("port-scan", from: "192.0.2.1"))
        #expect(watch.pass(10).isEmpty)
        #expect(watch.alerts[0].lastSeen == 1_800_000_000 * AlertSettings.second)
    }

    @Test func `when the clock is set everything moves along`() {
        var watch = Watch()
        watch.find(finding("port-scan", from: "192.0.2.1"))
        watch.pipeline.shift(by: 86_400 * Int64(AlertSettings.second))
        watch.now += 86_400
        #expect(watch.pass(10).isEmpty, "a day that did not pass closes nothing")
        #expect(watch.pass(300).map(\.kind) == [.closed])
        watch.pipeline.shift(by: Int64.min)
        #expect(watch.alerts[0].lastSeen == 0)
    }
}

@Suite struct AlertMuteTests {
    private func mute(_ detector: String? = nil, from source: String? = nil, to target: String? = nil) -> AlertMute {
        AlertMute(detector: detector, source: source.flatMap { CIDR($0) }, target: target.flatMap { CIDR($0) })
    }

    @Test func `a mute covers what fits all it says`() {
        var watch = Watch()
        #expect(watch.pipeline.add(mute(), now: 0) == nil, "not everything")
        let added = watch.pipeline.add(mute("port-scan", from: "192.0.2.0/24"), now: watch.nanoseconds)
        #expect(added?.id == 1)
        #expect(watch.find(finding("port-scan", from: "192.0.2.9")).isEmpty)
        #expect(watch.find(finding("port-scan", from: "192.0.3.9")).count == 1)
        #expect(watch.find(finding("syn-scan", from: "192.0.2.9")).count == 1)
        #expect(watch.find(finding("port-scan", to: "192.0.2.9")).count == 1)
        var wide = finding("port-scan", from: "192.0.2.0")
        wide.sourceLength = 16
        #expect(watch.find(wide).count == 1, "a mute of less than the source")
        #expect(watch.alerts.filter { $0.mute == 1 }.count == 1 && watch.pipeline.counters.muted == 1)
    }

    @Test func `when a mute ends what is still open is announced, and what is over is not`() {
        var watch = Watch()
        var short = mute("port-scan")
        short.until = watch.nanoseconds + 600 * AlertSettings.second
        _ = watch.pipeline.add(short, now: watch.nanoseconds)
        watch.find(finding("port-scan", from: "192.0.2.1"))
        watch.pass(400)
        #expect(watch.find(finding("port-scan", from: "192.0.2.2")).isEmpty)
        #expect(watch.pass(200).map(\.alert.id) == [2])
        #expect(watch.pipeline.mutes.isEmpty)
    }

    @Test func `a mute of what was announced lets its end through`() {
        var watch = Watch()
        watch.find(finding("port-scan", from: "192.0.2.1"))
        _ = watch.pipeline.add(mute("port-scan"), now: watch.nanoseconds)
        #expect(watch.find(finding("port-scan", from: "192.0.2.1", severity: .critical)).isEmpty)
        #expect(watch.pass(300).map(\.kind) == [.closed])
    }

    @Test func `mutes are bounded`() {
        var watch = Watch { $0.muteCapacity = 2 }
        #expect(watch.pipeline.add(mute("a"), now: 0)?.id == 1 && watch.pipeline.add(mute("b"), now: 0)?.id == 2)
        #expect(watch.pipeline.add(mute("c"), now: 0) == nil)
        watch.pipeline.removeMute(1)
        #expect(watch.pipeline.add(mute("c"), now: 0)?.id == 3, "numbers are not given out twice")
    }
}

@Suite struct IncidentTests {
    @Test func `alerts about one source or one target are one incident within the window`() {
        var watch = Watch()
        watch.find(
            finding("port-scan", from: "192.0.2.1", to: "198.51.100.1"),
            finding("ssh-guessing", from: "192.0.2.1", to: "198.51.100.2"),
            finding("udp-flood", to: "198.51.100.2"), finding("port-scan", from: "192.0.2.7", to: "198.51.100.7"))
        #expect(watch.alerts.map(\.incident) == [1, 1, 1, 2])
        watch.pass(901)
        watch.find(finding("port-scan", from: "192.0.2.1", to: "198.51.100.9"))
        #expect(watch.alerts.last?.incident == 3)
    }

    @Test func `a scan and then guessing is worse than each`() {
        var watch = Watch()
        watch.find(finding("port-scan", from: "192.0.2.1", to: "198.51.100.1"))
        let notices = watch.find(
            finding("ssh-guessing", from: "192.0.2.1", to: "198.51.100.1", severity: .medium, technique: "T1110.001"))
        #expect(notices.first?.alert.severity == .high)
        #expect(notices.first?.alert.raisedBecause == ["192.0.2.1 looked around before"])
        #expect(watch.pipeline.incidents[1]?.severity == .high)
    }

    @Test func `who was attacked and now attacks is taken for taken over`() {
        var watch = Watch()
        watch.find(finding("ssh-guessing", from: "192.0.2.1", to: "10.0.0.5", severity: .medium, technique: "T1110"))
        watch.find(finding("fan-out", from: "10.0.0.5", severity: .high, technique: "T1210"))
        #expect(watch.alerts[1].incident == 1 && watch.alerts[1].severity == .critical)
    }

    @Test func `three stages are an attack, data sent away after orders is one too`() {
        var watch = Watch()
        for (detector, technique) in [("a", "T1046"), ("b", "T1110"), ("c", "T1021")] {
            watch.find(finding(detector, from: "192.0.2.1", technique: technique))
        }
        #expect(watch.alerts.map(\.severity) == [.low, .high, .critical])
        var other = Watch()
        other.find(finding("beacon", from: "10.0.0.5", technique: "T1071.001"))
        other.find(finding("volume", from: "10.0.0.5", technique: "T1048"))
        #expect(other.alerts.map(\.severity) == [.low, .critical])
    }

    @Test func `forged sources neither group nor raise`() {
        var watch = Watch()
        watch.find(finding("syn-flood", from: "10.0.0.5", to: "198.51.100.1", technique: "T1046", forgeable: true))
        watch.find(finding("ssh-guessing", from: "10.0.0.5", to: "198.51.100.2", technique: "T1110"))
        #expect(watch.alerts.map(\.incident) == [1, 2])
        #expect(watch.alerts[1].severity == .low)
        watch.find(finding("fan-out", from: "10.0.0.5", technique: "T1021", forgeable: true))
        #expect(watch.alerts[2].severity == .low)
    }
}

@Suite struct AlertMemoryTests {
    @Test func `memory is bounded and what is forgotten is counted`() {
        var watch = Watch {
            $0.capacity = 64
            $0.noticesPerMinute = 10
        }
        for number in 0..<10_000 {
            watch.find(finding("port-scan", from: "\(IPAddress(v4: UInt32(number)))", to: "198.51.100.1"))
            if number % 10 == 0 { watch.pass(1) }
        }
        let pipeline = watch.pipeline
        #expect(pipeline.alerts.count <= 64)
        #expect(pipeline.newest.count <= 64 && pipeline.pending.count <= 64 && pipeline.incidents.count <= 64)
        #expect(pipeline.sourceIncidents.count <= 4 * 64 && pipeline.targetIncidents.count <= 4 * 64)
        #expect(pipeline.counters.forgotten == 10_000 - UInt64(pipeline.alerts.count))
        #expect(pipeline.counters.forgottenUnannounced > 0 && pipeline.counters.forgottenAddresses > 0)
    }

    @Test func `incidents of single alerts are bounded too`() {
        var watch = Watch { $0.capacity = 64 }
        for number in 0..<1000 {
            watch.find(finding("port-scan", from: "\(IPAddress(v4: UInt32(number)))"))
            watch.pass(1)
        }
        #expect(watch.pipeline.incidents.count <= 64)
        #expect(watch.pipeline.sourceIncidents.count <= 64)
    }

    @Test func `a flood of one kind does not drive out others, and what is open stays longest`() {
        var watch = Watch { $0.capacity = 64 }
        watch.find(finding("beacon", from: "10.0.0.5", technique: "T1071"))
        for number in 0..<1000 {
            watch.find(finding("port-scan", from: "\(IPAddress(v4: UInt32(number)))", severity: .critical))
        }
        #expect(watch.alerts.first?.detector == "beacon")
        watch.pass(300)
        watch.find(finding("beacon", from: "10.0.0.6"))
        for number in 0..<200 { watch.find(finding("syn-scan", from: "\(IPAddress(v4: UInt32(number)))")) }
        #expect(watch.alerts.contains { $0.detector == "beacon" && $0.state == .open })
    }

    @Test func `what is long over goes`() {
        var watch = Watch()
        watch.find(finding("port-scan", from: "192.0.2.1"))
        watch.pass(300)
        watch.pass(31 * 86_400)
        #expect(watch.pipeline.alerts.isEmpty && watch.pipeline.incidents.isEmpty && watch.pipeline.newest.isEmpty)
        #expect(watch.pipeline.counters.forgotten == 0)
    }
}

@Suite struct AlertJournalTests {
    private func replayed(_ changes: [AlertChange]) -> AlertPipeline {
        AlertPipeline(AlertSettings(), continuing: changes)
    }

    @Test func `a journal continues numbers, alerts, incidents and mutes`() {
        var watch = Watch()
        var journal: [AlertChange] = []
        watch.find(finding("port-scan", from: "192.0.2.1", evidence: [Evidence("ports", .number(9))]))
        journal += watch.pipeline.takeChanges()
        _ = watch.pipeline.acknowledge(1, by: "root", comment: nil, now: watch.nanoseconds)
        _ = watch.pipeline.add(AlertMute(detector: "x", comment: "noise"), now: watch.nanoseconds)
        watch.find(finding("syn-flood", to: "198.51.100.1"))
        journal += watch.pipeline.takeChanges()
        #expect(watch.pipeline.takeChanges().isEmpty)
        for changes in [journal, watch.pipeline.wholeJournal()] {
            var after = replayed(changes)
            #expect(after.alerts == watch.pipeline.alerts && after.incidents == watch.pipeline.incidents)
            #expect(after.mutes == watch.pipeline.mutes && after.numbers == watch.pipeline.numbers)
            #expect(after.newest == watch.pipeline.newest && after.sourceIncidents == watch.pipeline.sourceIncidents)
            let ids = after.consume(
                [finding("port-scan", from: "192.0.2.1"), finding("x", to: "192.0.2.3")], now: watch.nanoseconds)
            #expect(ids == [1, 3])
        }
    }

    @Test func `what was not announced before a crash is announced after it`() {
        var watch = Watch()
        _ = watch.pipeline.consume([finding("port-scan", from: "192.0.2.1")], now: watch.nanoseconds)
        var after = replayed(watch.pipeline.takeChanges())
        #expect(after.announce(now: watch.nanoseconds).map(\.kind) == [.opened])
        #expect(after.announce(now: watch.nanoseconds).isEmpty)
    }

    @Test func `numbers are not given out twice even if the journal lost its last lines`() {
        var watch = Watch()
        watch.find(finding("a", from: "192.0.2.1"), finding("b", from: "192.0.2.2"))
        let changes = watch.pipeline.wholeJournal().filter { if case .numbers = $0 { false } else { true } }
        var after = replayed(changes)
        #expect(after.consume([finding("c", to: "198.51.100.1")], now: watch.nanoseconds) == [3])
        #expect(after.alerts[3]?.incident == 3)
    }

    @Test func `what was forgotten stays so`() {
        var watch = Watch()
        watch.find(finding("a", from: "192.0.2.1"))
        let mute = watch.pipeline.add(AlertMute(detector: "x"), now: watch.nanoseconds)
        var journal = watch.pipeline.takeChanges()
        watch.pipeline.removeMute(mute?.id ?? 0)
        watch.pass(300)
        watch.pass(31 * 86_400)
        journal += watch.pipeline.takeChanges()
        let after = replayed(journal)
        #expect(after.alerts.isEmpty && after.incidents.isEmpty && after.mutes.isEmpty)
    }
}
