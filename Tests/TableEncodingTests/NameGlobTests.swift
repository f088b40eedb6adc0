// SPDX-License-Identifier: Apache-2.0
import CDatapathABI
import NetworkModel
import Testing

@testable import TableEncoding

@Suite struct NameGlobTests {
    private func glob(_ text: String) throws -> NameGlob { try #require(NameSelector(text + ".org")?.glob) }

    @Test func `an automaton tells the patterns that it was made of`() throws {
        let texts = ["api-*", "*.sub-*", "*cdn", "a.**", "**.x_*", "*.*", "a*b*9z", "**.**"]
        let patterns = try texts.enumerated().map { (try glob($1), UInt32($0 + 1)) }
        let found = fqdn_glob(patterns).patterns
        #expect(found.map(\.glob.description) == texts)
        #expect(found.map(\.number) == Array(1...8))
        let long = try glob(String(repeating: "a", count: 63) + "*")
        #expect(fqdn_glob([(long, 7)]).patterns.map(\.glob) == [long])
    }

    @Test func `what stays keeps its automaton, and as many as are allowed have room`() throws {
        var shelves = NameGlobShelves()
        let longs = try (10..<10 + NameGlob.countMax).map {
            try glob("\($0)" + String(repeating: "a", count: 60) + "*")
        }
        shelves.update(to: Set(longs))
        #expect(shelves.patterns.count == NameGlob.countMax && NameGlob.countMax == Int(FQDN_GLOBS_MAX))
        let kept = shelves.patterns[63]
        shelves.update(to: Set(kept))
        #expect(shelves.patterns.count == 64 && shelves.patterns[63] == kept)
        shelves.update(to: Set(longs.dropLast() + kept))
        #expect(shelves.patterns.count <= 64 && shelves.patterns[63] == kept)
        shelves.update(to: Set(try (0..<20).map { try glob("a\($0)-*") }))
        #expect(shelves.patterns.count == 3 && shelves.patterns.allSatisfy { $0.count <= 8 })
        shelves.update(to: [])
        #expect(shelves.patterns.isEmpty)
    }
}
