// SPDX-License-Identifier: Apache-2.0

import AlertPipeline
import ControlAPI
import TestBed
import Testing

/// Alerts of real scans at real receivers: rsyslog, Alertmanager, a web server, a command, a file.
@Suite(.serialized) struct AlertSinkTests {
    private struct Receivers {
        let field: AttackField
        let bed: TestBed

        static func sections(_ bed: TestBed) -> String {
            """
            response: {mode: off}
            alerts:
              sinks:
                - {type: file, path: \(bed.path("alerts.ndjson"))}
                - {type: syslog, address: 127.0.0.1, port: 5514, facility: local3}
                - {type: syslog, name: socket, socket: \(bed.path("log"))}
                - {type: webhook, url: "http://127.0.0.1:8089/hook"}
                - {type: alertmanager, url: "http://127.0.0.1:9193", interval: 5s}
                - {type: command, command: [sh, -c, "cat >> \(bed.path("command.ndjson"))"], parallel: 1}
            """
        }

        func startSyslog() async throws -> SpawnedProcess {
            try writeFile(
                bed.path("rsyslog.conf"),
                """
                global(workDirectory="\(bed.path(""))")
                module(load="imudp")
                module(load="imuxsock" SysSock.Use="off")
                template(name="raw" type="string" string="%syslogfacility-text% %app-name% %structured-data% %msg%\\n")
                ruleset(name="far") { action(type="omfile" file="\(bed.path("udp.log"))" template="raw") }
                ruleset(name="near") { action(type="omfile" file="\(bed.path("socket.log"))" template="raw") }
                input(type="imudp" address="127.0.0.1" port="5514" ruleset="far")
                input(type="imuxsock" socket="\(bed.path("log"))" UseSpecialParser="off" ruleset="near")

                """)
            let process = try field.host.host.namespace.start([
                "rsyslogd", "-n", "-f", bed.path("rsyslog.conf"), "-i", bed.path("rsyslog.pid"),
            ])
            try await eventually("rsyslog listens") {
                try await field.host.host.namespace.shell("ss -Hlun sport = :5514").text.contains("5514")
            }
            return process
        }

        func startWebServer() async throws -> SpawnedProcess {
            try writeFile(
                bed.path("hook.py"),
                """
                import http.server
                class Hook(http.server.BaseHTTPRequestHandler):
                    def do_POST(self):
                        body = self.rfile.read(int(self.headers["Content-Length"]))
                        with open("\(bed.path("hook.ndjson"))", "ab") as f:
                            f.write(body.rstrip() + b"\\n")
                        self.send_response(204)
                        self.end_headers()
                    def log_message(self, *arguments): pass
                http.server.HTTPServer(("127.0.0.1", 8089), Hook).serve_forever()

                """)
            let process = try field.host.host.namespace.start(["python3", bed.path("hook.py")])
            try await awaitListener(8089)
            return process
        }

        func startAlertmanager() async throws -> SpawnedProcess {
            try writeFile(bed.path("am.yml"), "route: {receiver: none}\nreceivers: [{name: none}]\n")
            let process = try field.host.host.namespace.start([
                "prometheus-alertmanager", "--config.file=\(bed.path("am.yml"))",
                "--storage.path=\(bed.path("am"))", "--web.listen-address=127.0.0.1:9193",
                "--cluster.listen-address=",
            ])
            try await awaitListener(9193)
            return process
        }

        private func awaitListener(_ port: Int) async throws {
            try await eventually("somebody listens on \(port)", within: .seconds(20)) {
                try await field.host.host.namespace.shell("ss -Htln sport = :\(port)").text.contains("\(port)")
            }
        }

        /// What Alertmanager holds open.
        func alertmanagerText() async throws -> String {
            try await field.host.host.namespace.run(["curl", "-s", "http://127.0.0.1:9193/api/v2/alerts?active=true"])
                .output
        }

        func text(_ name: String) async throws -> String {
            try await bed.run(["sh", "-c", "cat \(bed.path(name)) 2>/dev/null || true"]).output
        }

        /// The numbers of notices in a file of JSON lines, in the order of arrival.
        func numbers(_ name: String) async throws -> [Int] {
            try await text(name).split(separator: "\n").compactMap { line in
                line.firstRange(of: "\"number\":").flatMap { Int(line[$0.upperBound...].prefix { $0.isNumber }) }
            }
        }

        func sink(_ name: String) async throws -> SinkStatus {
            let status = try #require(try await field.host.control.status().alerts)
            return try #require(status.sinks.first { $0.name == name }, "\(status.sinks.map(\.name))")
        }

        /// Scans from sources that are new, each of which is an alert.
        func scan(_ numbers: ClosedRange<Int>) async throws {
            for number in numbers { try await field.scan(from: field.source(number), ports: 100...160) }
            try await eventually("the scans are alerts") {
                let sources = Set(try await field.host.control.alerts(.everything).alerts.compactMap(\.source))
                return sources.isSuperset(of: numbers.map { field.source($0) })
            }
        }
    }

    @Test func `every sink is told of a scan, by receivers that are in use elsewhere`() async throws {
        try await withTestBed(subnet: 60) { bed in
            let field = try await AttackField(bed, Receivers.sections(bed))
            let receivers = Receivers(field: field, bed: bed)
            try await field.addSources(10...11)
            _ = try await receivers.startSyslog()
            _ = try await receivers.startWebServer()
            _ = try await receivers.startAlertmanager()
            _ = try await field.host.startAgent()
            try await receivers.scan(10...11)
            let scanner = field.source(10)
            for file in ["alerts.ndjson", "hook.ndjson", "command.ndjson"] {
                try await eventually("\(file) has it") {
                    let text = try await receivers.text(file)
                    return text.contains("\"kind\":\"opened\"") && text.contains("\"source\":\"\(scanner)\"")
                }
            }
            try await eventually("Alertmanager has it open") {
                let text = try await receivers.alertmanagerText()
                return text.contains(scanner) && text.contains("port-scan") && text.contains("\"state\":\"active\"")
            }
            for (file, facility) in [("udp.log", "local3 "), ("socket.log", "authpriv ")] {
                try await eventually("\(file) has it") {
                    try await receivers.text(file).split(separator: "\n").contains { line in
                        line.hasPrefix(facility) && line.contains("[bulkhead@32473 ") && line.contains(scanner)
                    }
                }
            }
            for name in ["file", "syslog", "socket", "webhook", "alertmanager", "command"] {
                // A notice more may be on its way just now.
                try await eventually("\(name) is told of both") {
                    let sink = try await receivers.sink(name)
                    return sink.delivered >= 2 && sink.pending == 0
                }
                let sink = try await receivers.sink(name)
                #expect(sink.lost == 0, "\(sink)")
                #expect(sink.problem == nil && sink.refused == 0, "\(sink)")
            }
            // Closed by hand, it is resolved there.
            let ids = try await field.host.control.alerts(.everything).alerts.map(\.id)
            _ = try await field.host.control.closeAlerts(AlertChangeRequest(alerts: ids))
            try await eventually("Alertmanager has it no more") {
                try await receivers.alertmanagerText().contains(scanner) == false
            }
        }
    }

    @Test func `sinks that are down cost nothing and lose nothing, over a kill of the agent, and catch up in order`()
        async throws
    {
        try await withTestBed(subnet: 60) { bed in
            let field = try await AttackField(bed, Receivers.sections(bed))
            let receivers = Receivers(field: field, bed: bed)
            try await field.addSources(10...19)
            let agent = try await field.host.startAgent()
            try await receivers.scan(10...14)
            try await eventually("the file is told at once, whoever else is away") {
                try await receivers.numbers("alerts.ndjson").count >= 5
            }
            for name in ["webhook", "alertmanager", "socket"] {
                let sink = try await receivers.sink(name)
                #expect(sink.pending >= 5 && sink.delivered == 0 && sink.lost == 0, "\(sink)")
                #expect(sink.problem != nil, "\(sink)")
            }
            #expect(try await field.isServed(field.source(19)), "enforcement goes on")
            await agent.kill()
            _ = try await field.host.startAgent()
            try await receivers.scan(15...17)
            #expect(try await receivers.sink("webhook").pending >= 8)
            _ = try await receivers.startSyslog()
            _ = try await receivers.startWebServer()
            _ = try await receivers.startAlertmanager()
            try await eventually("all are told", within: .seconds(75)) {
                var pending = 0
                for name in ["webhook", "alertmanager", "socket", "command"] {
                    pending += try await receivers.sink(name).pending
                }
                return pending == 0
            }
            let told = try await receivers.numbers("alerts.ndjson")
            #expect(Set(told).count >= 8)
            for file in ["hook.ndjson", "command.ndjson"] {
                let numbers = try await receivers.numbers(file)
                #expect(numbers == numbers.sorted(), "\(file): \(numbers)")
                #expect(Set(numbers) == Set(told), "\(file): \(numbers) of \(told)")
            }
            let (opened, socket) = (try await receivers.alertmanagerText(), try await receivers.text("socket.log"))
            for number in 10...17 {
                #expect(opened.contains(field.source(number) + "\""), "Alertmanager: \(number)")
                #expect(socket.contains(field.source(number)), "syslog: \(number)")
            }
            for name in ["webhook", "alertmanager", "socket", "command", "file"] {
                let sink = try await receivers.sink(name)
                #expect(sink.lost == 0 && sink.refused == 0, "\(sink)")
            }
        }
    }
}
