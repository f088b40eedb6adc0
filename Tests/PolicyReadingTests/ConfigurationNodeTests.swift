// SPDX-License-Identifier: Apache-2.0

import PolicyReading
import Testing

@Suite struct ConfigurationNodeTests {
    @Test(arguments: ["", "\n", "# only a comment\n", "---\n", "null\n"])
    func `a text that says nothing is nil, and reading it ends`(text: String) throws {
        #expect(try ConfigurationNode.read(Array(text.utf8), file: "f.yaml") == nil)
    }

    @Test(arguments: [
        ("a: 1\n---\nb: 2\n", 2), ("---\na: 1\n--- # more\n\nb: 2\n", 3), ("a: 1\n...\n---\nb: 2\n", 3),
        ("a: 1\n---\n---\nb: 2\n", 3),
    ])
    func `a second document is refused where it begins`(text: String, line: Int) {
        let error = #expect(throws: ConfigurationError.self) {
            _ = try ConfigurationNode.read(Array(text.utf8), file: "f.yaml")
        }
        #expect(
            error?.description.hasPrefix("f.yaml:\(line):1: a second document") == true, "\(String(describing: error))")
    }

    @Test func `empty documents behind the one that says something are none`() throws {
        #expect(try ConfigurationNode.read(Array("a: 1\n---\n---\n# end\n".utf8), file: "f.yaml") != nil)
    }
}
