// SPDX-License-Identifier: Apache-2.0

import Foundation
import PolicyModel
import PolicyReading
import PolicyTesting
import Testing

/// The tables that the examples compile to are those that were looked over and committed.
///
/// After a change that is meant: `BULKHEAD_WRITE_GOLDEN=1 scripts/run-tests unit GoldenMapStateTests`, and look at what
/// `git diff` shows.
@Suite struct GoldenMapStateTests {
    private static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    private static let folder = repository.appendingPathComponent("Examples/policies/tests")
    private static let golden = repository.appendingPathComponent("Tests/ExamplesTests/Golden")
    private static let isWriting = ProcessInfo.processInfo.environment["BULKHEAD_WRITE_GOLDEN"] == "1"

    /// Writes down what every node of a test is given, and judges nothing.
    private final class Scribe: PolicyTestEngine {
        let name = "scribe"
        var text = ""

        func load(_ view: ClusterView) {
            text += "test \(view.test.name)\(view.node.isEmpty ? "" : ", node \(view.node)")\n"
            text += view.lines().map { "  \($0)\n" }.joined()
        }

        func judge(_ probe: PolicyTest.Probe, at ends: [ProbeEnd]) -> [ProbeOutcome.Side] { [] }
    }

    private func text(of tests: [UInt8], in folder: URL, file: String) throws -> String {
        let set = PolicyTestReader().read(bytes: tests, file: file)
        try #require(set.diagnostics.map(\.description) == [])
        let scribe = Scribe()
        let runner = PolicyTestRunner(engines: [scribe]) { path, _ in
            try [UInt8](Data(contentsOf: folder.appendingPathComponent(path)))
        }
        for test in set.tests { _ = try runner.run(test) }
        return scribe.text
    }

    private func compare(_ text: String, with name: String) throws {
        let file = Self.golden.appendingPathComponent(name)
        if Self.isWriting { try Data(text.utf8).write(to: file) }
        let how =
            "write it anew with BULKHEAD_WRITE_GOLDEN=1 scripts/run-tests unit GoldenMapStateTests, and look at it"
        let expected = String(decoding: (try? Data(contentsOf: file)) ?? Data(), as: UTF8.self)
        #expect(text.count > 500)
        let lines = text.split(separator: "\n"), wanted = expected.split(separator: "\n")
        let difference = lines.difference(from: wanted).map { change in
            switch change {
            case .insert(_, let line, _): "+ \(line)"
            case .remove(_, let line, _): "- \(line)"
            }
        }
        #expect(difference == [], "Golden/\(name) says otherwise; if the change is meant, \(how)")
    }

    @Test(arguments: try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".yaml") })
    func `the examples compile to the committed tables`(name: String) throws {
        let bytes = try [UInt8](Data(contentsOf: Self.folder.appendingPathComponent(name)))
        let text = try text(of: bytes, in: Self.folder, file: name)
        try compare(text, with: name.replacing(".yaml", with: ".txt"))
    }

    @Test func `the shop compiles to the committed tables`() throws {
        let test = """
            apiVersion: bulkhead.dev/v1alpha1
            kind: PolicyTest
            metadata: {name: shop}
            workloads:
              - {name: web, labels: {"container:app": web}, addresses: [10.89.0.2, "fd89::2"]}
              - {name: api, labels: {"container:app": api}, addresses: [10.89.0.3, "fd89::3"]}
              - {name: db, labels: {"container:app": db}, addresses: [10.89.0.4, "fd89::4"]}
              - {name: intruder, labels: {"container:app": intruder}, addresses: [10.89.0.5, "fd89::5"]}
            policies: [{file: web.yaml}, {file: api.yaml}, {file: db.yaml}, {file: intruder.yaml}]
            probes: [{from: web, to: api, port: 8080, expect: allow}]
            """
        let folder = Self.repository.appendingPathComponent("Examples/shop")
        try compare(try text(of: Array(test.utf8), in: folder, file: "shop.yaml"), with: "shop.txt")
    }
}
