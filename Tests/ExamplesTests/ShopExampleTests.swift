// SPDX-License-Identifier: Apache-2.0
import Foundation
import PolicyModel
import PolicyReading
import Testing

/// The policies of `make demo`, which readers copy first.
@Suite struct ShopExampleTests {
    private func read(_ name: String) throws -> PolicyDocumentSet {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let bytes = try [UInt8](Data(contentsOf: root.appendingPathComponent("Examples/shop/\(name)")))
        return PolicyReader().read(bytes: bytes, file: name)
    }

    @Test("each document is read without a complaint", arguments: ["web.yaml", "api.yaml", "db.yaml", "intruder.yaml"])
    func readsWithoutComplaint(name: String) throws {
        let set = try read(name)
        #expect(set.diagnostics.map { "\($0)" } == [])
        #expect(set.policies.count == 1)
        #expect(set.policies.allSatisfy { !$0.rules.isEmpty })
    }
}
