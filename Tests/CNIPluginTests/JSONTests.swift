// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CNIPlugin

@Suite struct JSONTests {
    private func read(_ text: String) throws -> JSONValue { try JSONValue(json: Array(text.utf8)) }

    @Test(arguments: [
        "null", "true", "false", "0", "-0", "-12.50e+03", "1E5", "12345678901234567890", "\"\"", "[]", "{}",
        "[1,[2,[]],{\"a\":null}]", "{\"b\":1,\"a\":{\"b\":[true,\"x\"]}}", "\"\u{10ffff}é\\\\\\\"\\n\\u0001\"",
    ])
    func `what is written is what was read`(text: String) throws {
        #expect(try read(text).text == text)
        #expect(try read(read(text).fileText) == read(text))
    }

    @Test func `escapes mean their characters`() throws {
        #expect(try read("\"\\u0041\\/\\b\\f\\r\\t\\uD83D\\uDE00\\u00e9\"") == .string("A/\u{8}\u{c}\r\t😀é"))
        #expect(try read("\"\\ud83dx\"") == .string("\u{fffd}x"))
        #expect(try read("\"\\ude00\"") == .string("\u{fffd}"))
        #expect(try read("\"\\ud83d\\u0041\"") == .string("\u{fffd}A"))
    }

    @Test(arguments: [
        "", " ", "{", "[", "\"", "\"\\", "\"\\u12", "\"\\u12g4\"", "\"\\x\"", "[1,]", "{\"a\":1,}", "{\"a\"}", "{a:1}",
        "{1:2}", "[1 2]", "01", "+1", "1.", ".5", "1e", "-", "tru", "nul", "1 1", "\"\u{1f}\"", "NaN", "'a'",
    ])
    func `what is no JSON is refused`(text: String) {
        #expect(throws: JSONSyntaxError.self) { try read(text) }
    }

    @Test func `bytes that are no text are refused, and depth has an end`() throws {
        #expect(throws: JSONSyntaxError.self) { try JSONValue(json: [0x22, 0xff, 0x22]) }
        #expect(throws: JSONSyntaxError.self) { try JSONValue(json: [0x22, 0xed, 0xa0, 0x80, 0x22]) }
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: JSONSyntaxError.self) { try read(deep) }
        let bearable = String(repeating: "[", count: 100) + String(repeating: "]", count: 100)
        #expect(try read(bearable).text == bearable)
    }

    @Test func `members keep their places`() throws {
        var object = try #require(try read("{\"b\":1,\"a\":2,\"b\":3}").object)
        #expect(object["b"] == .integer(3))
        object["a"] = .null
        object["c"] = .boolean(true)
        #expect(JSONValue.object(object).text == "{\"b\":1,\"a\":null,\"b\":3,\"c\":true}")
        object["b"] = nil
        object.prepend("z", .string("y"))
        #expect(JSONValue.object(object).text == "{\"z\":\"y\",\"a\":null,\"c\":true}")
    }

    @Test func `files are indented`() throws {
        #expect(
            try read("{\"a\":[1,{}],\"b\":{}}").fileText == """
                {
                  "a": [
                    1,
                    {}
                  ],
                  "b": {}
                }

                """)
    }
}
