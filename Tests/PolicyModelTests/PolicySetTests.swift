// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel
import Testing

private func policy(_ name: String, file: String, line: Int = 1) -> Policy {
    Policy(
        reference: PolicyReference(kind: "NetworkPolicy", namespace: "shop", name: name),
        source: SourceLocation(file: file, line: line, column: 1), rules: [], defaultDeny: [])
}

@Suite struct PolicySetTests {
    @Test("is sorted by reference whatever the order of files")
    func isSorted() {
        var set = PolicySet()
        _ = set.merge([policy("b", file: "1"), policy("a", file: "2")])
        _ = set.merge([policy("0", file: "3")])
        #expect(set.policies.map(\.reference.name) == ["0", "a", "b"])
    }

    @Test("a reference that is taken stays with its first policy and is reported with both places")
    func reportsDuplicates() throws {
        var set = PolicySet()
        _ = set.merge([policy("a", file: "one.yaml", line: 3)])
        let diagnostics = set.merge([policy("a", file: "two.yaml", line: 7), policy("b", file: "two.yaml", line: 9)])
        let diagnostic = try #require(diagnostics.first)
        #expect(diagnostics.count == 1)
        #expect(diagnostic.code == .duplicatePolicy)
        #expect(diagnostic.description == "two.yaml:7:1: error[BH1203]: NetworkPolicy/shop/a is defined twice")
        #expect(diagnostic.related.map(\.location.text) == ["one.yaml:3:1"])
        #expect(set.count == 2)
        #expect(set[policy("a", file: "").reference]?.source.file == "one.yaml")
    }

    @Test("a removed policy frees its reference")
    func removes() {
        var set = PolicySet()
        _ = set.merge([policy("a", file: "1")])
        let (first, second) = (set.remove(policy("a", file: "").reference), set.remove(policy("a", file: "").reference))
        #expect(first && !second)
        let diagnostics = set.merge([policy("a", file: "2")])
        #expect(diagnostics.isEmpty)
    }
}

@Suite struct PolicyTextTests {
    @Test("prints every kind of peer and port")
    func prints() throws {
        let reference = PolicyReference(kind: "CiliumNetworkPolicy", namespace: "shop", name: "api")
        let place = SourceLocation(file: "api.yaml", line: 1, column: 1)
        let subject = SubjectSelector.hosts(LabelSelector())
        let prefix = try CIDR.parse("10.0.0.0/8")
        let rule = PolicyRule(
            origin: RuleOrigin(policy: reference, section: "egressDeny", index: 2, source: place), subject: subject,
            direction: .egress, action: .deny,
            peers: .some([
                .labels(.reserved("world")), .prefix(prefix, except: [], includesWorkloads: false),
                .prefix(prefix, except: [try CIDR.parse("10.1.0.0/16")], includesWorkloads: true),
            ]),
            ports: .some([
                .range(.tcp, 80...80), .range(.udp, 0...65535), .range(.sctp, 1...9), .named(.tcp, "http"),
                .icmpType(.icmp, 8), .icmpType(.icmpv6, nil), .wholeProtocol(.gre),
            ]))
        let policy = Policy(
            reference: reference, source: place, rules: [rule],
            defaultDeny: [DefaultDeny(subject: subject, direction: .egress)], isAudit: true)
        #expect(
            policy.text == """
                CiliumNetworkPolicy/shop/api (audit)
                  default deny egress of hosts *
                  egressDeny[2]: deny hosts * to reserved:world | 10.0.0.0/8 | \
                10.0.0.0/8 except 10.1.0.0/16 with workloads on \
                tcp/80,udp/*,sctp/1-9,tcp/http,icmp/8,icmpv6/*,gre
                """)
    }

    @Test("prints nothing and everything")
    func printsExtremes() {
        #expect(PeerSelection.any.description == "any")
        #expect(PeerSelection.some([]).description == "nothing")
        #expect(PortSelection.all.description == "all")
        #expect(PortSelection.some([]).description == "nothing")
    }
}

@Suite struct DiagnosticTests {
    private func diagnostic(_ severity: Diagnostic.Severity, excerpt: SourceExcerpt? = nil) -> Diagnostic {
        Diagnostic(
            severity: severity, code: .wrongType, location: SourceLocation(file: "f", line: 12, column: 3),
            path: "spec.a", message: "m", remedy: "r", excerpt: excerpt)
    }

    @Test("codes are unique, numbered in order and explained")
    func codesAreUnique() {
        let codes = DiagnosticCode.all.map(\.description)
        #expect(Set(codes).count == codes.count)
        #expect(codes == codes.sorted())
        #expect(DiagnosticCode.all.allSatisfy { !$0.summary.isEmpty })
    }

    @Test("renders without an excerpt")
    func rendersWithoutExcerpt() {
        #expect(diagnostic(.warning).rendered == "warning[BH1101]: m\n  --> f:12:3 (spec.a)\n   = help: r")
    }

    @Test("the caret never leaves the line")
    func caretStaysInside() {
        let rendered = diagnostic(.error, excerpt: SourceExcerpt(line: "abcd", length: 99)).rendered
        #expect(rendered.contains("12 | abcd\n   |   ^^\n"))
    }

    @Test("control characters of a document never reach the terminal")
    func hidesControlCharacters() {
        let rendered = diagnostic(.error, excerpt: SourceExcerpt(line: "a\u{1b}[31m\tb", length: 1)).rendered
        #expect(!rendered.contains("\u{1b}") && !rendered.contains("\t"))
    }

    @Test("control characters of a message never reach the terminal either")
    func hidesControlCharactersOfMessages() {
        var hostile = diagnostic(.error)
        hostile.message = "a\u{1b}[31m\u{202e}b\nc"
        #expect(hostile.description == "f:12:3: error[BH1101]: a?[31m?b?c (spec.a)")
        #expect(hostile.rendered.hasPrefix("error[BH1101]: a?[31m?b?c\n"))
    }

    @Test("a list closes with the counts by severity")
    func counts() {
        let list = [diagnostic(.error), diagnostic(.error), diagnostic(.warning)]
        #expect(list.rendered.hasSuffix("\n\n2 errors, 1 warning"))
        #expect([Diagnostic]().rendered == "")
        #expect(list.hasErrors && ![diagnostic(.note)].hasErrors)
    }
}
