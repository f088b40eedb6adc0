// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import KernelDatapath
import PolicyModel
import PolicyReading
import Testing

@testable import AgentCore
@testable import LinuxHost

/// Policies of a `kind: List` are kept, shown and read again each by itself.
@Suite struct ListedPolicyTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private static let json: String = {
        let items = (0..<4).map { number in
            #"{"apiVersion":"projectcalico.org/v3","kind":"NetworkPolicy","metadata":{"name":"k\#(number)","#
                + #""namespace":"shop","annotations":{"bulkhead.dev/lintIgnore":"BH2010: an old habit"}},"#
                + #""spec":{"selector":"app == 'web'","ingress":[{"action":"Log"},{"action":"Allow"}]}}"#
        }
        return #"{"apiVersion":"v1","kind":"List","items":["# + items.joined(separator: ",") + "]}\n"
    }()

    private static func yaml(_ count: Int, indentation: String = "", lineBreak: String = "\n") -> String {
        var lines = ["apiVersion: v1", "kind: List", "items:"]
        for number in 0..<count {
            lines += ["# of number \(number)", "- apiVersion: networking.k8s.io/v1", "  kind: NetworkPolicy"].map {
                indentation + $0
            }
            lines += [
                "  metadata:", "    name: k\(number)", "    annotations: {note: ä€, more: \"a", "      b\"}", "  spec:",
                "    podSelector: {}", "", "    ingress:", "    - ports: [{port: \(number + 1)}]",
            ].map { indentation + $0 }
        }
        return lines.joined(separator: lineBreak) + lineBreak
    }

    private func bundle(_ text: String) -> PolicyBundle {
        PolicyBundle(Array(text.utf8), file: "l.yaml", reader: PolicyReader())
    }

    @Test(arguments: [
        ListedPolicyTests.yaml(3), ListedPolicyTests.yaml(3, indentation: "   "),
        ListedPolicyTests.yaml(3, lineBreak: "\r\n"), "\u{feff}" + ListedPolicyTests.yaml(3), ListedPolicyTests.json,
        "# first\n---\n" + ListedPolicyTests.yaml(2) + "---\n" + ListedPolicyTests.json,
    ])
    func `each item is a text of its own that reads as the same policy`(text: String) throws {
        let bundle = bundle(text)
        #expect(!bundle.hasErrors && bundle.items.count > 1)
        for item in bundle.items {
            let entry = AppliedPolicy(item)
            #expect(entry.document.hasPrefix("apiVersion") || entry.document.hasPrefix("{"))
            let others = bundle.items.map(\.policy.reference.name).filter { $0 != item.policy.reference.name }
            #expect(!others.contains { entry.text.contains($0) } && !entry.text.contains("# of number"))
            var reading = AppliedPolicyReading(PolicyReader())
            let again = try reading.read(entry)
            #expect(again.policy == item.policy && again.entry == entry)
            #expect(PolicyReader().read(entry.document, file: "").policies.map(\.reference) == [item.policy.reference])
        }
    }

    @Test func `what is kept grows with the list, not with its square`() {
        for text in [ListedPolicyTests.yaml(300), ListedPolicyTests.json] {
            let kept = bundle(text).items.map(\.text.text.utf8.count).reduce(0, +)
            #expect(kept <= text.utf8.count)
        }
        let documents = (0..<50).map {
            "---\r\napiVersion: networking.k8s.io/v1\r\nkind: NetworkPolicy\r\nmetadata: {name: d\($0)}\r\n"
                + "spec: {podSelector: {}}\r\n"
        }.joined()
        let items = bundle(documents).items
        #expect(items.count == 50 && items.map(\.text.text.utf8.count).reduce(0, +) == documents.utf8.count)
    }

    @Test func `an item with aliases of another one is written out`() throws {
        let text = """
            apiVersion: v1
            kind: List
            items:
            - {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a}, spec: &s {podSelector: {}}}
            - apiVersion: networking.k8s.io/v1
              kind: NetworkPolicy
              metadata: {name: b, annotations: {x: "q\\"\\n\\u00e4"}}
              spec: *s
            """
        let items = bundle(text).items
        #expect(items.map(\.policy.source.line) == [4, 5])
        let entry = AppliedPolicy(try #require(items.last))
        #expect(entry.text.hasPrefix(#"{? "apiVersion" : "networking.k8s.io/v1", "#))
        var reading = AppliedPolicyReading(PolicyReader())
        let again = try reading.read(entry).policy
        #expect(again == items.last?.policy)
    }

    @Test func `a state of older agents is read, each text once, and kept item by item from then on`() throws {
        let text = ListedPolicyTests.yaml(40)
        let bundle = bundle(text)
        let olds = bundle.items.map { item in
            var entry = AppliedPolicy(item)
            (entry.text, entry.line, entry.column) = (text, nil, nil)
            return entry
        }
        var reading = AppliedPolicyReading(PolicyReader())
        for (old, item) in zip(olds, bundle.items) {
            let kept = try reading.read(old)
            #expect(kept.policy == item.policy && kept.entry == AppliedPolicy(item))
        }
        #expect(reading.textsRead == 1)
        let directory = "\(scratch.path)/policies"
        try createDirectory(directory)
        for old in olds {
            try StateStorage.write(old, to: "\(directory)/\(AppliedPolicies.fileName(of: old.reference))")
        }
        let applied = try AppliedPolicies(
            directory: directory, history: "\(scratch.path)/history", reader: PolicyReader())
        #expect(applied.problems.isEmpty && Set(applied.policies.values) == Set(bundle.items.map(\.policy)))
        let bytes = try directoryEntries(directory).map { try readFile("\(directory)/\($0)", bytesMax: 1 << 20).count }
        #expect(bytes.count == 40 && bytes.reduce(0, +) < 3 * text.utf8.count)
    }

    @Test func `the history of a list is bounded, and a rollback brings back what was`() async throws {
        let state = try await AgentState.adopted(in: scratch.path, InMemoryDatapath(), awaiting: [])
        let text = ListedPolicyTests.yaml(60)
        for text in [text, text.replacing("ä€", with: "x"), text] {
            _ = try await state.applyPolicies(
                PolicyDocument(name: "l.yaml", text: Array(text.utf8)), options: ChangeOptions())
        }
        let sizes = await state.applied.history.sizes
        #expect(sizes.count == 3 && sizes.values.allSatisfy { $0 < 6 * text.utf8.count })
        _ = try await state.deletePolicy("k7", options: ChangeOptions())
        let document = try #require(try await state.policy("k8").document)
        #expect(document.contains("name: k8") && !document.contains("k7"))
        let report = try await state.rollBack(to: 3, options: ChangeOptions())
        #expect(report.added == ["NetworkPolicy/default/k7"] && report.changed.isEmpty)
    }

    @Test func `lint says each thing once of a list on one line`() async throws {
        let state = try await AgentState.adopted(in: scratch.path, InMemoryDatapath(), awaiting: [])
        let bytes = Array(ListedPolicyTests.json.utf8)
        _ = try await state.applyPolicies(PolicyDocument(name: "l.json", text: bytes), options: ChangeOptions())
        let document = PolicyDocument(name: "l.json", text: bytes)
        for documents in [[], [TextDocument(name: document.name, text: ListedPolicyTests.json)]] {
            let findings = try await state.lintPolicies(LintRequest(documents: documents)).findings
            let log = findings.filter { $0.diagnostic.code == "BH2010" }
            #expect(log.compactMap(\.policy).sorted() == (0..<4).map { "CalicoNetworkPolicy/shop/k\($0)" })
            #expect(log.allSatisfy { $0.exemption != nil && $0.diagnostic.line == 1 })
            #expect(Set(log.map(\.diagnostic.column)).count == 4)
            #expect(!findings.contains { $0.diagnostic.code == "BH2121" })
        }
    }
}
