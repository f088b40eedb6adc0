// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import LinuxHost
import NetworkModel
import PolicyModel
import Testing

@testable import PolicyCompiler

/// One rule that lists very many prefixes: each that comes or goes is found without a look at the others.
@Suite(.serialized) struct LargeRuleTests {
    private static func seconds(_ body: () -> Void) -> Double {
        let start = HostClock.threadNanoseconds()
        body()
        return Double(HostClock.threadNanoseconds() - start) / 1e9
    }

    private static func prefix(_ number: Int) -> CIDR { CIDR(IPAddress(v4: 0x1400_0000 + UInt32(number)), length: 32) }

    /// A compiler with one rule about so many addresses, each of which is a peer.
    private static func compiler(_ count: Int) -> RuleCompiler {
        let compiler = RuleCompiler()
        let selectors = (0..<count).map { PeerSelector.prefix(prefix($0), except: [], includesWorkloads: true) }
        compiler.setPolicies([.test("big", for: "api", rules: [(.ingress, .allow, .some(selectors), .all)])])
        compiler.setSubject(
            CompileSubject(slot: 1, identity: NumericIdentity(rawValue: 1001), labels: .app("api")))
        for number in 0..<count { compiler.setPeer(peer(number)) }
        return compiler
    }

    private static func peer(_ number: Int) -> ResolvedIdentity {
        ResolvedIdentity(
            identity: NumericIdentity(rawValue: 0x0100_0000 + UInt32(number)),
            labels: LabelSet([Label(source: "reserved", key: "world")]), prefix: prefix(number))
    }

    @Test func `four times as many prefixes of one rule go in some four times the time`() {
        let (few, many) = (4000, 16_000)
        let times = [few, many].map { count in
            (0..<2).map { _ in
                let compiler = Self.compiler(count)
                return Self.seconds {
                    for number in 0..<count { compiler.removePeer(Self.peer(number).identity) }
                }
            }.min() ?? 0
        }
        #expect(times[1] < times[0] * 9, "\(times[0]) s for \(few), \(times[1]) s for \(many)")
    }

    @Test func `a rule that names a prefix twice beside others keeps its entry until the peer goes`() {
        let compiler = RuleCompiler()
        let selectors = [5, 1, 5, 3, 0].map {
            PeerSelector.prefix(Self.prefix($0), except: [], includesWorkloads: true)
        }
        compiler.setPolicies([.test("few", for: "api", rules: [(.ingress, .allow, .some(selectors), .all)])])
        compiler.setSubject(
            CompileSubject(slot: 1, identity: NumericIdentity(rawValue: 1001), labels: .app("api")))
        for number in [0, 2, 3, 5] { compiler.setPeer(Self.peer(number)) }
        func peers() -> [UInt32] {
            compiler.mapState().lines().compactMap { line in
                let words = line.split(separator: " ")
                return words.count > 3 ? UInt32(words[3]) : nil
            }.map { $0 - 0x0100_0000 }.sorted()
        }
        #expect(peers() == [0, 3, 5])
        compiler.removePeer(Self.peer(5).identity)
        #expect(peers() == [0, 3])
        compiler.setPeer(Self.peer(1))
        #expect(peers() == [0, 1, 3])
    }
}
