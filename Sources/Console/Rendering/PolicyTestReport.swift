// SPDX-License-Identifier: Apache-2.0

import PolicyCompiler
import PolicyModel
import PolicyReading
import PolicyTesting

/// The results of policy tests as they are printed.
struct PolicyTestReport: Codable {
    struct Test: Codable {
        var name: String
        /// `file:line:column`.
        var source: String
        var probes: [Probe]
    }

    struct Probe: Codable {
        /// `shop/web-1 -> pay/api-1 tcp/8080`.
        var probe: String
        var source: String
        var expected: String
        var verdict: String
        var passed: Bool
        /// What each end says: `egress: allow by ...`.
        var sides: [Side]
        /// What the engine says that disagrees; absent if all agree.
        var dissent: Dissent?
        /// What went wrong; absent if nothing did.
        var failure: String?
    }

    /// An engine that differs from the first one, whose verdict and sides the probe has.
    struct Dissent: Codable {
        var engine: String
        var verdict: String
        var sides: [Side]
    }

    struct Side: Codable {
        var direction: String
        var verdict: String
        /// The rule that decided; absent if no policy selects this end.
        var rule: String?
        /// `admin`, `default` or `baseline`; absent if no tier decided.
        var tier: String?
        /// The rules by which earlier tiers passed the decision on; absent if none did.
        var passedBy: [String]?
    }

    /// Why a file or a test was not run.
    struct InputError: Codable {
        /// `file:line:column`.
        var source: String
        var message: String
    }

    private(set) var passed = 0
    private(set) var failed = 0
    private(set) var tests: [Test] = []
    /// Absent if all was read and run.
    private(set) var errors: [InputError]?

    mutating func addError(_ message: String, at location: SourceLocation) {
        errors = (errors ?? []) + [InputError(source: location.text, message: message)]
    }

    mutating func add(_ result: PolicyTestRunner.Result) {
        let probes = result.outcomes.map(Probe.init)
        let failures = probes.count { !$0.passed }
        passed += probes.count - failures
        failed += failures
        tests.append(Test(name: result.test.name, source: result.test.location.text, probes: probes))
    }
}

extension PolicyTestReport.Probe {
    fileprivate init(_ outcome: ProbeOutcome) {
        self.init(
            probe: outcome.probe.text, source: outcome.probe.location.text,
            expected: outcome.probe.expectation.rawValue, verdict: outcome.verdict.rawValue, passed: outcome.isMet,
            sides: outcome.sides.map(PolicyTestReport.Side.init),
            dissent: outcome.dissent.map {
                .init(
                    engine: $0.engine, verdict: $0.verdict.rawValue, sides: $0.sides.map(PolicyTestReport.Side.init))
            }, failure: outcome.failure)
    }
}

extension PolicyTestReport.Side {
    fileprivate init(_ side: ProbeOutcome.Side) {
        self.init(
            direction: "\(side.direction)", verdict: side.verdict.rawValue, rule: side.cause?.nameText,
            tier: side.tier?.name, passedBy: side.passedBy.isEmpty ? nil : side.passedBy.map(\.text))
    }
}

/// Results of policy tests for people and for build servers.
enum PolicyTestRendering {
    /// A line for each test and each failure; closes with `N passed, N failed`.
    static func lines(_ report: PolicyTestReport) -> [String] {
        var lines: [String] = []
        for test in report.tests {
            let failures = test.probes.filter { !$0.passed }
            let count = test.probes.count == 1 ? "1 probe" : "\(test.probes.count) probes"
            lines.append("\(failures.isEmpty ? "ok    " : "FAILED") \(test.name): \(count)")
            lines += failures.map { "  \($0.source): \($0.probe): \($0.failure ?? "")" }
        }
        return lines.map(\.forTerminal) + ["\(report.passed) passed, \(report.failed) failed"]
    }

    /// JUnit's XML: a suite for each test, a case for each probe, and a suite of what could not be run: a build server
    /// that looks at nothing else must not take bad input for success.
    static func junit(_ report: PolicyTestReport) -> String {
        let errors = report.errors ?? []
        let counted = errors.isEmpty ? "" : " errors=\"\(errors.count)\""
        var xml = #"<?xml version="1.0" encoding="UTF-8"?>"# + "\n"
        xml +=
            "<testsuites tests=\"\(report.passed + report.failed + errors.count)\" failures=\"\(report.failed)\"\(counted)>\n"
        if !errors.isEmpty {
            xml += "  <testsuite name=\"input\" tests=\"\(errors.count)\" failures=\"0\"\(counted)>\n"
            for error in errors {
                xml += "    <testcase classname=\"input\" name=\"\(escaped(error.source))\">"
                xml += "<error message=\"\(escaped(error.message))\"/></testcase>\n"
            }
            xml += "  </testsuite>\n"
        }
        for test in report.tests {
            let failures = test.probes.count { !$0.passed }
            xml +=
                "  <testsuite name=\"\(escaped(test.name))\" tests=\"\(test.probes.count)\" failures=\"\(failures)\">\n"
            for probe in test.probes {
                xml += "    <testcase classname=\"\(escaped(test.name))\" name=\"\(escaped(probe.probe))\""
                if let failure = probe.failure {
                    xml += "><failure message=\"\(escaped(failure))\">\(escaped(probe.source))</failure></testcase>\n"
                } else {
                    xml += "/>\n"
                }
            }
            xml += "  </testsuite>\n"
        }
        return xml + "</testsuites>"
    }

    /// Text inside XML; control characters, which XML cannot hold, become spaces.
    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default: result.unicodeScalars.append(scalar.value < 32 ? " " : scalar)
            }
        }
        return result
    }
}
