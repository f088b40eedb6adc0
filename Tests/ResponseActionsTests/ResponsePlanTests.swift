// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import FoundationEssentials
import NetworkModel
import Testing

@testable import ResponseActions

/// A plan with a clock that the test turns, in seconds, whose actions all succeed unless the test says otherwise.
struct Desk {
    var plan: ResponsePlan
    var rails = GuardRails(
        own: Set(["198.51.100.1", "2001:db8:1::1"].compactMap { IPAddress($0) }),
        gateways: Set(["198.51.100.254", "fe80::1", "2001:db8:1::fe"].compactMap { IPAddress($0) }),
        resolvers: Set(["203.0.113.53"].compactMap { IPAddress($0) }),
        workloads: Set(["10.88.0.5", "10.88.0.6"].compactMap { IPAddress($0) }),
        sessions: Set(["203.0.113.22"].compactMap { IPAddress($0) }))
    var now: UInt64 = 1_800_000_000
    var journal: [Int: ResponseRecord] = [:]

    init(_ change: (inout ResponseSettings) -> Void = { _ in }) {
        var settings = ResponseSettings()
        settings.mode = .on
        change(&settings)
        plan = ResponsePlan(settings)
    }

    var nanoseconds: UInt64 { now * ResponseSettings.second }

    @discardableResult
    mutating func answer(_ finding: Finding, severity: Severity? = nil) -> [ResponseRecord] {
        let decided = plan.answer(
            finding, alert: 1, severity: severity ?? finding.severity, rails: rails, now: nanoseconds)
        for record in decided { plan.settle(record.id, failure: nil) }
        note()
        return decided
    }

    /// Takes back what is over.
    mutating func pass(_ seconds: UInt64) {
        now += seconds
        for record in plan.due(now: nanoseconds) { plan.finish(record.id, by: nil, failure: nil) }
        note()
    }

    mutating func note() { for record in plan.takeChanges() { journal[record.id] = record } }

    var last: ResponseRecord? { plan.records.values.max { $0.id < $1.id } }
    var minutes: UInt64? { last.map { ($0.until - $0.since) / ResponseSettings.second / 60 } }
}

func finding(
    _ detector: String = "ssh-guessing", from source: String? = nil, to target: String? = nil, bits: UInt8 = 0,
    forgeable: Bool = false, proven: Bool = true, severity: Severity = .high
) -> Finding {
    var finding = Finding(
        time: 0, since: 0, detector: detector, severity: severity, technique: "T1110", summary: "it happens")
    finding.source = source.flatMap { IPAddress($0) }
    finding.sourceLength = bits
    finding.target = target.flatMap { IPAddress($0) }
    finding.isSourceForgeable = forgeable
    finding.isSourceProven = proven
    return finding
}

@Suite struct ResponsePlanTests {
    @Test func `the defence of listeners is made ready where a detector may call for it`() {
        func mayDefend(_ change: (inout ResponseSettings) -> Void) -> Bool {
            var settings = ResponseSettings()
            change(&settings)
            return settings.mayDefend(["port-scan", "syn-flood", "udp-flood"])
        }
        #expect(!mayDefend { _ in })
        #expect(mayDefend { $0.mode = .on })
        #expect(!mayDefend { ($0.mode, $0.rules["syn-flood"]) = (.on, .init(mode: .dryRun)) })
        #expect(!mayDefend { ($0.mode, $0.rules["syn-flood"]) = (.on, .init(mode: .on, kinds: [.block])) })
        #expect(mayDefend { $0.rules["syn-flood"] = .init(mode: .on, kinds: [.synDefence]) })
        #expect(!mayDefend { $0.rules["udp-flood"] = .init(mode: .on) })
    }

    @Test func `a source is blocked once, and let off when its time is over`() {
        var desk = Desk()
        #expect(desk.answer(finding(from: "192.0.2.1")).map(\.action.subject.description) == ["192.0.2.1/32"])
        #expect(desk.answer(finding(from: "192.0.2.1")).isEmpty)
        #expect(desk.last?.state == .active && desk.last?.cause == "it happens" && desk.last?.alert == 1)
        desk.pass(599)
        #expect(desk.plan.inForce.count == 1)
        desk.pass(1)
        #expect(desk.plan.inForce.isEmpty && desk.last?.state == .ended && desk.last?.endedAt == desk.nanoseconds)
    }

    @Test func `who comes back is blocked four times as long, up to a ceiling, and forgotten after a week`() {
        var desk = Desk()
        var minutes: [UInt64?] = []
        for _ in 0..<6 {
            desk.answer(finding(from: "192.0.2.1"))
            minutes.append(desk.minutes)
            desk.pass(86_400)
        }
        #expect(minutes == [10, 40, 160, 640, 1440, 1440])
        desk.pass(8 * 86_400)
        desk.answer(finding(from: "192.0.2.1"))
        #expect(desk.minutes == 10 && desk.last?.repetition == 1)
    }

    @Test func `another address of the same 64 bits is no way round a block, nor does the time begin anew`() {
        var desk = Desk()
        let (first, second) = (finding(from: "2001:db8:9::1"), finding(from: "2001:db8:9::2"))
        #expect(desk.answer(first).map(\.action.subject.description) == ["2001:db8:9::1/128"])
        #expect(desk.answer(first).isEmpty, "what was under way names him again")
        #expect(desk.answer(second).map(\.action.subject.description) == ["2001:db8:9::/64"])
        #expect(desk.minutes == 40 && desk.last?.repetition == 2)
        #expect(desk.answer(second).isEmpty && desk.answer(finding(from: "2001:db8:9::3")).isEmpty)
        #expect(desk.answer(finding(from: "2001:db8:8::1")).first?.action.subject.length == 128, "a neighbour")
        // Who is let off by hand is let off with all that he has.
        if let whole = desk.plan.inForce.first(where: { $0.action.subject.length == 64 }) {
            desk.plan.finish(whole.id, by: "root", failure: nil)
        }
        #expect(desk.answer(finding(from: "2001:db8:9::4")).isEmpty)
        desk.pass(86_400)
        #expect(desk.answer(second).first?.action.subject.length == 128, "as if it had not been")
    }

    @Test func `a network that holds somebody else is not blocked whole`() {
        var desk = Desk()
        for (index, source) in ["2001:db8:1::a", "2001:db8:1::b"].enumerated() {
            #expect(
                desk.answer(finding(from: source)).map(\.action.subject.length) == [128], "\(index): the host is there")
        }
        _ = desk.answer(finding(from: "2001:db8:9::1"))
        let whole = desk.plan.answer(
            finding(from: "2001:db8:9::2"), alert: 1, severity: .high, rails: desk.rails, now: desk.nanoseconds)
        #expect(whole.map(\.action.subject.length) == [64])
        desk.plan.settle(whole[0].id, failure: ResponseFailure("an allow feed names one", isFinal: true))
        #expect(desk.answer(finding(from: "2001:db8:9::2")).map(\.action.subject.length) == [128])
    }

    @Test func `growth does not overflow`() {
        var desk = Desk {
            $0.growth = .max
            $0.blockTime = .max / 2
        }
        for _ in 0..<3 {
            desk.answer(finding(from: "192.0.2.1"))
            #expect(desk.minutes ?? .max <= 1440)
            desk.pass(86_400)
        }
    }

    @Test func `off does nothing, dry run writes down, on acts`() {
        var desk = Desk { $0.rules = ["a": .init(mode: .off), "b": .init(mode: .dryRun)] }
        desk.answer(finding("a", from: "192.0.2.1"))
        #expect(desk.plan.records.isEmpty)
        #expect(desk.answer(finding("b", from: "192.0.2.1")).isEmpty)
        desk.answer(finding("b", from: "192.0.2.1"))
        #expect(desk.plan.records.count == 1 && desk.last?.state == .wouldAct && desk.plan.inForce.isEmpty)
        #expect(desk.answer(finding("c", from: "192.0.2.1")).count == 1, "what was tried out is done where it is on")
        desk.pass(1200)
        desk.answer(finding("b", from: "192.0.2.9"))
        desk.pass(601)
        desk.answer(finding("b", from: "192.0.2.9"))
        #expect(desk.plan.counters.wouldAct == 3)
    }

    @Test func `what is harmless is not answered`() {
        var desk = Desk()
        #expect(desk.answer(finding(from: "192.0.2.1", severity: .low)).isEmpty)
        #expect(desk.answer(finding(from: "192.0.2.1", severity: .low), severity: .high).count == 1)
    }

    @Test func `a flooded destination is defended, by cookies if the flood is of SYNs`() {
        var desk = Desk()
        #expect(
            desk.answer(finding("syn-flood", to: "198.51.100.1", forgeable: true)).map(\.action.kind) == [.synDefence])
        #expect(
            desk.answer(finding("udp-flood", to: "10.88.0.5", forgeable: true)).map(\.action.kind) == [.rateLimit])
        #expect(desk.answer(finding("udp-flood", to: "192.0.2.200", forgeable: true)).isEmpty, "not ours")
        #expect(desk.last?.state == .refused)
    }

    @Test func `the defence of a listener is of the port that is flooded, and so is written down`() throws {
        var desk = Desk()
        var flood = finding("syn-flood", to: "198.51.100.1", forgeable: true)
        flood.port = 443
        let record = try #require(desk.answer(flood).first)
        #expect(record.action == .synDefence(IPAddress(v4: 0xc633_6401), port: 443) && record.action.port == 443)
        let again = try JSONDecoder().decode(ResponseRecord.self, from: JSONEncoder().encode(record))
        #expect(again == record)
        #expect(desk.answer(flood).isEmpty, "it is in force")
    }

    @Test func `a workload is put in quarantine only where the operator says so, and never blocked`() {
        var desk = Desk()
        #expect(desk.answer(finding("fan-out", from: "10.88.0.5")).isEmpty)
        var other = Desk { $0.rules = ["fan-out": .init(mode: .on, kinds: [.quarantine, .block])] }
        #expect(other.answer(finding("fan-out", from: "10.88.0.5")).map(\.action.kind) == [.quarantine])
        #expect(other.minutes == 60)
        #expect(other.answer(finding("fan-out", from: "192.0.2.1")).map(\.action.kind) == [.block])
    }

    @Test func `what somebody takes back is left alone for an hour, and counts as nothing`() {
        var desk = Desk()
        desk.answer(finding(from: "192.0.2.1"))
        desk.plan.finish(1, by: "root", failure: nil)
        #expect(desk.last?.state == .undone && desk.last?.by == "root")
        desk.pass(3599)
        #expect(desk.answer(finding(from: "192.0.2.1")).isEmpty)
        desk.pass(1)
        desk.answer(finding(from: "192.0.2.1"))
        #expect(desk.last?.id == 2 && desk.last?.repetition == 1)
    }

    @Test func `what fails is said, and tried again by the next finding`() {
        var desk = Desk()
        let decided = desk.plan.answer(
            finding(from: "192.0.2.1"), alert: 1, severity: .high, rails: desk.rails, now: desk.nanoseconds)
        desk.plan.settle(decided[0].id, failure: ResponseFailure("the shield is off"))
        #expect(desk.last?.state == .failed && desk.last?.problem == "the shield is off")
        desk.answer(finding(from: "192.0.2.1"))
        #expect(desk.last?.state == .active && desk.last?.repetition == 1)
    }

    @Test func `what cannot be taken back is tried until it can`() {
        var desk = Desk()
        desk.answer(finding(from: "192.0.2.1"))
        desk.now += 600
        for _ in 0..<3 {
            #expect(desk.plan.due(now: desk.nanoseconds).map(\.id) == [1])
            desk.plan.finish(1, by: nil, failure: ResponseFailure("no"))
            desk.now += 5
        }
        #expect(desk.last?.state == .ending && desk.last?.problem?.contains("not yet taken back: no") == true)
        desk.pass(5)
        #expect(desk.last?.state == .ended && desk.last?.problem == nil)
    }

    @Test func `when the clock is set ends move along`() {
        var desk = Desk()
        desk.answer(finding(from: "192.0.2.1"))
        desk.plan.shift(by: 86_400 * Int64(ResponseSettings.second))
        desk.now += 86_400
        desk.pass(599)
        #expect(desk.plan.inForce.count == 1)
        desk.now -= 1000
        desk.pass(0)
        #expect(desk.plan.inForce.count == 1, "time that runs backwards ends nothing and keeps nothing")
        desk.pass(1001)
        #expect(desk.plan.inForce.isEmpty)
    }

    @Test func `who was let off by hand is left alone over a restart too`() {
        var desk = Desk()
        desk.answer(finding(from: "192.0.2.1"))
        desk.plan.finish(1, by: "root", failure: nil)
        desk.plan = ResponsePlan(desk.plan.settings, continuing: Array(desk.plan.records.values))
        desk.pass(3599)
        #expect(desk.answer(finding(from: "192.0.2.1")).isEmpty)
        desk.pass(1)
        #expect(desk.answer(finding(from: "192.0.2.1")).count == 1)
    }

    @Test func `a restart goes on with what is in force, with numbers and with who came back`() {
        var desk = Desk()
        desk.answer(finding(from: "192.0.2.1"))
        desk.pass(600)
        desk.answer(finding(from: "192.0.2.1"))
        desk.answer(finding(from: "192.0.2.2"))
        desk.now += 601
        var after = ResponsePlan(desk.plan.settings, continuing: Array(desk.journal.values))
        #expect(after.due(now: desk.nanoseconds).map(\.id) == [3], "over while nobody looked")
        #expect(after.toRepeat(now: desk.nanoseconds).map(\.id) == [2])
        after.settle(2, failure: nil)
        #expect(
            after.answer(
                finding(from: "192.0.2.1"), alert: 1, severity: .high, rails: desk.rails, now: desk.nanoseconds
            )
            .isEmpty)
        after.finish(2, by: nil, failure: nil)
        let again = after.answer(
            finding(from: "192.0.2.1"), alert: 1, severity: .high, rails: desk.rails, now: desk.nanoseconds)
        #expect(again.map(\.id) == [4] && again.map(\.repetition) == [3])
    }

    @Test func `what was decided when the agent was killed is carried out or taken back`() {
        var desk = Desk()
        _ = desk.plan.answer(
            finding(from: "192.0.2.1"), alert: 1, severity: .high, rails: desk.rails, now: desk.nanoseconds)
        desk.note()
        var after = ResponsePlan(desk.plan.settings, continuing: Array(desk.journal.values))
        #expect(after.toRepeat(now: desk.nanoseconds).map(\.id) == [1])
        var late = ResponsePlan(desk.plan.settings, continuing: Array(desk.journal.values))
        #expect(late.due(now: desk.nanoseconds + 600 * ResponseSettings.second).map(\.id) == [1])
    }
}

@Suite struct GuardRailTests {
    private func refusal(_ desk: inout Desk, _ finding: Finding) -> String? {
        #expect(desk.answer(finding).isEmpty)
        #expect(desk.last?.state == .refused && desk.plan.inForce.isEmpty)
        return desk.last?.problem
    }

    @Test func `a spoofed flood does not make the host block whom it names`() {
        var desk = Desk()
        for number in 0..<1000 {
            let flood = finding("syn-flood", from: "192.0.2.\(number % 256)", to: "198.51.100.1", forgeable: true)
            for record in desk.answer(flood) { #expect(record.action.kind == .synDefence) }
        }
        #expect(!desk.plan.records.values.contains { $0.action.kind == .block && $0.state != .refused })
        var other = Desk { $0.rules = ["fan-out": .init(mode: .on, kinds: [.quarantine])] }
        #expect(other.answer(finding("fan-out", from: "10.88.0.5", forgeable: true)).isEmpty, "nor cut off a workload")
    }

    @Test func `who completed no handshake is not blocked, unless the operator wants that`() {
        var desk = Desk { $0.rules = ["port-scan": .init(mode: .on, blocksUnproven: true)] }
        #expect(
            refusal(&desk, finding("slow-scan", from: "192.0.2.1", proven: false))?.contains("no handshakes") == true)
        #expect(desk.answer(finding("slow-scan", from: "192.0.2.1")).count == 1, "it has shown now that it exists")
        #expect(desk.answer(finding("port-scan", from: "192.0.2.2", proven: false)).count == 1)
        #expect(desk.answer(finding("port-scan", from: "192.0.2.3", forgeable: true, proven: false)).isEmpty)
        var wide = Desk { $0.rules = ["fan-out": .init(mode: .on, kinds: [.quarantine])] }
        #expect(wide.answer(finding("fan-out", from: "10.88.0.5")).count == 1)
    }

    @Test(arguments: [
        ("198.51.100.1", "this host's own"), ("2001:db8:1::1", "this host's own"), ("198.51.100.254", "a gateway"),
        ("203.0.113.53", "a resolver"), ("203.0.113.22", "a session"), ("127.0.0.1", "127.0.0.0/8"),
        ("fe80::1", "fe80::/10"), ("fe80::1234", "fe80::/10"), ("0.0.0.0", "0.0.0.0/8"), ("::", "::/96"),
        ("255.255.255.255", "224.0.0.0/3"), ("224.0.0.1", "224.0.0.0/3"), ("ff02::1", "ff00::/8"),
        ("169.254.169.254", "169.254.0.0/16"), ("64:ff9b::c000:201", "64:ff9b::/96"), ("2002:c000:201::1", "2002::/16"),
        ("172.20.1.1", "172.16.0.0/12"),
    ]) func `whom the host needs is never blocked`(source: String, why: String) {
        var desk = Desk()
        desk.rails.protected = ["172.16.0.0/12"].compactMap { CIDR($0) }
        #expect(refusal(&desk, finding(from: source))?.contains(why) == true)
    }

    @Test func `nor a network around any of them`() {
        var desk = Desk()
        #expect(refusal(&desk, finding(from: "2001:db8:1::dead", bits: 64))?.contains("this host's own") == true)
        desk.rails.own = []
        desk.answer(finding(from: "2001:db8:1::beef", bits: 64))
        #expect(desk.plan.records.count == 1, "told once within ten minutes")
        desk.pass(600)
        #expect(refusal(&desk, finding(from: "2001:db8:1::beef", bits: 64))?.contains("a gateway") == true)
        desk.rails.protected = ["2001:db8:2::5/128"].compactMap { CIDR($0) }
        #expect(refusal(&desk, finding(from: "2001:db8:2::99", bits: 64))?.contains("is protected") == true)
        #expect(desk.answer(finding(from: "2001:db8:3::99", bits: 64)).count == 1)
    }

    @Test(arguments: [("192.0.2.1", UInt8(24)), ("192.0.2.1", 8), ("2001:db8:9::1", 48), ("2001:db8:9::1", 1)])
    func `nothing wider than what shares an address is blocked`(source: String, bits: UInt8) {
        var desk = Desk()
        #expect(refusal(&desk, finding(from: source, bits: bits))?.contains("wider") == true)
    }

    @Test func `an odd count of bits is one address`() {
        var desk = Desk()
        #expect(desk.answer(finding(from: "192.0.2.1", bits: 128)).first?.action.subject.length == 32)
        #expect(desk.answer(finding(from: "2001:db8:9::1", bits: 200)).first?.action.subject.length == 128)
    }

    @Test func `nobody is blocked before the host knows its own addresses`() {
        var desk = Desk()
        desk.rails.areKnown = false
        #expect(refusal(&desk, finding(from: "192.0.2.1"))?.contains("not known") == true)
    }

    @Test func `so many are blocked at once, and what ends makes room`() {
        var desk = Desk {
            $0.blocksMax = 5
            $0.perMinute = 1000
        }
        for number in 1...20 { desk.answer(finding(from: "192.0.2.\(number)")) }
        #expect(desk.plan.inForce.count == 5)
        #expect(desk.plan.counters.refused == 15)
        desk.pass(600)
        desk.answer(finding(from: "192.0.2.30"))
        #expect(desk.plan.inForce.count == 1)
    }

    @Test func `so many actions begin within a minute, and defence is not kept from beginning`() {
        var desk = Desk { $0.perMinute = 3 }
        for number in 1...20 { desk.answer(finding(from: "192.0.2.\(number)")) }
        #expect(desk.plan.inForce.count == 3)
        #expect(desk.answer(finding("syn-flood", to: "198.51.100.1", forgeable: true)).count == 1)
        desk.pass(61)
        #expect(desk.answer(finding(from: "192.0.2.99")).count == 1)
    }

    @Test func `quarantines have a ceiling of their own`() {
        var desk = Desk { $0.rules = ["fan-out": .init(mode: .on, kinds: [.quarantine])] }
        for number in 1...10 {
            guard let address = IPAddress("10.88.1.\(number)") else { continue }
            desk.rails.workloads.insert(address)
            desk.answer(finding("fan-out", from: "\(address)"))
        }
        #expect(desk.plan.inForce.count == 4)
        desk.rails.own.insert(IPAddress(v4: 0x0a58_0005))
        #expect(desk.answer(finding("fan-out", from: "10.88.0.5")).isEmpty && desk.last?.state == .refused)
    }

    @Test func `a crowd of sources fills neither memory nor journal`() {
        var desk = Desk { $0.perMinute = 1_000_000 }
        for number in 0..<20_000 {
            desk.answer(finding(from: "\(IPAddress(v4: 0x0b00_0000 + UInt32(number)))"))
            if number % 100 == 0 { desk.pass(10) }
        }
        #expect(desk.plan.records.count <= 4096 + 1024 + 256)
        #expect(desk.plan.inForce.count <= 1024)
        #expect(desk.plan.counters.forgotten > 0)
    }
}
