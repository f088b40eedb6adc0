// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import Testing

@Suite struct NamePatternTests {
    private func matched(_ pattern: String, _ names: String...) throws -> [String] {
        let pattern = try #require(NamePattern(pattern))
        return try names.filter { pattern.matches(try #require(DomainName($0))) }
    }

    @Test func `a star is any characters, and the whole name is meant`() throws {
        #expect(
            try matched("*.a.test", "x.a.test", "y.x.a.test", "a.test", "x.a.test.org") == ["x.a.test", "y.x.a.test"])
        #expect(
            try matched("api*.a.test", "api.a.test", "api-2.a.test", "xapi.a.test") == ["api.a.test", "api-2.a.test"])
        #expect(try matched("a.test", "a.test", "A.TEST.", "b.a.test") == ["a.test", "A.TEST."])
        #expect(try matched("*x*y*", "axby.test", "yx.test") == ["axby.test"])
        #expect(try matched("*", "a.test").count == 1)
        // What the front has taken the end cannot have.
        #expect(try matched("aba*ba", "aba", "ababa") == ["ababa"])
    }

    @Test func `what is in no name is no pattern`() {
        #expect(NamePattern("") == nil)
        #expect(NamePattern("a b") == nil)
        #expect(NamePattern("[a]") == nil)
        #expect(NamePattern("*.A.test.") == NamePattern("*.a.test"))
    }
}
