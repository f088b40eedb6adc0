// SPDX-License-Identifier: Apache-2.0

import AlertPipeline
import ControlAPI
import ResponseActions
import TestBed
import Testing

/// Alerts and answers where the disk is full or a sink is away for long, and the rarer attacks.
@Suite(.serialized) struct ResponseFaultTests {
    @Test
    func `a full disk keeps nobody from being told or blocked, and what waited is told and kept when there is room`()
        async throws
    {
        try await withTestBed(subnet: 60) { bed in
            let field = try await AttackField(
                bed,
                """
                response: {mode: on, blockTime: 1h}
                alerts:
                  sinks:
                    - {type: webhook, url: "http://127.0.0.1:8089/hook"}
                    - {type: command, command: [sh, -c, "cat >> \(bed.path("told.ndjson"))"], parallel: 1}
                """)
            let state = "\(field.host.agent.directory)/state"
            try bed.noteCleanup("umount -l \(state)")
            try await bed.shell("mkdir -p \(state) && mount -t tmpfs -o size=2m tmpfs \(state)")
            let agent = try await field.host.startAgent()
            try await field.addSources(10...12)
            try await field.guess(from: field.source(10))
            let before = try await field.awaitAction(.active, field.source(10))
            try await bed.shell("cat /dev/zero > \(state)/filler 2>/dev/null || true")
            try await field.guess(from: field.source(11))
            let during = try await field.awaitAction(.active, field.source(11))
            #expect(try await field.isServed(field.source(11)) == false, "blocked all the same")
            let status = try #require(try await field.host.control.status().alerts)
            #expect(status.problem?.contains("no space left") == true, "\(status.problem ?? "-")")
            let webhook = try #require(status.sinks.first { $0.name == "webhook" })
            #expect(webhook.pending >= 2 && webhook.lost == 0, "\(webhook)")
            try await eventually("the command is told of both") {
                let text = try await bed.run(["cat", bed.path("told.ndjson")]).output
                return [10, 11].allSatisfy { text.contains("\"source\":\"\(field.source($0))\"") }
            }
            try await bed.shell("rm \(state)/filler")
            // Something to write down.
            try await field.guess(from: field.source(12))
            try await field.awaitAction(.active, field.source(12))
            try await eventually("it is on disk again") {
                let alerts = try await field.host.control.status().alerts
                return alerts?.problem == nil && alerts?.sinks.allSatisfy { $0.lost == 0 } == true
            }
            await agent.kill()
            _ = try await field.host.startAgent()
            let actions = try await field.actions()
            #expect(actions.map(\.id).contains(before.id) && actions.map(\.id).contains(during.id), "\(actions)")
            #expect(try await field.host.control.alerts(.everything).alerts.count >= 3)
            let kept = try #require(try await field.host.control.status().alerts?.sinks.first { $0.name == "webhook" })
            #expect(kept.pending >= 3 && kept.lost == 0, "\(kept)")
            for number in 10...12 { #expect(try await field.isServed(field.source(number)) == false, "\(number)") }
        }
    }

    /// Weeks of it are made by hand: the spool as an agent leaves it that was not heard a thousand times.
    @Test func `a sink that is away for long costs its spool and no more; what is lost is counted, the rest is told`()
        async throws
    {
        try await withTestBed(subnet: 60) { bed in
            let field = try await AttackField(
                bed,
                """
                response: {mode: off}
                alerts: {sinks: [{type: webhook, url: "http://127.0.0.1:8089/hook", spoolMegabytes: 1}]}
                """)
            let spool = "\(field.host.agent.directory)/state/alerts/sinks/webhook"
            func webhook() async throws -> SinkStatus {
                try #require(try await field.host.control.status().alerts?.sinks.first)
            }
            let agent = try await field.host.startAgent()
            try await field.addSources(10...11)
            try await field.scan(from: field.source(10))
            try await eventually("there is a notice") { try await webhook().pending > 0 }
            await agent.kill()
            try writeFile(
                bed.path("fill.py"),
                """
                line = open("\(spool)/0").readline()
                first, each = 0, 131072 // len(line) + 1
                while first * len(line) < 1100000:
                    with open("\(spool)/%d" % first, "w") as f: f.write(line * each)
                    first += each
                print(first)

                """)
            let filled = try #require(Int(try await bed.run(["python3", bed.path("fill.py")]).checked().text))
            _ = try await field.host.startAgent()
            #expect(try await webhook().pending == filled)
            try await field.scan(from: field.source(11))
            try await eventually("the oldest went") { try await webhook().lost > 0 }
            try await eventually("nobody was there") { try await webhook().problem != nil }
            let sink = try await webhook()
            #expect(sink.pending + sink.lost > filled, "\(sink)")
            let bytes = try #require(Int(try await bed.shell("du -sb \(spool) | cut -f1").text))
            #expect(bytes < 1_200_000, "\(bytes)")
            let text = try await field.host.agent.tool("status").output
            let line = text.split(separator: "\n").first { $0.contains("webhook") } ?? ""
            #expect(line.split(separator: " ").contains("\(sink.lost)"), "\(text)")
        }
    }

    @Test func `a flood of stray segments is found and limited`() async throws {
        try await withTestBed(subnet: 60) { bed in
            let field = try await AttackField(
                bed,
                """
                response: {mode: off, detectors: {ack-flood: on}, limitTime: 10m, limits: {source: {packets: {rate: 100, burst: 100}}}}
                """)
            _ = try await field.host.startAgent()
            try await field.addSources(10...10)
            // Strays of before the sensors are left out for the first half minute since their first report.
            for _ in 0..<34 {
                #expect(try await field.isServed(field.source(10)))
                try await Task.sleep(for: .seconds(1))
            }
            let flood = try field.host.client.start([
                "hping3", "-A", "-q", "-a", field.source(10), "-p", "80", "-i", "u150", field.target,
            ])
            try await field.awaitAction(.active, field.target, "rate-limit")
            let found = try await field.host.control.alerts(.everything).alerts.filter { $0.detector == "ack-flood" }
            #expect(found.map(\.target) == [field.target] && found.first?.sourceForgeable == true, "\(found)")
            try await eventually("the limit drops") {
                try await field.host.control.shieldReport().drops.contains {
                    $0.reason == "shield-packets" && !$0.wouldDrop && $0.packets > 1000
                }
            }
            #expect(try await field.isServed(field.host.clientAddresses[0]), "others are served")
            await flood.kill()
        }
    }

    @Test func `a container that looks for the next victim is one alert, and left with whom the operator names`()
        async throws
    {
        try await withTestBed(subnet: 60) { bed in
            let yard = try await ContainerYard(
                bed,
                configuration: """
                    shield: {mode: monitor, sensors: true}
                    response:
                      mode: off
                      detectors: {fan-out: {mode: on, actions: [quarantine]}}
                      quarantineAllow: [10.\(bed.byte).100.2, "fdbb:\(bed.subnet):100::2"]
                    """)
            let serve = ["httpd", "-f", "-p", "[::]:80", "-h", "/www"]
            // The first addresses of the network are the gateway's and this one's.
            try await yard.podman.runContainer("named", labels: ["app": "named"], command: serve)
            try await yard.podman.runContainer(
                "bad", labels: ["app": "bad"], extra: ["--ip", "10.\(bed.byte).100.77"])
            try await yard.podman.runContainer(
                "other", labels: ["app": "other"], extra: ["--ip", "10.\(bed.byte).100.88"], command: serve)
            try await yard.startAgent(expecting: 3)
            let (named, other) = (try await yard.addresses("named"), try await yard.addresses("other"))
            for address in named + other { try await yard.expectReach(address, from: "bad") }
            let hunt = "for i in $(seq 1 60); do nc -w 1 10.99.0.$i 22 </dev/null & sleep 0.02; done; wait"
            _ = try await bed.run(yard.podman.command(["exec", "bad", "sh", "-c", hunt]), within: .seconds(60))
            let bad = try await yard.addresses("bad")[0]
            var action: ResponseActionRecord?
            try await eventually("it is in quarantine", within: .seconds(10)) {
                action = try await yard.control.responses(isWhole: true).actions.first { $0.state == .active }
                return action != nil
            }
            #expect(action?.action == "quarantine" && action?.subject == bad, "\(String(describing: action))")
            for address in other { #expect(try await !yard.canReach(address, from: "bad"), "\(address)") }
            for address in named { try await yard.expectReach(address, from: "bad") }
            for address in named { #expect(try await yard.canReach(address, from: "other"), "\(address)") }
            let alerts = try await yard.control.alerts(AlertQuery()).alerts.filter { $0.source == bad }
            #expect(alerts.map(\.detector) == ["fan-out"], "\(alerts.map { "\($0.detector) \($0.summary)" })")
            #expect(
                alerts.first?.sourceName?.contains("bad") == true && alerts.first.map { "\($0.severity)" } == "critical"
            )
            let id = try #require(action).id
            let undo = try await yard.agent.tool("response", "undo", "\(id)")
            #expect(undo.status == 0, "\(undo.errors)")
            for address in other { try await yard.expectReach(address, from: "bad") }
        }
    }
}
