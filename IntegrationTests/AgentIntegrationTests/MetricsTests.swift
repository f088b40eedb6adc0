// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import LinuxHost
import TestBed
import Testing

/// What the agent tells Prometheus: the real one scrapes a real agent that enforces.
@Suite(.serialized) struct MetricsTests {
    private static let token = "0123456789abcdef0123456789abcdef"
    private static let address = "127.0.0.1:9965"
    private static let repository = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()
    private static let rules = "\(repository)/Deploy/prometheus"

    /// A shop whose agent asks scrapers for a token.
    private struct Field {
        let bed: TestBed
        let shop: Shop

        init(_ bed: TestBed) async throws {
            self.bed = bed
            try writeFile(bed.path("token"), MetricsTests.token + "\n")
            shop = try await Shop(
                bed, configuration: "metrics: {listen: \"\(MetricsTests.address)\", tokenFile: \(bed.path("token"))}")
        }

        /// Status and body of a request to the port.
        func ask(_ path: String, _ options: String...) async throws -> (status: Int, body: String) {
            let line =
                ["curl", "-s", "-m", "10", "-w", "\n%{http_code}"] + options + ["http://\(MetricsTests.address)\(path)"]
            let output = try await shop.host.namespace.run(line).output
            let end = output.lastIndex(of: "\n") ?? output.startIndex
            return (Int(output[end...].dropFirst()) ?? 0, String(output[..<end]))
        }

        func page() async throws -> String {
            let answer = try await ask("/metrics", "-H", "Authorization: Bearer \(MetricsTests.token)")
            #expect(answer.status == 200)
            return answer.body
        }

        func startPrometheus() async throws -> SpawnedProcess {
            try writeFile(
                bed.path("prometheus.yaml"),
                """
                global: {scrape_interval: 1s, evaluation_interval: 1s}
                rule_files: [\(MetricsTests.rules)/bulkhead.rules.yaml]
                scrape_configs:
                  - job_name: bulkhead
                    static_configs: [{targets: ["\(MetricsTests.address)"]}]
                    authorization: {credentials_file: \(bed.path("token"))}
                  - job_name: bulkhead-stranger
                    static_configs: [{targets: ["\(MetricsTests.address)"]}]

                """)
            return try shop.host.namespace.start([
                "prometheus", "--config.file=\(bed.path("prometheus.yaml"))",
                "--storage.tsdb.path=\(bed.path("tsdb"))", "--web.listen-address=127.0.0.1:9094",
            ])
        }

        /// Prometheus' answer to an instant query, as it came.
        func query(_ expression: String) async throws -> String {
            try await shop.host.namespace.run([
                "curl", "-s", "-m", "10", "-G", "--data-urlencode", "query=\(expression)",
                "http://127.0.0.1:9094/api/v1/query",
            ]).output
        }
    }

    @Test func `a real Prometheus scrapes an agent that enforces, and its rules find what they ask for`() async throws {
        try await withTestBed(subnet: 26) { bed in
            let field = try await Field(bed)
            _ = try await field.shop.startAgent()
            try await field.shop.enforce(Shop.clientOnly)
            #expect(try await field.shop.client.canConnect(to: field.shop.server.address4, port: 80))
            #expect(try await !field.shop.intruder.canConnect(to: field.shop.server.address4, port: 80))
            let prometheus = try await field.startPrometheus()
            func isUp(_ job: String) async throws -> String? {
                let answer = try await field.query("up{job=\"\(job)\"}")
                return answer.contains("\"1\"]") ? "1" : answer.contains("\"0\"]") ? "0" : nil
            }
            try await eventually("it is scraped", within: .seconds(60)) { try await isUp("bulkhead") == "1" }
            try await eventually("who has no token is not answered", within: .seconds(60)) {
                try await isUp("bulkhead-stranger") == "0"
            }
            // The kernel's count, as Prometheus has it.
            try await eventually("the denied connection is counted", within: .seconds(60)) {
                try await field.query("sum(bulkhead_dropped_packets_total{reason=~\"policy.*\"}) > 0").contains(
                    "\"value\"")
            }
            try await eventually("recording rules have values", within: .seconds(60)) {
                try await field.query("instance_map:bulkhead_map_fill:ratio").contains("\"value\"")
            }
            #expect(prometheus.exitStatus == nil, "\(prometheus.errors)")
            let page = try await field.page()
            #expect(page.utf8.count < 2 << 20)
            // The reference is made of the catalogue: what this agent does not have (a cluster, feeds) is there alone.
            let reference = try readTextFile("\(Self.repository)/docs/reference/metrics.md")
            let asked = try metricNames()
            let told = asked.filter { page.contains("# TYPE \($0) ") }
            #expect(told.count > 10, "\(told.sorted())")
            for name in asked { #expect(reference.contains("`\(name)`"), "rules ask for \(name)") }
            try writeFile(bed.path("page"), page)
            _ = try await bed.shell("promtool check metrics <\(bed.path("page"))").checked()
        }
    }

    @Test func `nobody learns anything without the token, and nothing but the page is there`() async throws {
        try await withTestBed(subnet: 26) { bed in
            let field = try await Field(bed)
            _ = try await field.shop.startAgent()
            try await eventually("it answers") { try await field.ask("/metrics").status != 0 }
            #expect(try await field.ask("/metrics").status == 401)
            #expect(try await field.ask("/nothing").status == 401)
            let wrong = String(Self.token.dropLast()) + "0"
            for header in ["Bearer \(wrong)", "Bearer", "Basic \(Self.token)", "Bearer \(Self.token)0"] {
                let answer = try await field.ask("/metrics", "-H", "Authorization: \(header)")
                #expect(answer.status == 401 && !answer.body.contains("bulkhead_"), "\(header)")
            }
            let right = "Authorization: Bearer \(Self.token)"
            #expect(try await field.ask("/v1/status", "-H", right).status == 404)
            #expect(try await field.ask("/metrics", "-H", right, "-X", "PUT").status == 405)
            #expect(try await field.ask("/metrics", "-H", right, "--data-binary", "x").status == 413)
            // Another token counts from the moment it is there.
            try writeFile(bed.path("token"), wrong + "\n")
            #expect(try await field.ask("/metrics", "-H", right).status == 401)
            #expect(try await field.ask("/metrics", "-H", "Authorization: Bearer \(wrong)").status == 200)
            // On the agent's own socket it is asked for by the rights on that.
            #expect(try await field.shop.agent.tool("metrics").checked().output.contains("# TYPE bulkhead_ready gauge"))
        }
    }

    @Test func `the rules are those that promtool takes, and fire when they should`() async throws {
        try await withTestBed(subnet: 26) { bed in
            _ = try await bed.shell("promtool check rules \(Self.rules)/bulkhead.rules.yaml").checked()
            _ = try await bed.shell("cd \(Self.rules) && promtool test rules bulkhead.rules.test.yaml").checked()
            _ = try await bed.shell("cd \(Self.rules) && promtool check config prometheus.yaml").checked()
        }
    }

    /// What rules ask of agents: not what other rules record.
    private func metricNames() throws -> Set<String> {
        let text = try readTextFile("\(Self.rules)/bulkhead.rules.yaml")
        let words = text.split { !($0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ":")) }
        let expressions = words.filter { $0.hasPrefix("bulkhead_") && !$0.contains(":") }
        #expect(expressions.count > 10)
        return Set(
            expressions.map { name in
                ["_bucket", "_count", "_sum"].first { name.hasSuffix($0) }.map { String(name.dropLast($0.count)) }
                    ?? String(name)
            })
    }
}
