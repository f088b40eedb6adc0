// SPDX-License-Identifier: Apache-2.0

import LinuxHost
import PolicyModel
import Testing

@testable import PolicyReading

/// Every kind of bad input ends in an error with place and remedy, and large ones within bounds.
@Suite struct BadInputTests {
    private static func rule(_ peer: String) -> String {
        ciliumPolicy("endpointSelector: {}\negress:\n- \(peer)")
    }

    @Test(
        "is an error that says where and what to do",
        arguments: [
            ("a key twice", networkPolicy("podSelector: {}\npodSelector: {}"), "BH1006", 6),
            ("an alias inside itself", "a: &a [*a]\n", "BH1007", 1),
            ("a cycle by way of a mapping", "a: &a {b: &b {c: *a}}\n", "BH1007", 1),
            ("a port that is too large", rule("toPorts: [{ports: [{port: \"65536\"}]}]"), "BH1303", 7),
            (
                "port 0 of a NetworkPolicy", networkPolicy("podSelector: {}\ningress: [{ports: [{port: 0}]}]"),
                "BH1303", 6
            ),
            (
                "a range backwards", networkPolicy("podSelector: {}\ningress: [{ports: [{port: 9, endPort: 8}]}]"),
                "BH1303", 6
            ),
            ("an entity that is none", rule("toEntities: [wolrd]"), "BH1305", 7),
            ("a CIDR that is none", rule("toCIDR: [10.0.0.0/33]"), "BH1301", 7),
            ("an exception outside", rule("toCIDRSet: [{cidr: 10.0.0.0/8, except: [11.0.0.0/16]}]"), "BH1302", 7),
            ("a pattern that is none", rule("toFQDNs: [{matchPattern: \"a b\"}]"), "BH1314", 7),
            (
                "a regular expression, which is of layer 7",
                rule("toPorts: [{ports: [{port: \"80\"}], rules: {http: [{path: \"(\"}]}}]"), "BH1501", 7
            ),
            (
                "an operator that is none",
                networkPolicy("podSelector: {matchExpressions: [{key: a, operator: IsIn}]}"), "BH1304", 5
            ),
            ("a label key that is none", networkPolicy("podSelector: {matchLabels: {\"a b\": c}}"), "BH1304", 5),
            (
                "a selector of Calico that does not end",
                """
                apiVersion: projectcalico.org/v3
                kind: GlobalNetworkPolicy
                metadata: {name: p}
                spec: {selector: "a == 'b"}

                """, "BH1304", 4
            ),
        ])
    func isRefused(name: String, text: String, code: String, line: Int) throws {
        let errors = read(text).diagnostics.filter { $0.severity == .error }
        let error = try #require(errors.first { $0.code.description == code }, "\(name): \(errors)")
        #expect(error.location.line == line, "\(name): \(error)")
        #expect(error.location.column > 0 && !(error.remedy ?? "").isEmpty, "\(name): \(error.rendered)")
        #expect(read(text).policies.isEmpty)
    }

    @Test func `bits outside of a prefix are told, with the prefix that is meant`() throws {
        let set = read(Self.rule("toCIDR: [10.1.2.3/8]"))
        let warning = try #require(set.diagnostics.first)
        #expect(warning.code == .hostBits && warning.location.line == 7)
        #expect(warning.remedy?.contains("10.0.0.0/8") == true && set.policies.count == 1)
    }

    @Test func `bytes that are no UTF-8 are named with their place`() throws {
        var bytes = Array(networkPolicy("podSelector: {matchLabels: {a: X}}").utf8)
        let index = try #require(bytes.firstIndex(of: UInt8(ascii: "X")))
        bytes[index] = 0xff
        let set = PolicyReader().read(bytes: bytes, file: "policy.yaml")
        let error = try #require(set.diagnostics.first)
        #expect(error.code == .syntax && error.location.line == 5 && set.policies.isEmpty)
    }

    @Test func `every diagnostic shows its own line, in whatever order they were found`() throws {
        // Found in another order than written: missing fields first, then egress before what stands above it.
        var text = ""
        for number in 0..<40 {
            text +=
                "---\n"
                + networkPolicy(
                    """
                    ingress: [{from: [{ipBlock: {cidr: in-\(number)}}]}]
                    podSelector: {matchLabels: {a: -x-\(number)}}
                    egress: [{to: [{ipBlock: {cidr: out-\(number)}}], ports: [{port: 70000}]}]
                    """
                ).replacing("name: p,", with: "name: p-\(number),")
        }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let set = read(text)
        #expect(set.diagnostics.count >= 160)
        for diagnostic in set.diagnostics {
            let excerpt = try #require(diagnostic.excerpt, "\(diagnostic)")
            #expect(excerpt.line == lines[diagnostic.location.line - 1], "\(diagnostic)")
        }
    }

    // MARK: - Large

    /// A description of ten million bytes: the bytes themselves as an argument would be told by the test run.
    struct Filling: Sendable, CustomTestStringConvertible {
        var name: String
        var unit: [UInt8]
        var head = ""

        init(_ name: String, _ unit: String, after head: String = "") {
            (self.name, self.unit, self.head) = (name, Array(unit.utf8), head)
        }

        init(_ name: String, byte: UInt8) { (self.name, unit) = (name, [byte]) }

        var testDescription: String { name }

        var bytes: [UInt8] {
            var block = unit
            while block.count * 2 <= 1 << 20 { block += block }
            var bytes = Array(head.utf8)
            while bytes.count + block.count <= 11 << 20 { bytes += block }
            return bytes
        }
    }

    /// Each alias twice what the one before it is: a file of a few lines.
    private static let doubling =
        "a0: &a0 [x]\n" + (1...60).map { "a\($0): &a\($0) [*a\($0 - 1), *a\($0 - 1)]\n" }.joined()

    /// Seconds of this thread, an optimised build being some twenty times faster than a debug one.
    private func seconds(_ body: () -> Void) -> Double {
        let start = HostClock.threadNanoseconds()
        body()
        return Double(HostClock.threadNanoseconds() - start) / 1e9
    }

    @Test(
        "ten million bytes end within bounds", .serialized,
        arguments: [
            Filling("one value", "x", after: "kind: "), Filling("opening brackets", "["),
            Filling("opening mappings", "{a: "), Filling("nested lists", "- "),
            Filling("one key again and again", "a: 1\n"), Filling("anchors", "&a "),
            Filling("aliases", "*a,", after: "a: &a 1\nb: ["), Filling("documents", "---\n"),
            Filling("comments", "#\n"), Filling("quotes", "\""), Filling("tabs", "\t"),
            Filling("errors", "- {podSelector: 1}\n", after: "apiVersion: v1\nkind: List\nitems:\n"),
            Filling("zeros", byte: 0), Filling("no UTF-8", byte: 0xfe), Filling("carriage returns", "\r"),
            Filling("a selector", "a,", after: "kind: {matchLabels: {"),
            Filling("folded text", "x\n  ", after: "a: >\n  "),
        ])
    func isBounded(filling: Filling) {
        let errors = readWithinBounds(filling.name, filling.bytes)
        #expect(["documents", "comments"].contains(filling.name) || !errors.isEmpty, "\(filling.name) is no policy")
    }

    @Test func `aliases that double again and again end within bounds`() {
        #expect(!readWithinBounds("aliases", Array(Self.doubling.utf8)).isEmpty)
    }

    private func readWithinBounds(_ name: String, _ bytes: [UInt8]) -> [Diagnostic] {
        var set: PolicyDocumentSet?
        let spent = seconds { set = PolicyReader().read(bytes: bytes, file: "large.yaml") }
        #expect(spent < 60, "\(name) took \(spent) s")
        #expect(set?.policies.isEmpty == true, "\(name)")
        let errors = set?.diagnostics.filter { $0.severity == .error } ?? []
        #expect(errors.count <= YAMLLimits().errorCountMax + 1, "\(name): \(errors.count) errors")
        return errors
    }
}
