// SPDX-License-Identifier: Apache-2.0

import AlertPipeline
import AlertSinks
import ControlAPI
import DetectionModel
import Glibc
import IdentityModel
import LinuxHost
import Logging
import NetworkModel
import ResponseActions
import Synchronization
import Testing

@testable import AgentCore

/// Clocks that the test turns, in seconds.
final class TestClocks: Sendable {
    private let state: Mutex<(monotonic: UInt64, wall: UInt64)>

    init(wall: UInt64 = 1_800_000_000) { state = Mutex((1000, wall)) }

    func pass(_ seconds: UInt64) { state.withLock { $0 = ($0.monotonic + seconds, $0.wall + seconds) } }
    func setWall(ahead seconds: UInt64) { state.withLock { $0.wall += seconds } }
    func setWall(back seconds: UInt64) { state.withLock { $0.wall -= seconds } }

    /// CLOCK_MONOTONIC.
    var monotonic: UInt64 { state.withLock { $0.monotonic * 1_000_000_000 } }

    var clock: AlertClock {
        AlertClock(monotonic: { self.monotonic }, wall: { self.state.withLock { $0.wall * 1_000_000_000 } })
    }
}

/// Remembers what is to be done, and fails if the test says so.
final class RecordingActuator: ResponseActuator {
    private let state = Mutex<(calls: [String], failure: String?)>(([], nil))

    var calls: [String] { state.withLock { $0.calls } }
    func fail(_ failure: String?) { state.withLock { $0.failure = failure } }

    func carryOut(
        _ action: ResponseAction, for duration: Duration, cause: String, closesFailsafes: Bool
    ) async throws(ResponseFailure) {
        let reach = closesFailsafes ? " everywhere" : ""
        try note("\(action.kind.rawValue) \(action.subject) \(duration.components.seconds)s \(cause)\(reach)")
    }

    func undo(_ action: ResponseAction, cause: String) async throws(ResponseFailure) {
        try note("undo \(action.kind.rawValue) \(action.subject)")
    }

    private func note(_ call: String) throws(ResponseFailure) {
        let failure = state.withLock { state in
            state.calls.append(call)
            return state.failure
        }
        if let failure { throw ResponseFailure(failure) }
    }
}

@Suite struct AlertKeeperTests {
    private let clocks = TestClocks()
    private let actuator = RecordingActuator()

    private func finding(_ source: String = "192.0.2.1", severity: Severity = .high, forgeable: Bool = false) -> Finding
    {
        var finding = Finding(
            time: clocks.monotonic, since: clocks.monotonic - 5_000_000_000, detector: "password-guessing",
            severity: severity, technique: "T1110", summary: "many short connections")
        finding.source = IPAddress(source)
        finding.target = IPAddress("10.88.0.5")
        finding.port = 22
        finding.isSourceForgeable = forgeable
        finding.isSourceProven = true
        return finding
    }

    private func responses(
        _ directory: String, _ clock: AlertClock? = nil, _ change: (inout ResponseSettings) -> Void = { _ in }
    ) async throws -> ResponseKeeper {
        var settings = ResponseSettings()
        settings.mode = .on
        change(&settings)
        let keeper = try ResponseKeeper(
            settings, directory: directory, actuator: actuator, clock: clock ?? clocks.clock,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { GuardRails(own: Set([IPAddress("198.51.100.1")].compactMap(\.self))) }
        await keeper.start()
        return keeper
    }

    private func keeper(
        _ directory: String, _ responses: ResponseKeeper? = nil, clock: AlertClock? = nil,
        _ change: (inout AlertsConfiguration) -> Void = { _ in }
    ) throws -> AlertKeeper {
        var configuration = AlertsConfiguration()
        change(&configuration)
        return try AlertKeeper(
            configuration, directory: directory, host: "box", responses: responses, clock: clock ?? clocks.clock,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            names: { Set($0.map { "\($0)" }).contains("10.88.0.5") ? [IPAddress(v4: 0x0a58_0005): "web"] : [:] })
    }

    @Test func `a finding is an alert with the names of its workloads and times of the wall clock`() async throws {
        let scratch = try Scratch()
        let keeper = try keeper(scratch.path)
        await keeper.consume([finding(), finding()])
        let list = await keeper.list(AlertQuery())
        #expect(list.total == 1)
        let alert = try #require(list.alerts.first)
        #expect(alert.id == 1 && alert.findings == 2 && alert.targetName == "web" && alert.sourceName == nil)
        #expect(alert.lastSeen == "2027-01-15T08:00:00.000000000Z" && alert.since == "2027-01-15T07:59:55.000000000Z")
        #expect(try await keeper.alert(1) == alert)
        await #expect(throws: APIError.self) { try await keeper.alert(2) }
    }

    @Test func `alerts, numbers, mutes and acknowledgements outlive the agent`() async throws {
        let scratch = try Scratch()
        let first = try keeper(scratch.path)
        await first.consume([finding()])
        _ = try await first.acknowledge(AlertChangeRequest(alerts: [1], comment: "mine"), by: "user 0")
        _ = try await first.mute(MuteRequest(source: "203.0.113.0/24", seconds: 600), by: "user 0")
        await first.consume([finding("192.0.2.2")])
        clocks.pass(10)
        let second = try keeper(scratch.path)
        let alerts = await second.list(AlertQuery()).alerts
        #expect(alerts.map(\.id) == [2, 1] && alerts[1].state == .acknowledged && alerts[1].by == "user 0")
        #expect(await second.mutes().map(\.source) == ["203.0.113.0/24"])
        await second.consume([finding("192.0.2.3"), finding()])
        #expect(await second.list(AlertQuery()).alerts.map(\.id) == [3, 2, 1])
    }

    @Test func `a torn journal costs its last line`() async throws {
        let scratch = try Scratch()
        let first = try keeper(scratch.path)
        await first.consume([finding()])
        let path = "\(scratch.path)/alerts.journal"
        let bytes = try readFile(path)
        try AtomicFile.write(bytes + Array("{\"alert\":{\"_0\":{\"id\"".utf8), to: path)
        let second = try keeper(scratch.path)
        await second.consume([finding("192.0.2.2")])
        let third = try keeper(scratch.path)
        #expect(await third.list(AlertQuery()).alerts.map(\.id) == [2, 1])
        #expect(await third.status().problem == nil)
    }

    @Test func `without a disk alerts go on, and status says so`() async throws {
        let scratch = try Scratch()
        let keeper = try keeper("\(scratch.path)/a")
        Scratch.removeAll("\(scratch.path)/a")
        await keeper.consume([finding()])
        #expect(await keeper.list(AlertQuery()).total == 1)
        #expect(await keeper.status().problem != nil)
        try createDirectory("\(scratch.path)/a")
        await keeper.consume([finding("192.0.2.2")])
        #expect(await keeper.status().problem == nil)
        #expect(await (try self.keeper("\(scratch.path)/a")).list(AlertQuery()).total == 2, "nothing is missing")
    }

    @Test func `sinks are told once, also over a restart`() async throws {
        let scratch = try Scratch()
        let path = "\(scratch.path)/alerts.ndjson"
        func add(_ configuration: inout AlertsConfiguration) {
            var sink = AlertsConfiguration.Sink()
            sink.name = "file"
            sink.path = path
            configuration.sinks = [sink]
        }
        func kinds() throws -> [String] {
            try readTextFile(path).split(separator: "\n").map { line in
                try APICoding.decode(AlertNoticeRecord.self, from: Array(line.utf8)).kind.rawValue
            }
        }
        let first = try keeper("\(scratch.path)/a", nil, add)
        await first.consume([finding()])
        while (try? kinds()) ?? [] != ["opened"] { try await Task.sleep(for: .milliseconds(5)) }
        // The sink took it before the spool knows: who dies between the two tells twice.
        while await first.status().sinks.first?.delivered != 1 { try await Task.sleep(for: .milliseconds(5)) }
        let second = try keeper("\(scratch.path)/a", nil, add)
        await second.consume([finding()])
        clocks.pass(301)
        await second.tick()
        while try kinds().count < 2 { try await Task.sleep(for: .milliseconds(5)) }
        #expect(try kinds() == ["opened", "closed"])
        while await second.status().sinks.first?.delivered != 2 { try await Task.sleep(for: .milliseconds(5)) }
    }

    @Test func `who watches sees announcements as they are made`() async throws {
        let scratch = try Scratch()
        let keeper = try keeper(scratch.path)
        let stream = try await keeper.watch()
        await keeper.consume([finding()])
        await keeper.endWatchers()
        var lines: [AlertNoticeRecord] = []
        for await line in stream { lines.append(try APICoding.decode(AlertNoticeRecord.self, from: line)) }
        #expect(lines.map(\.kind) == [.opened] && lines.first?.host == "box")
    }

    @Test func `who is blocked is so on failsafe ports where the operator says so`() async throws {
        for isSaid in [false, true] {
            let scratch = try Scratch()
            let responses = try await responses(scratch.path) {
                $0.rules["password-guessing"] = .init(mode: .on, closesFailsafes: isSaid)
            }
            await (try keeper(scratch.path, responses)).consume([finding()])
            #expect(actuator.calls.last?.hasSuffix(" everywhere") == isSaid)
        }
    }

    @Test func `setting the wall clock neither closes alerts nor ends responses`() async throws {
        let scratch = try Scratch()
        let responses = try await responses(scratch.path)
        let keeper = try keeper(scratch.path, responses)
        await keeper.consume([finding()])
        clocks.setWall(ahead: 86_400)
        clocks.pass(1)
        await keeper.tick()
        #expect(await keeper.list(AlertQuery()).alerts.first?.state == .open)
        #expect(await responses.inForce == 1)
        clocks.pass(600)
        await keeper.tick()
        #expect(await responses.inForce == 0)
        #expect(actuator.calls.last == "undo block 192.0.2.1/32")
    }

    @Test func `a wall clock that goes to and fro by an hour makes nothing shorter, longer or told twice`() async throws
    {
        let scratch = try Scratch()
        var responses = try await responses(scratch.path)
        var keeper = try keeper(scratch.path, responses)
        await keeper.consume([finding()])
        let id = await responses.report(isWhole: false).actions.map(\.id)
        for round in 0..<50 {
            if round % 2 == 0 { clocks.setWall(back: 3600) } else { clocks.setWall(ahead: 3600) }
            clocks.pass(10)
            if round % 10 == 3 { await keeper.consume([finding()]) }
            await keeper.tick()
            #expect(await keeper.list(AlertQuery()).alerts.map(\.state) == [.open], "\(round)")
            #expect(await responses.report(isWhole: true).actions.map(\.id) == id, "\(round)")
            // The agent is killed while the clock is an hour behind.
            guard round == 20 else { continue }
            responses = try await self.responses(scratch.path)
            keeper = try self.keeper(scratch.path, responses)
            #expect(actuator.calls.last?.hasPrefix("block 192.0.2.1/32 390s") == true, "\(actuator.calls)")
        }
        #expect(actuator.calls.count == 2, "\(actuator.calls)")
        clocks.pass(90)
        await keeper.tick()
        #expect(actuator.calls.last?.hasPrefix("block") == true)
        clocks.pass(20)
        await keeper.tick()
        #expect(actuator.calls.last == "undo block 192.0.2.1/32")
    }

    @Test func `times that no clock can show end nothing`() async throws {
        let scratch = try Scratch()
        let keeper = try keeper(scratch.path)
        for time in [UInt64.max, UInt64.max / 2, 0] {
            var odd = finding()
            (odd.time, odd.since) = (time, time)
            await keeper.consume([odd])
        }
        #expect(await keeper.list(AlertQuery()).alerts.count == 1)
    }

    @Test func `numbers in a journal that nobody can have given out are damage`() async throws {
        let scratch = try Scratch()
        let first = try keeper(scratch.path, try await responses(scratch.path))
        await first.consume([finding()])
        for name in ["alerts", "responses"] {
            let path = "\(scratch.path)/\(name).journal"
            let text = String(decoding: try readFile(path), as: UTF8.self)
            let damaged = text.replacing("\"id\":1,", with: "\"id\":\(Int.max),")
            try #require(damaged != text)
            try AtomicFile.write(Array(damaged.utf8), to: path)
        }
        let keeper = try keeper(scratch.path, try await responses(scratch.path))
        await keeper.consume([finding("192.0.2.2")])
        #expect(await keeper.list(AlertQuery()).alerts.map(\.source) == ["192.0.2.2"])
    }

    @Test func `a machine that starts without the time ends blocks all the same, when it learns the time`() async throws
    {
        let scratch = try Scratch()
        let first = try keeper(scratch.path, try await responses(scratch.path))
        await first.consume([finding()])
        let dead = TestClocks(wall: 86_400)
        let again = try await responses(scratch.path, dead.clock)
        #expect(actuator.calls.last?.hasPrefix("block 192.0.2.1/32 600s") == true, "\(actuator.calls)")
        dead.setWall(ahead: 1_800_000_000)
        await again.tick()
        #expect(await again.report(isWhole: false).actions.count == 1)
        dead.pass(600)
        await again.tick()
        #expect(actuator.calls.last == "undo block 192.0.2.1/32")
    }

    @Test func `a machine that starts without the time closes alerts all the same, also when it learns the time`()
        async throws
    {
        let scratch = try Scratch()
        await (try keeper(scratch.path)).consume([finding()])
        let dead = TestClocks(wall: 86_400)
        var again = try keeper(scratch.path, clock: dead.clock)
        dead.pass(200)
        await again.tick()
        #expect(await again.list(AlertQuery()).alerts.map(\.state) == [.open])
        // The agent is killed before the machine has learnt the time.
        again = try keeper(scratch.path, clock: dead.clock)
        dead.setWall(ahead: 1_800_000_000)
        dead.pass(50)
        await again.tick()
        #expect(await again.list(AlertQuery()).alerts.map(\.state) == [.open])
        dead.pass(250)
        await again.tick()
        #expect(await again.list(AlertQuery()).alerts.isEmpty)
    }

    @Test func `a mute of the configuration keeps alerts silent and unanswered, and is lifted there`() async throws {
        let scratch = try Scratch()
        let responses = try await responses(scratch.path)
        let keeper = try keeper(scratch.path, responses) {
            $0.mutes = [AlertMute(detector: "password-guessing", isConfigured: true)]
        }
        await keeper.consume([finding()])
        #expect(actuator.calls.isEmpty)
        #expect(await keeper.list(AlertQuery()).alerts.first?.mute == 1)
        await #expect(throws: APIError.self) { try await keeper.unmute(1) }
        #expect(await (try self.keeper(scratch.path)).mutes().isEmpty, "the configuration is another one now")
    }

    @Test func `an attack is answered, and the answer survives, is listed and can be taken back`() async throws {
        let scratch = try Scratch()
        let first = try keeper(scratch.path, try await responses(scratch.path))
        await first.consume([finding(), finding(forgeable: true)])
        #expect(actuator.calls == ["block 192.0.2.1/32 600s alert 1, password-guessing: many short connections"])
        clocks.pass(100)
        let again = try await responses(scratch.path)
        #expect(actuator.calls.last?.hasPrefix("block 192.0.2.1/32 500s") == true, "repeated for the rest of its time")
        let report = await again.report(isWhole: false)
        #expect(report.actions.map(\.subject) == ["192.0.2.1"] && report.actions[0].state == .active)
        actuator.fail("no")
        await #expect(throws: APIError.self) { try await again.undo(UndoRequest(actions: [1]), by: "user 0") }
        actuator.fail(nil)
        clocks.pass(5)
        await again.tick()
        let whole = await again.report(isWhole: true).actions
        #expect(whole.first?.state == .undone && whole.first?.by == "user 0", "what was asked for once is done")
        await #expect(throws: APIError.self) { try await again.undo(UndoRequest(actions: [1]), by: "user 0") }
        await #expect(throws: APIError.self) { try await again.undo(UndoRequest(actions: [99]), by: "user 0") }
    }
}

@Suite struct AlertConfigurationTests {
    private func read(_ text: String) throws -> AgentConfiguration {
        var configuration = AgentConfiguration()
        try configuration.read(Array(text.utf8), file: "agent.yaml")
        return configuration
    }

    @Test func `every key of alerts is read`() throws {
        let alerts = try read(
            """
            alerts:
              sinks:
                - {type: file, path: /var/log/bulkhead/alerts.ndjson, severity: medium, spoolMegabytes: 1}
                - {type: syslog}
                - {type: syslog, name: far, address: 192.0.2.1, port: 5514, facility: local3}
                - {type: webhook, url: "http://hook.example:8080/x", timeLimit: 2s, detectors: [syn-flood]}
                - {type: alertmanager, url: "http://[::1]:9093", interval: 30s}
                - {type: command, command: [/usr/bin/notify, --now], parallel: 4, timeLimit: 5s}
              mutes:
                - {detector: port-scan, source: 192.0.2.0/24, comment: our scanner}
              noticesPerMinute: 10
              keep: 128
              quietTime: 10m
              reopenTime: 1h
              repeatTime: 2h
              incidentTime: 5m
              keepTime: 24h
            """
        ).alerts
        #expect(alerts.sinks.map(\.name) == ["file", "syslog", "far", "webhook", "alertmanager", "command"])
        #expect(
            alerts.sinks.map(\.place) == [
                "/var/log/bulkhead/alerts.ndjson", "/dev/log", "192.0.2.1:5514", "http://hook.example:8080/x",
                "http://[::1]:9093/", "/usr/bin/notify --now",
            ])
        #expect(alerts.sinks[0].filter.severity == .medium && alerts.sinks[0].spoolBytes == 1 << 20)
        #expect(alerts.sinks[2].facility == 19 && alerts.sinks[3].filter.detectors == ["syn-flood"])
        #expect(alerts.sinks.allSatisfy { $0.make(host: "box") != nil })
        #expect(alerts.mutes.count == 1 && alerts.mutes[0].isConfigured)
        #expect(alerts.settings.capacity == 128 && alerts.settings.quietTime == 600 * AlertSettings.second)
    }

    @Test func `every key of response is read, and on is on`() throws {
        let response = try read(
            """
            response:
              mode: off
              severity: high
              detectors:
                password-guessing: on
                port-scan: dry-run
                fan-out: {mode: on, actions: [quarantine, block], unproven: true}
                beacon: {mode: on, failsafes: true}
              blockTime: 5m
              blockTimeMax: 48h
              growth: 2
              memoryTime: 24h
              limitTime: 1m
              quarantineTime: 2h
              pardonTime: 10m
              blocks: 10
              perMinute: 5
              quarantines: 2
              quarantineWorkloads: 3
              quarantineAllow: [192.0.2.10, "2001:db8::/48"]
              protect: [10.0.0.0/8]
              limits: {source: {packets: 5000}}
            """
        ).response
        #expect(response.settings.mode == .off && response.settings.severity == .high)
        #expect(response.settings.rules["password-guessing"] == .init(mode: .on))
        #expect(response.settings.rules["port-scan"] == .init(mode: .dryRun))
        #expect(
            response.settings.rules["fan-out"] == .init(mode: .on, kinds: [.quarantine, .block], blocksUnproven: true))
        #expect(response.settings.rules["beacon"] == .init(mode: .on, closesFailsafes: true))
        #expect(response.limits.count == 1 && response.quarantineAllows.count == 2)
        #expect(response.settings.growth == 2 && response.settings.blocksMax == 10)
        #expect(try read("audit: false").response.settings.mode == .dryRun)
    }

    @Test(arguments: [
        "alerts: {sinks: [{path: /x}]}", "alerts: {sinks: [{type: file, path: x}]}",
        "alerts: {sinks: [{type: pigeon}]}",
        "alerts: {sinks: [{type: file, path: /x, url: \"http://x/\"}]}", "alerts: {sinks: [{type: webhook}]}",
        "alerts: {sinks: [{type: webhook, url: \"https://x/\"}]}", "alerts: {sinks: [{type: command, command: []}]}",
        "alerts: {sinks: [{type: syslog, name: a}, {type: file, path: /x, name: a}]}",
        "alerts: {sinks: [{type: syslog, name: ../../etc}]}", "alerts: {sinks: [{type: syslog, facility: kern}]}",
        "alerts: {mutes: [{comment: all}]}", "alerts: {mutes: [{source: 192.0.2.1/24}]}", "alerts: {quietTime: 1s}",
        "response: {mode: maybe}", "response: {detectors: {fan-out: {actions: [block]}}}",
        "response: {detectors: {fan-out: {mode: on, actions: [shout]}}}",
        "response: {detectors: {fan-aut: on}}", "response: {detectors: {fan-aut: {mode: on}}}",
        "alerts: {mutes: [{detector: fan-aut}]}", "alerts: {sinks: [{type: syslog, detectors: [fan-aut]}]}",
        "response: {blockTime: 2h, blockTimeMax: 1h}",
        "response: {blockTimeMax: 1000h}", "response: {protect: [everyone]}",
        "response: {limits: {nobody: {packets: 1}}}",
    ]) func `what makes no sense is an error with its place`(text: String) {
        #expect { try read(text + "\n") } throws: { "\($0)".hasPrefix("agent.yaml:1:") }
    }
}

@Suite struct QuarantineTests {
    private let address = IPAddress(v4: 0x0a58_0005)

    private func state(_ directory: String, replicas: Int = 1) async throws -> AgentState {
        let state = try await AgentState.adopted(in: directory)
        var workloads: [Workload] = []
        for number in 0..<replicas {
            workloads.append(
                Workload(
                    key: "w\(number)", name: "web\(number)", source: "test",
                    labels: LabelSet([
                        Label(source: "container", key: "app", value: "web"),
                        Label(source: "container", key: "evil", value: "' || all() || '"),
                        Label(source: "k8s", key: "io.kubernetes.pod.namespace", value: "default"),
                    ]),
                    addresses: [IPAddress(v4: 0x0a58_0005 + UInt32(number))], interfaces: []))
        }
        await state.update(source: "test", workloads: workloads, state: "watching", location: "")
        return state
    }

    @Test func `a workload in quarantine talks to whom the operator names, and history knows it`() async throws {
        let scratch = try Scratch()
        let state = try await state(scratch.path)
        try await state.quarantine(
            address, allowing: ["192.0.2.10/32"].compactMap { CIDR($0) }, most: 1, cause: "alert 1")
        let names = try await state.policies().map { "\($0.kind)/\($0.name)" }
        #expect(names.contains("GlobalNetworkPolicy/bulkhead-quarantine.quarantine-10-88-0-5"), "\(names)")
        #expect(try await state.history(limit: 10).revisions.count == 1)
        let allowed = try await state.explain(
            ExplainRequest(from: "192.0.2.10", to: "web0", port: 80, protocol: "tcp"))
        let denied = try await state.explain(ExplainRequest(from: "192.0.2.11", to: "web0", port: 80, protocol: "tcp"))
        #expect(allowed.verdict == "allow" && denied.verdict == "deny")
        try await state.liftQuarantine(address)
        let after = try await state.explain(ExplainRequest(from: "192.0.2.11", to: "web0", port: 80, protocol: "tcp"))
        #expect(after.verdict == "allow")
        await #expect { try await state.liftQuarantine(address) } throws: { ($0 as? APIError)?.code == .notFound }
    }

    @Test func `who has the same labels is not cut off by the way`() async throws {
        let scratch = try Scratch()
        let state = try await state(scratch.path, replicas: 3)
        await #expect {
            try await state.quarantine(address, allowing: [], most: 1, cause: "")
        } throws: {
            ($0 as? APIError)?.message.contains("3 workloads have the labels") == true
        }
        try await state.quarantine(address, allowing: [], most: 3, cause: "")
        await #expect(throws: APIError.self) {
            try await state.quarantine(IPAddress(v4: 1), allowing: [], most: 3, cause: "")
        }
    }

    @Test func `labels cannot write selectors`() throws {
        let labels = Quarantine.labels(
            of: LabelSet([
                Label(source: "container", key: "a", value: "x' || all()"),
                Label(source: "container", key: "b", value: "ok"),
                Label(source: "container", key: "c) || all(", value: "x"),
                Label(source: "reserved", key: "host", value: ""),
            ]))
        #expect(labels.map(\.key) == ["b"])
        let text = Quarantine.document(address, labels, allowing: [], cause: "\n---\nkind: evil")
        #expect(text.contains("selector: \"b == 'ok'\"") && !text.contains("evil"))
    }

    @Test func `resolv.conf is read as the resolver does`() {
        let text = "# nameserver 192.0.2.1\nnameserver 203.0.113.53\nnameserver\tfe80::1%eth0\nsearch x\nnameserver x\n"
        #expect(ResolverFile.servers(text) == Set(["203.0.113.53", "fe80::1"].compactMap { IPAddress($0) }))
    }
}
