// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import PolicyReading

/// Layer 7 is refused as a whole; what is wrong inside is told beside that.
struct CiliumL7Tests {
    private static func ingress(_ rules: String, port: String = "{port: \"80\", protocol: TCP}") -> String {
        "endpointSelector: {}\ningress:\n- toPorts:\n  - ports: [\(port)]\n    \(rules)"
    }

    private static func egress(_ rules: String, port: String = "{port: \"53\", protocol: UDP}") -> String {
        "endpointSelector: {}\negress:\n- toPorts:\n  - ports: [\(port)]\n    \(rules)"
    }

    private static let rules = "9:7 BH1501 spec.ingress[0].toPorts[0].rules"
    private static let questions = "9:7 BH1501 spec.egress[0].toPorts[0].rules"
    private static let http = "spec.ingress[0].toPorts[0].rules.http[0]"

    static let cases: [FindingCase] = [
        .init(
            "a whole HTTP rule",
            ingress(
                "rules: {http: [{path: \"/a/.*\", method: GET|HEAD, host: '^a[.]b$', headers: [\"X-A: b\"], headerMatches: "
                    + "[{name: X, value: y, mismatch: LOG, secret: {name: s, namespace: n}}]}]}"), [rules]),
        .init(
            "a path that does not compile", ingress("rules: {http: [{path: \"/a(\"}]}"),
            ["9:32 BH1315 \(http).path", rules]),
        .init(
            "a look-ahead as method", ingress("rules: {http: [{method: (?!GET).*}]}"),
            ["9:31 BH1315 \(http).method", rules]),
        .init("a host", ingress("rules: {http: [{host: \"*.a\"}]}"), ["9:30 BH1315 \(http).host", rules]),
        .init("an unknown field", ingress("rules: {http: [{paths: a}]}"), ["9:23 BH1102 \(http).paths", rules]),
        .init(
            "header matches", ingress("rules: {http: [{headerMatches: [{name: \"\", mismatch: DROP, secret: {}}]}]}"),
            [
                "9:46 BH1315 \(http).headerMatches[0].name", "9:74 BH1103 \(http).headerMatches[0].secret",
                "9:60 BH1105 \(http).headerMatches[0].mismatch", rules,
            ]),
        .init(
            "port 0", ingress("rules: {http: [{}]}", port: "{port: \"0\", protocol: TCP}"),
            ["8:22 BH1410 spec.ingress[0].toPorts[0].ports[0].port", rules]),
        .init(
            "UDP", ingress("rules: {http: [{}]}", port: "{port: \"80\", protocol: UDP}"),
            ["8:38 BH1410 spec.ingress[0].toPorts[0].ports[0].protocol", rules]),
        .init(
            "any protocol", ingress("rules: {http: [{}]}", port: "{port: \"80\"}"),
            ["8:16 BH1410 spec.ingress[0].toPorts[0].ports[0].port", rules]),
        .init(
            "two protocols",
            egress("rules: {http: [{}], dns: [{matchName: a.b}]}", port: "{port: \"80\", protocol: TCP}"),
            ["9:27 BH1410 spec.egress[0].toPorts[0].rules.dns", questions]),
        .init(
            "Kafka", ingress("rules: {kafka: [{topic: a}]}"), ["9:15 BH1509 spec.ingress[0].toPorts[0].rules.kafka"]),
        .init(
            "questions on ingress", ingress("rules: {dns: [{matchPattern: \"*\"}]}"),
            ["9:15 BH1410 spec.ingress[0].toPorts[0].rules.dns"]),
        .init(
            "a range of ports for questions",
            egress("rules: {dns: [{matchPattern: \"*\"}]}", port: "{port: \"53\", endPort: 54, protocol: UDP}"),
            ["8:28 BH1410 spec.egress[0].toPorts[0].ports[0].endPort"]),
        .init(
            "questions over SCTP",
            egress("rules: {dns: [{matchPattern: \"*\"}]}", port: "{port: \"53\", protocol: SCTP}"),
            ["8:38 BH1410 spec.egress[0].toPorts[0].ports[0].protocol"]),
        .init("every question", egress("rules: {dns: [{matchPattern: \"*\"}]}"), []),
        .init("no rules", egress("rules: {}"), []),
        .init(
            "a question about nothing", egress("rules: {dns: [{}]}"),
            ["9:21 BH1315 spec.egress[0].toPorts[0].rules.dns[0]", questions]),
        .init(
            "a question with other characters", egress("rules: {dns: [{matchPattern: \"[a].b\"}]}"),
            ["9:36 BH1314 spec.egress[0].toPorts[0].rules.dns[0].matchPattern", questions]),
        .init("stars inside", egress("rules: {dns: [{matchPattern: \"a*.*.b\"}]}"), [questions]),
        .init(
            "an empty server name", egress("serverNames: [\"\"]"),
            [
                "9:21 BH1315 spec.egress[0].toPorts[0].serverNames[0]",
                "9:7 BH1508 spec.egress[0].toPorts[0].serverNames",
            ]),
        .init(
            "a context without a secret", egress("originatingTLS: {trustedCA: ca}"),
            [
                "9:23 BH1103 spec.egress[0].toPorts[0].originatingTLS",
                "9:7 BH1508 spec.egress[0].toPorts[0].originatingTLS",
            ]),
        .init(
            "a listener on ingress", ingress("listener: {name: a, priority: 0, envoyConfig: {name: b}}"),
            [
                "9:37 BH1315 spec.ingress[0].toPorts[0].listener.priority",
                "9:7 BH1410 spec.ingress[0].toPorts[0].listener", "9:7 BH1508 spec.ingress[0].toPorts[0].listener",
            ]),
    ]

    @Test("checks layer 7 in full and refuses it", arguments: cases)
    func checks(row: FindingCase) {
        #expect(Set(findings(ciliumPolicy(row.spec))) == Set(row.expected))
        #expect(read(ciliumPolicy(row.spec)).policies.isEmpty == !row.expected.isEmpty)
    }

    @Test func `policies of hosts have no HTTP rules`() {
        let spec = Self.ingress("rules: {http: [{}]}").replacing("endpointSelector", with: "nodeSelector")
        #expect(
            findings(clusterwidePolicy(spec)) == [Self.rules, "9:15 BH1410 spec.ingress[0].toPorts[0].rules.http"])
    }

    static let valid = [
        "", "a", "/a/.*", "^$", "(a|b)+?", "a{2}", "a{2,}", "a{2,1000}?", "a{,2}", "a{x}", "{", "}", "]", "[]a]",
        "[^]a]",
        "[a-z0-9_-]", "[-a]", "[a-]", "[[:alpha:][:^digit:]]", "[\\d\\w-]", "[\\]]", "\\.", "\\_", "\\d\\S",
        "\\pL\\p{Greek}\\P{^Lu}",
        "\\x41\\x{1F600}", "\\012", "\\0", "\\Qa(b\\E+", "\\Qab", "(?i)a", "(?i:a)", "(?i-s:a)", "(?P<n>a)(?<m>b)",
        "()", "(|a)*",
        "^*", "\\A\\z\\b\\B", "ä+", "[ä-ü]", "(a{10}){100}", "(a{1000}|b){0}",
    ]

    @Test("takes what Go's regexp takes", arguments: valid)
    func takes(expression: String) {
        #expect(RegularExpressionSyntax.fault(in: expression) == nil)
    }

    static let invalid: [(String, Int, Int)] = [
        ("(", 0, 1), ("a(b", 1, 1), (")", 0, 1), ("a)b", 1, 1), ("[", 0, 1), ("a[b", 1, 1), ("[]", 0, 1),
        ("[z-a]", 1, 3),
        ("[a-\\d]", 1, 4), ("[[:foo:]]", 1, 7), ("*", 0, 1), ("a|*", 2, 1), ("(*)", 1, 1), ("a**", 2, 1), ("a*+", 2, 1),
        ("a+{2}", 2, 3), ("a???", 3, 1), ("a{1001}", 1, 6), ("a{3,2}", 1, 5), ("(a{11}){100}", 7, 5), ("\\", 0, 1),
        ("\\8", 0, 2),
        ("\\1", 0, 2), ("\\Z", 0, 2), ("\\C", 0, 2), ("\\x4", 0, 3), ("\\x{110000}", 0, 10), ("\\pX", 0, 3),
        ("[\\b]", 1, 2),
        ("(?=a)", 0, 3), ("(?!a)", 0, 3), ("(?<=a)", 0, 4), ("(?P", 0, 3), ("(?P<>a)", 0, 5), ("(?<n>a)(?<n>b)", 10, 1),
        ("(?", 0, 1), ("(?i", 0, 1), ("(?z)", 0, 3), ("[a", 0, 1), ("[\\", 1, 1),
    ]

    @Test("tells where what Go's regexp refuses is wrong", arguments: invalid)
    func refuses(expression: String, offset: Int, length: Int) {
        let fault = RegularExpressionSyntax.fault(in: expression)
        #expect(fault?.offset == offset)
        #expect(fault?.length == length)
    }

    @Test func `deep nesting ends in an error, in time proportional to the text`() {
        let levels = 100_000
        let deep = String(repeating: "(", count: levels) + String(repeating: ")", count: levels)
        #expect(RegularExpressionSyntax.fault(in: deep)?.offset == 1000)
    }
}
