// SPDX-License-Identifier: Apache-2.0

import EventModel
import Testing

@Suite struct DropReasonTests {
    @Test(arguments: DropReason.allCases)
    func `every reason has a unique kebab-case name that finds it again`(reason: DropReason) {
        #expect(reason.name.allSatisfy { $0.isLowercase || $0 == "-" })
        #expect(DropReason(name: reason.name) == reason)
    }

    @Test(arguments: DropReason.allCases)
    func `explanation and remedy are one line each and say something`(reason: DropReason) {
        for text in [reason.explanation, reason.remedy] {
            #expect(text.count > 10)
            #expect(!text.contains("\n"))
        }
    }

    @Test func `raw values have no holes`() {
        #expect(DropReason.allCases.map { Int($0.rawValue) } == Array(0..<DropReason.allCases.count))
    }

    @Test func `an unknown name finds nothing`() {
        #expect(DropReason(name: "policy") == nil)
        #expect(Verdict(name: "ALLOW") == nil)
        #expect(Verdict(name: "audit") == .audit)
    }
}
