// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import LinuxHost
import NetworkModel
import PolicyModel
import Testing

@testable import PolicyCompiler

@Suite struct PrefixIndexTests {
    private final class User {}

    @Test func `after any changes a selector has the members that it selects`() {
        var random = SplitMix64(state: 7)
        var index = PrefixIndex<User>()
        var members: Set<PrefixIndex<User>.Member> = []
        let selectors = (0..<12).map { number in
            PrefixIndex<User>.Selector(
                prefix: CIDR(IPAddress(v4: 0x0a00_0000), length: 8 + number),
                except: PrefixSet([CIDR(IPAddress(v4: 0x0a00_0000 | UInt32(number) << 6), length: 26)]),
                includesWorkloads: number % 2 == 0)
        }
        let user = User()
        var ids: [Int] = []
        for step in 0..<3000 {
            if step % 250 == 0 { ids.append(index.use(selectors[step / 250], by: user)) }
            let member = PrefixIndex<User>.Member(
                prefix: CIDR(
                    IPAddress(v4: 0x0a00_0000 | UInt32.random(in: 0..<2048, using: &random)),
                    length: Int.random(in: 24...32, using: &random)),
                identity: UInt32.random(in: 1...400, using: &random), isWorkload: false)
            // An identity stands once.
            for old in members where old.identity == member.identity {
                _ = index.remove(old)
                members.remove(old)
            }
            if step % 3 != 0 || step < 1200 {
                _ = index.insert(member)
                members.insert(member)
            }
        }
        for (id, selector) in zip(ids, selectors) {
            let expected = members.filter { selector.selects($0.prefix, isWorkload: $0.isWorkload) }.map(\.identity)
            #expect(Set(index.members(of: id)) == Set(expected) && index.members(of: id).count == expected.count)
        }
    }

    /// Eight times as many exceptions may cost some eight times as much; comparing each with each would cost 64 times.
    @Test func `a prefix with twenty thousand exceptions compiles in a time in proportion`() {
        let small = cost(exceptions: 2500)
        let large = cost(exceptions: 20_000)
        #expect(large < 24 * small, "\(small) ns for 2500, \(large) ns for 20000")
    }

    /// The least CPU time of three runs, in nanoseconds: prefixes come, a rule uses them, all of it goes again.
    private func cost(exceptions count: Int) -> UInt64 {
        var random = SplitMix64(state: 3)
        let except = (0..<count).map { CIDR(host: IPAddress(v4: 0x0a00_0000 + 2 * UInt32($0))) }.shuffled(
            using: &random)
        let policy = Policy.test(
            "wide", for: "api",
            rules: [
                (
                    .ingress, .allow,
                    .some([
                        .prefix(CIDR(IPAddress(v4: 0x0a00_0000), length: 8), except: except, includesWorkloads: true)
                    ]),
                    .all
                )
            ])
        var input = CompileInput.shop([policy])
        for (number, prefix) in policy.prefixes.map(\.prefix).enumerated() {
            input.peers.append(
                ResolvedIdentity(
                    identity: NumericIdentity(rawValue: NumericIdentity.localRange.lowerBound + 16 + UInt32(number)),
                    labels: LabelSet([Label(source: "reserved", key: "world")]), prefix: prefix))
        }
        return (0..<3).map { _ in
            let begin = HostClock.threadNanoseconds()
            let compiler = RuleCompiler()
            compiler.update(to: input)
            // The prefix itself, the host's access, and nobody who is excepted.
            #expect(compiler.mapState().policy.count == 2)
            compiler.update(to: CompileInput.shop([]))
            return HostClock.threadNanoseconds() - begin
        }.min() ?? 0
    }
}
