// SPDX-License-Identifier: Apache-2.0

import KubernetesClient
import Testing

@Suite struct JSONViewTests {
    private func view(_ text: String) throws -> JSONView { try JSONView(Array(text.utf8)) }

    @Test func `what is asked for is found, and what is of another type is absent`() throws {
        let view = try view(
            #" { "a" : { "b" : [ 1 , "two" , null , true , [ ] , { } ] } , "n" : -12 , "none" : null , "f": 8.0e1 } "#)
        let list = try #require(view["a"]?["b"]).elements
        #expect(list.count == 6 && list[0].integer == 1 && list[1].string == "two" && list[2].isNull)
        #expect(list[3].boolean == true && list[4].elements.isEmpty && list[5].isObject)
        #expect(view["n"]?.integer == -12 && view["f"]?.integer == 80)
        #expect(view["none"] == nil && view["absent"] == nil)
        #expect(
            view["n"]?.string == nil && view["a"]?.integer == nil && list[1]["x"] == nil && list[0].elements.isEmpty)
        #expect(view["a"]?["b"]?.strings == [:])
    }

    @Test(arguments: [
        (#""a\"b\\c\/d\n\t\u00e9""#, "a\"b\\c/d\n\t\u{e9}"), (#""\ud83d\ude00""#, "\u{1f600}"),
        (#""\ud83d""#, "\u{fffd}"),
        (#""\ud83d\u0041""#, "\u{fffd}A"), (#""\u12""#, "\u{12}"), ("\"\u{fc}\"", "\u{fc}"),
    ])
    func `strings are decoded`(text: String, expected: String) throws {
        #expect(try view(text).string == expected)
    }

    @Test func `keys may be written with escapes`() throws {
        #expect(try view(#"{"\u0061":"x"}"#)["a"]?.string == "x")
        #expect(try view(#"{"\u0061":"x"}"#).strings == ["a": "x"])
    }

    @Test(arguments: [
        "", " ", "{", "[1,]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "[1 2]", "\"open", "nope", "{}x", "]", "{]", "[}",
        "{\"a\" 1}", "<html>", "\"\u{1}\"", "\"\\",
    ])
    func `what is not JSON is refused`(text: String) {
        #expect(throws: JSONError.self) { try view(text) }
    }

    @Test func `depth is bounded, and not by the stack`() throws {
        #expect(throws: JSONError.self) { try view(String(repeating: "[", count: 100_000)) }
        let deep = String(repeating: "[", count: 500) + String(repeating: "]", count: 500)
        #expect(try view(deep).elements.count == 1)
    }

    @Test func `what is written is read as it was`() throws {
        let value: JSONValue = ["b": [1, true, .null, "x\"\\\n\u{1}ü"], "a": ["c": -5]]
        #expect(value.text == #"{"a":{"c":-5},"b":[1,true,null,"x\"\\\u000a\u0001ü"]}"#)
        let view = try JSONView(value.bytes)
        #expect(view["b"]?.elements[3].string == "x\"\\\n\u{1}ü" && view["a"]?["c"]?.integer == -5)
    }

    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2026-11-23T08:00:00Z", 1_795_420_800_000_000),
            ("2026-11-23T08:00:00.5Z", 1_795_420_800_500_000),
            ("2026-11-23T10:00:00.123456789+02:00", 1_795_420_800_123_456),
            ("2024-02-29t23:59:59z", 1_709_251_199_000_000),
        ] as [(String, Int64)])
    func `times are read with and without fractions`(text: String, microseconds: Int64) {
        #expect(RFC3339.microseconds(text) == microseconds)
        #expect(RFC3339.microseconds(RFC3339.text(microseconds: microseconds)) == microseconds)
    }

    @Test(arguments: ["", "2026-11-23", "2026-11-23T08:00:00", "2026-13-23T08:00:00Z", "2026-11-23T08:00:00.Z", "now"])
    func `what is no time is none`(text: String) { #expect(RFC3339.microseconds(text) == nil) }
}
