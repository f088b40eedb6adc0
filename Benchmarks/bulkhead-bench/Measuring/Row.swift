// SPDX-License-Identifier: Apache-2.0

/// One line of the result: a figure of ours against a peer's or against an absolute bound.
///
/// Every bound is an upper one. With a peer the bound is on `ratio` (ours / peer); without, on `ours`.
struct Row: Encodable {
    let name: String
    let unit: String
    let ours: Double
    let peer: Double?
    let peerName: String?
    /// Median of the rounds' ratios.
    let ratio: Double?
    /// The best round's ratio: one lucky round does not make a pass, but noise alone must not make a failure either.
    let bestRatio: Double?
    let bound: Double
    let pass: Bool

    enum CodingKeys: String, CodingKey {
        case name, unit, ours, peer
        case peerName = "peer_name"
        case ratio
        case bestRatio = "best_ratio"
        case bound, pass
    }

    /// A comparison made in one run.
    ///
    /// It fails only when median *and* best ratio are past the bound.
    init(_ name: String, unit: String, samples: PairedSamples, peerName: String, bound: Double) {
        self.name = name
        self.unit = unit
        ours = samples.ours.median
        peer = samples.peer.median
        self.peerName = peerName
        ratio = samples.ratios.median
        bestRatio = samples.leastRatio
        self.bound = bound
        pass = samples.ratios.median <= bound || samples.leastRatio <= bound
    }

    /// A figure with a bound of its own; `beside`: what peers made of the same.
    init(_ name: String, unit: String, ours: Double, bound: Double, beside: String? = nil) {
        self.name = name
        self.unit = unit
        self.ours = ours
        peer = nil
        peerName = beside
        ratio = nil
        bestRatio = nil
        self.bound = bound
        pass = ours <= bound
    }

    func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(name, forKey: .name)
        try fields.encode(unit, forKey: .unit)
        try fields.encode(rounded(ours), forKey: .ours)
        try fields.encode(peer.map(rounded), forKey: .peer)
        try fields.encode(peerName, forKey: .peerName)
        // Against a peer's nothing there is no ratio, and JSON has no word for it.
        try fields.encode(ratio.flatMap { $0.isFinite ? rounded($0) : nil }, forKey: .ratio)
        try fields.encode(bestRatio.flatMap { $0.isFinite ? rounded($0) : nil }, forKey: .bestRatio)
        try fields.encode(bound, forKey: .bound)
        try fields.encode(pass, forKey: .pass)
    }

    private func rounded(_ value: Double) -> Double {
        (value * 1000).rounded() / 1000
    }
}
