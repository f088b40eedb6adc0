// SPDX-License-Identifier: Apache-2.0

package import PolicyCompiler

extension MapState {
    /// The same state with the ranks of each tier counted from 0, without gaps.
    ///
    /// Verdicts depend on how the ranks of a tier compare and on nothing else of them: two states that are equal in this
    /// form give every packet the same verdict by the same rule.
    package func withDenseRanks() -> MapState {
        var used: [UInt8: Set<UInt32>] = [:]
        for (key, value) in policy {
            for verdict in [value.enforced, value.all] where verdict.precedence != 0 {
                used[SubjectStage.stage(of: key.subject), default: []].insert(verdict.precedence >> 8)
            }
        }
        let dense = used.mapValues { places in
            Dictionary(uniqueKeysWithValues: places.sorted().enumerated().map { ($1, UInt32($0)) })
        }
        var result = self
        for (key, value) in policy {
            let numbers = dense[SubjectStage.stage(of: key.subject)] ?? [:]
            func renamed(_ verdict: PolicyVerdict) -> PolicyVerdict {
                guard verdict.precedence != 0, let number = numbers[verdict.precedence >> 8] else { return verdict }
                return PolicyVerdict(precedence: (number + 1) << 8 | verdict.precedence & 0xff, rule: verdict.rule)
            }
            result.policy[key] = PolicyValue(enforced: renamed(value.enforced), all: renamed(value.all))
        }
        return result
    }
}
