// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import PolicyModel
import Testing

@Suite struct ReferencePageTests {
    @Test("the reference page lists every code with its meaning", arguments: DiagnosticCode.all)
    func listsCode(code: DiagnosticCode) throws {
        let repository = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
        let page = try String(
            decoding: Data(contentsOf: URL(filePath: "\(repository)/docs/reference/diagnostics.md")), as: UTF8.self)
        #expect(page.contains("## \(code)\n\n\(code.summary.prefix(1).uppercased())\(code.summary.dropFirst()).\n"))
    }
}
