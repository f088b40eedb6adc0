// SPDX-License-Identifier: Apache-2.0

/// Figures of one quantity over the rounds of a run.
struct Samples {
    private(set) var values: [Double] = []

    mutating func add(_ value: Double) {
        values.append(value)
    }

    var isEmpty: Bool { values.isEmpty }

    var median: Double { quantile(0.5) }

    var least: Double { values.min() ?? .nan }

    var greatest: Double { values.max() ?? .nan }

    /// The value below which `share` of the samples lie (nearest rank).
    func quantile(_ share: Double) -> Double {
        guard !values.isEmpty else { return .nan }
        let sorted = values.sorted()
        let rank = Int((Double(sorted.count) * share).rounded(.down))
        return sorted[min(rank, sorted.count - 1)]
    }
}

/// Two quantities measured in turn, round by round, so that the machine's mood meets both.
struct PairedSamples {
    private(set) var ours = Samples()
    private(set) var peer = Samples()
    private(set) var ratios = Samples()

    mutating func add(ours ourValue: Double, peer peerValue: Double) {
        ours.add(ourValue)
        peer.add(peerValue)
        ratios.add(ourValue / peerValue)
        if ourValue > 0, peerValue > 0 { leastRatio = min(leastRatio, ourValue / peerValue) }
    }

    /// Of the rounds in which both figures are more than noise, which can make a difference negative.
    private(set) var leastRatio = Double.infinity
}
