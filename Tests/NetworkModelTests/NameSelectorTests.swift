// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NetworkModel

@Suite struct NameSelectorTests {
    @Test func `names are folded, and what is none is refused`() {
        #expect(DomainName("Www.Example.ORG.")?.description == "www.example.org")
        #expect(DomainName("a_b-c.9")?.wire == [5, 97, 95, 98, 45, 99, 1, 57])
        let long = String(repeating: "a", count: 64)
        for text in ["", ".", "a..b", ".a", "a b", "ü.de", "*.a", long + ".de"] {
            #expect(DomainName(text) == nil, "\(text)")
        }
        let labels = (0..<126).map { _ in "a" }.joined(separator: ".")
        #expect(DomainName(labels) != nil)
        #expect(DomainName(labels + ".ab") == nil)
        #expect(DomainName(wire: [3, 97, 98]) == nil)
        #expect(DomainName(wire: [3, 97, 46, 200])?.description == "a\\046\\200")
    }

    @Test(arguments: [
        ("example.org", "example.org", true), ("example.org", "a.example.org", false),
        ("*.example.org", "a.example.org", true), ("*.example.org", "example.org", false),
        ("*.example.org", "b.a.example.org", false), ("**.example.org", "b.a.example.org", true),
        ("**.example.org", "example.org", false), ("**.example.org", "xexample.org", false), ("*", "a.b.c", true),
        ("api-*.a.org", "api-1.a.org", true), ("api-*.a.org", "api-.a.org", true), ("api-*.a.org", "api.a.org", false),
        ("api-*.a.org", "api-1.b.a.org", false), ("api-*.a.org", "x.api-1.a.org", false),
        ("*.sub-*.a.org", "x.sub-1.a.org", true), ("*.sub-*.a.org", "sub-1.a.org", false),
        ("*.sub-*.a.org", "y.x.sub-1.a.org", false), ("*cdn.a.org", "cdn.a.org", true),
        ("*cdn.a.org", "xcdn.a.org", true),
        ("*cdn.a.org", "x.cdn.a.org", false), ("a*b*c.org", "abc.org", true), ("a*b*c.org", "aXbYbZc.org", true),
        ("a*b*c.org", "acb.org", false), ("a.*.org", "a.b.org", true), ("a.*.org", "a.b.c.org", false),
        ("a.**.org", "a.b.c.org", true), ("a.**.org", "a.org", false), ("**.x*.org", "a.b.x1.org", true),
        ("**.x*.org", "x1.org", false), ("*.*", "a.b", true), ("*.*", "a", false), ("**.*", "a.b.c", true),
        ("a*", "ab", true),
        ("a*", "ab.c", false), ("**.**.org", "a.b.org", true), ("**.**.org", "a.org", false),
    ])
    func `a selector stands for exactly its names`(_ pattern: String, _ name: String, _ matches: Bool) throws {
        let selector = try #require(NameSelector(pattern))
        #expect(selector.description == pattern)
        #expect(selector.matches(try #require(DomainName(name))) == matches)
    }

    @Test func `a star means letters, digits, hyphens and underscores, whatever bytes a name has`() throws {
        let selector = try #require(NameSelector("a*.org"))
        #expect(selector.matches(try #require(DomainName(wire: [3, 97, 45, 95, 3, 111, 114, 103]))))
        for byte: UInt8 in [0, 32, 42, 46, 47, 96, 123, 200] {
            #expect(!selector.matches(try #require(DomainName(wire: [2, 97, byte, 3, 111, 114, 103]))), "\(byte)")
        }
    }

    @Test func `patterns are read in one form, and what no name fits or has no room is refused`() throws {
        #expect(NameSelector("A**b.C.Org.") == NameSelector("a*b.c.org"))
        #expect(NameSelector("a*b.c.org")?.description == "a*b.c.org")
        for text in ["*", "*.", "**", "**."] { #expect(NameSelector(text) == .all, "\(text)") }
        let label = String(repeating: "a", count: 63)
        #expect(NameSelector(label + "*.org")?.glob?.stateCount == 64)
        for text in [label + "a*.org", label + ".*.org", "a*..org", "a b*.org", ".*a.org", "\u{212a}*.org"] {
            #expect(NameSelector(text) == nil, "\(text)")
        }
        let long = (0..<4).map { _ in label }.joined(separator: ".").dropLast(3)
        #expect(NameSelector("*a." + long) == nil && NameSelector("*." + long.dropLast(3)) != nil)
    }
}
