// SPDX-License-Identifier: Apache-2.0

/// What a detector's page says; `make docs` writes docs/reference/detectors from it.
package struct DetectorGuide: Sendable {
    /// Lower case with hyphens, as in findings, configuration and file names.
    package var name: String
    /// What it finds, as a heading.
    package var title: String
    /// MITRE ATT&CK identifier and its name.
    package var technique: String
    package var techniqueName: String
    /// Which severity in which case.
    package var severity: String
    /// What is found, for whom it matters.
    package var about: String
    /// How it decides.
    package var method: String
    /// Where the method is from.
    package var sources: [String]
    package var thresholds: [Threshold]
    /// Figures in a finding: name and meaning.
    package var evidence: [(name: String, meaning: String)]
    /// Ordinary traffic that looks alike, and why it stays quiet.
    package var nearMisses: [String]
    /// What it cannot see, and what to change where it is wrong.
    package var limits: [String]
    /// Records it keeps at most.
    package var capacity: Int
}

/// One figure that decides, with a default that needs no tuning.
package struct Threshold: Hashable, Sendable {
    /// camelCase, as in the configuration.
    package var name: String
    package var standard: Double
    package var unit: String
    /// What may be set.
    package var range: ClosedRange<Double>
    package var meaning: String

    package init(
        _ name: String, _ standard: Double, _ unit: String, in range: ClosedRange<Double> = 0...1e12, _ meaning: String
    ) {
        self.name = name
        self.standard = standard
        self.unit = unit
        self.range = range
        self.meaning = meaning
    }
}

/// The thresholds in force for one detector.
package struct Thresholds: Sendable {
    private var overrides: [String: Double]

    package init(_ overrides: [String: Double] = [:]) { self.overrides = overrides }

    package subscript(_ threshold: Threshold) -> Double { overrides[threshold.name] ?? threshold.standard }

    /// A threshold in seconds as nanoseconds.
    func nanoseconds(_ threshold: Threshold) -> UInt64 { UInt64(self[threshold] * 1e9) }
}
