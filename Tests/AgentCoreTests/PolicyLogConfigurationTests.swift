// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import PolicyLog
import PolicyModel
import Testing

@testable import AgentCore

@Suite struct PolicyLogConfigurationTests {
    private func read(_ text: String) throws -> PolicyLogConfiguration {
        var configuration = AgentConfiguration()
        try configuration.read(Array(text.utf8), file: "agent.yaml")
        return configuration.policyLog
    }

    @Test func `what is logged is chosen, by default what policies want themselves`() throws {
        let untouched = try read("audit: true").rules.selections
        #expect(untouched == ["annotation": LogSelection(isOfAnnotatedOnly: true)])
        let chosen = try read(
            "policyLog: {annotated: false, select: {verdicts: [deny], namespaces: [shop], linesPerSecond: 9}}")
        #expect(
            chosen.rules.selections
                == ["configuration": LogSelection(dispositions: [.deny], namespaces: ["shop"], linesPerSecond: 9)])
        #expect(try !read("policyLog: {enabled: false}").isEnabled)
    }

    @Test(arguments: [
        "{path: log}", "{path: /var/log/}", "{files: 0}", "{megabytes: 0}", "{linesPerSecond: 0}", "{select: {}}",
        "{select: {verdicts: [drop]}}", "{select: {verdicts: [deny], policies: some}}", "{other: 1}",
    ]) func `what cannot be is refused`(text: String) {
        #expect(throws: (any Error).self) { try read("policyLog: \(text)") }
    }

    @Test func `policies in force say what is logged, and documents that come and go`() async throws {
        let scratch = try Scratch()
        let state = try await AgentState.adopted(in: scratch.path)
        let document = """
            apiVersion: bulkhead.dev/v1alpha1
            kind: PolicyLogging
            metadata: {name: denials}
            spec: {verdicts: [deny]}
            """
        let board = await state.logRules
        func selected() -> [String] { board.rules.selections.keys.sorted() }
        #expect(selected() == ["annotation"])
        _ = try await state.applyPolicies(
            PolicyDocument(name: "log.yaml", text: Array(document.utf8)), options: ChangeOptions())
        #expect(selected() == ["PolicyLogging/denials", "annotation"])
        _ = try await state.deletePolicy("PolicyLogging/denials", options: ChangeOptions())
        #expect(selected() == ["annotation"])
    }
}
