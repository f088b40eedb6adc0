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
    ])
    func `a selector stands for exactly its names`(_ pattern: String, _ name: String, _ matches: Bool) throws {
        let selector = try #require(NameSelector(pattern))
        #expect(selector.description == pattern)
        #expect(selector.matches(try #require(DomainName(name))) == matches)
    }
}
