// SPDX-License-Identifier: Apache-2.0

import PolicyReading
import Testing

@Suite struct ConfigurationNodeTests {
    @Test(arguments: ["", "\n", "# only a comment\n", "---\n", "null\n"])
    func `a text that says nothing is nil, and reading it ends`(text: String) throws {
        #expect(try ConfigurationNode.read(Array(text.utf8), file: "f.yaml") == nil)
    }

    @Test func `a second document is refused with its place`() {
        let error = #expect(throws: ConfigurationError.self) {
            _ = try ConfigurationNode.read(Array("a: 1\n---\nb: 2\n".utf8), file: "f.yaml")
        }
        #expect(error?.description.hasPrefix("f.yaml:3:1: a second document") == true)
    }
}
