// SPDX-License-Identifier: Apache-2.0

import FirewallImport
import FirewallOracle
import Foundation
import PolicyModel
import PolicyReading
import Testing

/// Random rulesets, written as iptables-save and as nft's JSON; judged rule by rule, and by the imported policy.
///
/// `KernelVerdictTests` has the kernel judge them.
@Suite struct RandomImportTests {
    @Test func `the imported policy judges as the rules do, from either format`() throws {
        var generator = SeededGenerator(seed: 20_261_121)
        var differences: [String] = []
        for _ in 0..<300 {
            let firewall = RandomFirewall(&generator)
            for text in [firewall.saved, firewall.json] {
                let verdicts = try ImportedVerdicts(text)
                try #require(verdicts.errors.isEmpty, "\(verdicts.errors.rendered)\n\(text)")
                for packet in RandomFirewall.packets where verdicts.accepts(packet) != firewall.accepts(packet) {
                    differences.append("\(packet)\n\(text)\n\(verdicts.yaml)")
                }
                // What has no rule of its own is told, and nothing of these is beyond a policy.
                let notMapped = verdicts.imported.notMapped
                #expect(notMapped.allSatisfy { $0.reason.contains("no rule at input or output leads") }, "\(notMapped)")
            }
        }
        #expect(differences.prefix(1) == [])
    }

    @Test func `the example beside its source is what the import makes of it`() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Examples/policies")
        let name = "imported-web-server.rules"
        let rules = try [UInt8](Data(contentsOf: folder.appendingPathComponent(name)))
        let imported = try FirewallImport([.init(name: name, bytes: rules)], options: .init(name: "web-server"))
        let expected = try String(
            contentsOf: folder.appendingPathComponent("imported-web-server.yaml"), encoding: .utf8)
        #expect(imported.policy.joined(separator: "\n") + "\n" == expected)
    }

    @Test func `bytes that are no rules end in an error or a result, never in a crash`() throws {
        var generator = SeededGenerator(seed: 7)
        for round in 0..<400 {
            let firewall = RandomFirewall(&generator)
            var bytes = Array((round % 2 == 0 ? firewall.saved : firewall.json).utf8)
            for _ in 0..<Int.random(in: 1...6, using: &generator) where !bytes.isEmpty {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0...2, using: &generator) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: index)
                default: bytes.removeSubrange(index..<min(bytes.count, index + 40))
                }
            }
            #expect(fuzzFirewallImport(bytes), "\(String(decoding: bytes, as: UTF8.self))")
        }
    }
}
