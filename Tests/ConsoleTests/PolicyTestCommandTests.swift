// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import PolicyModel
import PolicyReading
import PolicyTesting
import Testing

@testable import Console

/// `bulkhead policy test`: exit status and the three ways of showing results.
@Suite struct PolicyTestCommandTests {
    private static func text(expecting verdict: String, port: String = "80") -> String {
        """
        apiVersion: bulkhead.dev/v1alpha1
        kind: PolicyTest
        metadata: {name: "a & b"}
        workloads: [{name: a, addresses: [10.1.0.1]}, {name: b, addresses: [10.1.0.2]}]
        policies: [{file: deny.yaml}]
        probes:
          - {from: a, to: b, port: \(port), expect: \(verdict)}
          - {from: b, to: b, port: 80, expect: allow}
        """
    }

    private static let policy = """
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: deny}
        spec: {podSelector: {}}
        """

    @Test(arguments: [
        ("deny", "80", policy, 0), ("allow", "80", policy, 1), ("deny", "0", policy, 2), ("deny", "80", "kind: X", 2),
    ])
    func `the exit status tells failed expectations from bad input`(
        verdict: String, port: String, policy: String, status: Int32
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("bulkhead-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("test.yaml")
        try Data(Self.text(expecting: verdict, port: port).utf8).write(to: file)
        try Data(policy.utf8).write(to: folder.appendingPathComponent("deny.yaml"))
        #expect(await runConsole(["policy", "test", file.path]) == status)
        // In a folder the policy beside it is no test.
        #expect(await runConsole(["policy", "test", folder.path, "-o", "junit"]) == status)
    }

    @Test func `an engine that does not exist is refused`() async {
        #expect(await runConsole(["policy", "test", "--engine", "magic", "x.yaml"]) == 2)
    }

    private func report(expecting verdict: String) throws -> PolicyTestReport {
        let set = PolicyTestReader().read(bytes: Array(Self.text(expecting: verdict).utf8), file: "t.yaml")
        var report = PolicyTestReport()
        for test in set.tests {
            report.add(try PolicyTestRunner { _, _ in Array(Self.policy.utf8) }.run(test))
        }
        return report
    }

    @Test func `people read a line for each failure, and the sum last`() throws {
        #expect(
            PolicyTestRendering.lines(try report(expecting: "deny")) == [
                "ok     a & b: 2 probes", "2 passed, 0 failed",
            ])
        let lines = PolicyTestRendering.lines(try report(expecting: "allow"))
        #expect(lines.first == "FAILED a & b: 2 probes" && lines.last == "1 passed, 1 failed")
        #expect(lines[1].hasPrefix("  t.yaml:7:5: default/a -> default/b tcp/80: expected allow, got deny"))
    }

    @Test func `build servers read well-formed XML`() throws {
        let xml = PolicyTestRendering.junit(try report(expecting: "allow"))
        #expect(xml.contains(#"<testsuites tests="2" failures="1">"#))
        #expect(xml.contains(#"<testsuite name="a &amp; b" tests="2" failures="1">"#))
        #expect(xml.contains(#"name="default/a -&gt; default/b tcp/80"><failure message="expected allow, got deny"#))
    }

    @Test func `a build server that reads nothing but the XML sees bad input`() throws {
        var report = try report(expecting: "deny")
        report.addError("BH1001: cannot read <x>", at: SourceLocation(file: "t.yaml", line: 3, column: 5))
        let xml = PolicyTestRendering.junit(report)
        #expect(xml.contains(#"<testsuites tests="3" failures="0" errors="1">"#))
        #expect(
            xml.contains(
                #"<testcase classname="input" name="t.yaml:3:5"><error message="BH1001: cannot read &lt;x&gt;"/></testcase>"#
            ))
        let json = String(decoding: try APICoding.encode(report), as: UTF8.self)
        #expect(json.contains(#""errors":[{"message":"BH1001: cannot read <x>","source":"t.yaml:3:5"}]"#))
    }

    @Test func `a file of policies that is not there is an error where the test names it; an empty test is one too`()
        async throws
    {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("bulkhead-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("test.yaml")
        try Data(Self.text(expecting: "deny", port: "80").utf8).write(to: file)
        #expect(await runConsole(["policy", "test", file.path]) == 2)
        try Data().write(to: file)
        #expect(await runConsole(["policy", "test", file.path]) == 2)
    }

    @Test func `programs read every probe`() throws {
        let json = String(decoding: try APICoding.encode(try report(expecting: "allow")), as: UTF8.self)
        #expect(json.contains(#""passed":1"#) && json.contains(#""failed":1"#))
        #expect(json.contains(#""rule":"no ingress rule of NetworkPolicy/default/deny""#))
    }
}
