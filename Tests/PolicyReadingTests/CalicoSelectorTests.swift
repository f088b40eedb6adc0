// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import Testing

@testable import PolicyReading

private func form(_ text: String, isNegated: Bool = false) throws -> CalicoSelectorForm {
    let selector = try CalicoSelectorParser.parse(text)
    return try CalicoSelectorForm(
        selector, .init { key in (LabelSource.kubernetes, key) }, isNegated: isNegated)
}

private func labels(_ pairs: [String: String]) -> LabelSet {
    LabelSet(pairs.map { Label(source: LabelSource.kubernetes, key: $0.key, value: $0.value) })
}

@Suite struct CalicoSelectorTests {
    @Test(arguments: [
        ("", ["*"]),
        ("all()", ["*"]),
        ("! all()", []),
        ("has(role)", ["k8s:role"]),
        ("!has(role)", ["!k8s:role"]),
        ("role == 'db'", ["k8s:role=db"]),
        ("role != \"db\"", ["k8s:role!=db"]),
        ("role in {'a', 'b'} && zone not in {'x'}", ["k8s:role in (a,b),k8s:zone!=x"]),
        (
            "a contains 'x' && b starts with 'y' && c ends with 'z'",
            ["k8s:a contains 'x',k8s:b starts with 'y',k8s:c ends with 'z'"]
        ),
        ("a == '1' || b == '2' && c == '3'", ["k8s:a=1", "k8s:b=2,k8s:c=3"]),
        ("(a == '1' || b == '2') && c == '3'", ["k8s:a=1,k8s:c=3", "k8s:b=2,k8s:c=3"]),
        ("!(a == '1' || !has(b))", ["k8s:a!=1,k8s:b"]),
        ("a == '1' || a == '2' || a == '1'", ["k8s:a in (1,2)"]),
        ("a == '1' && a == '2'", []),
        ("has(a) || a == '1'", ["k8s:a"]),
        ("a in {}", []),
        ("global()", ["!k8s:io.kubernetes.pod.namespace"]),
        ("has(in) && not == 'with'", ["k8s:in,k8s:not=with"]),
    ])
    func `becomes alternatives`(text: String, expected: [String]) throws {
        #expect(try form(text).alternatives.map(\.description) == expected)
    }

    @Test(arguments: [
        ("role = 'db'", 5), ("role == db", 8), ("role == 'db", 8), ("role", 4), ("has(role", 8), ("has()", 4),
        ("(has(a)", 7), ("has(a))", 6), ("a == 'x' & b == 'y'", 9), ("a == 'x' && ", 12), ("a not 'x'", 6),
        ("a starts 'x'", 9), ("hass(a)", 0), ("a in 'x'", 5), ("a in {'x' 'y'}", 10), ("a in {'x',}", 10),
        ("!", 1), ("'a' == 'b'", 0), ("a == 'x' b", 9), ("$a == 'x'", 0),
    ])
    func `names the character where a text goes wrong`(text: String, offset: Int) {
        let error = #expect(throws: CalicoSelectorError.self) { try CalicoSelectorParser.parse(text) }
        #expect(error?.offset == offset, "\(String(describing: error))")
    }

    @Test func `bounds nesting, length and the number of alternatives`() throws {
        #expect(throws: CalicoSelectorError.self) {
            try CalicoSelectorParser.parse(
                String(repeating: "(", count: 65) + "all()" + String(repeating: ")", count: 65))
        }
        #expect(throws: CalicoSelectorError.self) {
            try CalicoSelectorParser.parse(String(repeating: "!", count: 100_000) + "all()")
        }
        let wide = (0..<8).map { "(has(a\($0)) || has(b\($0)))" }.joined(separator: " && ")
        #expect(throws: CalicoSelectorForm.TooLarge.self) { try form(wide) }
    }

    /// The same text judged label set by label set, without alternatives.
    private func judge(_ selector: CalicoSelector, _ set: LabelSet) -> Bool {
        switch selector {
        case .all: true
        case .global: set.namespace == nil
        case .test(let key, let operation):
            LabelRequirement(source: LabelSource.kubernetes, key: key, operation).matches(set)
        case .not(let inner): !judge(inner, set)
        case .both(let a, let b): judge(a, set) && judge(b, set)
        case .either(let a, let b): judge(a, set) || judge(b, set)
        }
    }

    @Test(arguments: 0..<20)
    func `alternatives and their opposite select what the text says`(seed: Int) throws {
        var random = SplitMix(state: UInt64(seed))
        func text(_ depth: Int) -> String {
            let key = ["a", "b", "c"][Int.random(in: 0..<3, using: &random)]
            let value = ["x", "xy", "y"][Int.random(in: 0..<3, using: &random)]
            switch Int.random(in: 0..<(depth > 0 ? 11 : 7), using: &random) {
            case 0: return "\(key) == '\(value)'"
            case 1: return "\(key) != '\(value)'"
            case 2: return "\(key) in {'\(value)', 'y'}"
            case 3: return "\(key) not in {'\(value)', 'x'}"
            case 4: return "has(\(key))"
            case 5: return "\(key) starts with '\(value)'"
            case 6: return "\(key) contains 'y'"
            case 7: return "!(\(text(depth - 1)))"
            case 8: return "(\(text(depth - 1)) || \(text(depth - 1)))"
            default: return "(\(text(depth - 1)) && \(text(depth - 1)))"
            }
        }
        for _ in 0..<50 {
            let written = text(4)
            let selector = try CalicoSelectorParser.parse(written)
            guard let positive = try? form(written), let negative = try? form(written, isNegated: true) else {
                continue
            }
            for number in 0..<64 {
                let values = ["", "x", "xy", "y"]
                var pairs: [String: String] = [:]
                for (index, key) in ["a", "b", "c"].enumerated() {
                    let value = values[number >> (2 * index) & 3]
                    if !value.isEmpty { pairs[key] = value }
                }
                let set = labels(pairs)
                let expected = judge(selector, set)
                #expect(positive.alternatives.contains { $0.matches(set) } == expected, "\(written) \(set)")
                #expect(negative.alternatives.contains { $0.matches(set) } != expected, "not \(written) \(set)")
            }
        }
    }
}

private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}
