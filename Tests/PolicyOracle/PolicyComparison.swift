// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import PolicyModel
import PolicyReading
package import PolicyTesting

/// What the documents mean against what the product's engines say of them.
package struct PolicyComparison {
    /// What became of one document.
    package struct Result {
        /// By verdict of the oracle.
        package var verdicts: [String: Int] = [:]
        /// The first probe about which somebody differs, in words; nil if all agree.
        package var difference: String?
    }

    /// A document of our own that the product does not take.
    package struct Refusal: Error, CustomStringConvertible {
        package var description: String
    }

    private let runner: PolicyTestRunner

    /// `engines`: at least one; they are compared in their causes too.
    package init(engines: [any PolicyTestEngine]) {
        runner = PolicyTestRunner(engines: engines) { path, _ in throw Refusal(description: "no file \(path)") }
    }

    /// Judges every probe of a document of kind PolicyTest.
    package func result(of document: CaseNode) throws -> Result {
        let set = PolicyTestReader().read(bytes: Array(document.json.utf8), file: "random.json")
        guard !set.hasErrors, let test = set.tests.first else {
            throw Refusal(description: set.diagnostics.filter { $0.severity == .error }.map(\.description).joined())
        }
        let oracle = ReferenceEvaluator(document)
        var result = Result()
        for (outcome, probe) in zip(try runner.run(test).outcomes, document["probes"]?.elements ?? []) {
            guard let judgement = oracle.judge(probe) else {
                throw Refusal(description: "the oracle cannot read \(probe.json)")
            }
            result.verdicts[judgement.verdict.rawValue, default: 0] += 1
            let ends = [outcome.probe.source.address, outcome.probe.destination.address]
            let isNamed = test.names.values.contains { $0.contains(where: ends.contains) }
            if result.difference == nil {
                result.difference = difference(of: outcome, judgement, isNamed: isNamed)
            }
        }
        return result
    }

    /// `isNamed`: an end has DNS names.
    private func difference(
        of outcome: ProbeOutcome, _ judgement: ReferenceEvaluator.Judgement, isNamed: Bool
    ) -> String? {
        for opinion in outcome.opinions {
            func verdict(_ isEgress: Bool, _ stage: HostStage? = nil) -> String? {
                opinion.sides.first { ($0.direction == .egress) == isEgress && $0.stage == stage }?.verdict.rawValue
            }
            guard verdict(true) == judgement.egress?.rawValue, verdict(false) == judgement.ingress?.rawValue,
                verdict(false, .forward) == judgement.passageIn?.rawValue,
                verdict(true, .forward) == judgement.passageOut?.rawValue
            else {
                return "\(outcome.probe.text): the documents mean \(judgement.text), "
                    + "\(opinion.engine) says \(opinion.text)"
            }
        }
        guard outcome.dissent != nil else { return nil }
        // Of two rules by name that weigh the same, each may name another one; the verdicts are compared above.
        if isNamed { return nil }
        return "\(outcome.probe.text): \(outcome.failure ?? "the causes differ")"
    }

    // MARK: - Failures

    /// The smallest document that still fails, with what the oracle expects, as a file for `bulkhead policy test`.
    package func smallest(_ document: CaseNode) -> CaseNode {
        let least = document.shrunk { candidate in
            (try? result(of: candidate))?.difference != nil
        }
        let oracle = ReferenceEvaluator(least)
        return least.replacing("probes") { probes in
            .list(
                probes.elements.map { probe in
                    probe.replacing("expect") { expected in
                        oracle.judge(probe).map { .text($0.verdict.rawValue) } ?? expected
                    }
                })
        }
    }
}

extension ReferenceEvaluator.Judgement {
    fileprivate var text: String {
        let ends = [
            egress.map { "egress \($0)" }, passageIn.map { "forward ingress \($0)" },
            passageOut.map { "forward egress \($0)" }, ingress.map { "ingress \($0)" },
        ].compactMap { $0 }
        return "\(verdict) (\(ends.joined(separator: ", ")))"
    }
}
