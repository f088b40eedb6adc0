// SPDX-License-Identifier: Apache-2.0

import PolicyModel
import PolicyReading
import Testing

@Suite struct DialectPageTests {
    @Test("the documents of a page have no error", arguments: DialectPage.all.map(\.name))
    func isSound(name: String) throws {
        let page = try #require(DialectPage.all.first { $0.name == name })
        for document in page.documents {
            #expect(DialectPage.mappings(of: document).errors.map(\.description) == [])
        }
    }

    @Test func `fields are those of the readers, refused ones with their reason`() throws {
        let page = try #require(DialectPage.all.first { $0.name == "cilium" })
        let mappings = DialectPage.mappings(of: page.documents[0]).mappings
        let egress = try #require(mappings.first { $0.path == "spec.egress[]" })
        #expect(egress.known.contains("toCIDRSet") && egress.known.contains("toPorts"))
        #expect(mappings.contains { $0.path == "spec.egress[].toPorts[].ports[]" })
        #expect(mappings.flatMap(\.refused).contains { $0.name == "toGroups" && $0.code == .unsupportedGroups })
        #expect(Set(mappings.map(\.path)).count == mappings.count)
    }
}
