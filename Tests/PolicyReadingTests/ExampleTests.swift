// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import PolicyModel
import Testing

@testable import PolicyReading

/// The repository, two folders above this file's.
private let repository = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }

/// Paths of the example policies, relative to the repository.
private let examples: [String] = ["Examples/policies", "Examples/shop"].flatMap { folder in
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(repository)/\(folder)")) ?? []
    return names.filter { $0.hasSuffix(".yaml") }.sorted().map { "\(folder)/\($0)" }
}

private func readExample(_ path: String) throws -> PolicyDocumentSet {
    let data = try Data(contentsOf: URL(filePath: "\(repository)/\(path)"))
    return PolicyReader().read(bytes: [UInt8](data), file: path)
}

@Suite struct ExampleTests {
    @Test("there are examples to read")
    func existsAtAll() {
        #expect(examples.count >= 15)
    }

    @Test("reads without an error or a warning, and starts with what it is for", arguments: examples)
    func readsExample(path: String) throws {
        let set = try readExample(path)
        #expect(set.diagnostics.filter { $0.severity != .note }.map(\.rendered) == [])
        #expect(!set.policies.isEmpty)
        let data = try Data(contentsOf: URL(filePath: "\(repository)/\(path)"))
        #expect(data.starts(with: Data("# ".utf8)))
    }

    @Test("no two examples of a folder are the same policy", arguments: ["Examples/policies/", "Examples/shop/"])
    func areDistinct(folder: String) throws {
        var set = PolicySet()
        for path in examples where path.hasPrefix(folder) {
            #expect(set.merge(try readExample(path).policies).map(\.description) == [])
        }
    }

    @Test("the host firewall example is about hosts and closes ingress only")
    func lowersHostFirewall() throws {
        let policy = try #require(try readExample("Examples/policies/cilium-host-firewall.yaml").policies.first)
        #expect(
            policy.text == """
                CiliumClusterwideNetworkPolicy/host-firewall
                  default deny ingress of hosts *
                  ingress[0]: allow hosts * from !reserved:world | (prefixes of node:io.kubernetes.node.name not reserved:host) on all
                  ingress[1]: allow hosts * from 192.0.2.0/24 on tcp/22
                  ingress[2]: allow hosts * from any on tcp/443
                  ingress[3]: allow hosts * from any on icmp/8,icmpv6/128
                """)
    }
}

@Suite struct PolicyReaderRobustnessTests {
    /// Bytes that mean something in YAML, to reach further than random ones.
    private static let tokens: [[UInt8]] = [
        "{}", "[]", "- ", ": ", "\n", "  ", "\t", "&a ", "*a", "!!str ", "|", ">", "\"", "'", "#", "---\n", "null",
        "0", "65536", "-1", "10.0.0.0/8", "::/0", "\u{1b}", "\u{fe}", "<<: ", "? ",
    ].map { Array($0.utf8) }

    @Test("mutated examples never crash, and what is read keeps every promise", arguments: examples)
    func survivesMutations(path: String) throws {
        let original = [UInt8](try Data(contentsOf: URL(filePath: "\(repository)/\(path)")))
        var random = SplitMix(state: UInt64(path.utf8.count) &* 0x9e37_79b9)
        for _ in 0..<200 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let place = Int.random(in: 0...bytes.count, using: &random)
                let end = min(bytes.count, place + Int.random(in: 0...12, using: &random))
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes.removeSubrange(place..<end)
                case 1: bytes.insert(contentsOf: original[min(place, original.count)...].prefix(40), at: place)
                default: bytes.replaceSubrange(place..<end, with: Self.tokens.randomElement(using: &random) ?? [])
                }
            }
            #expect(fuzzPolicyReader(bytes), "\(String(decoding: bytes, as: UTF8.self))")
        }
    }

    @Test("bytes of every value at every length are read or refused", arguments: [0, 1, 2, 63, 1024])
    func survivesNoise(count: Int) {
        var random = SplitMix(state: UInt64(count))
        for _ in 0..<200 {
            #expect(fuzzPolicyReader((0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }))
        }
    }
}

/// A small random generator whose sequence is the same on every machine.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
