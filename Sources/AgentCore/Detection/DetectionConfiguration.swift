// SPDX-License-Identifier: Apache-2.0

import Detectors
import PolicyReading

extension ConfigurationReader {
    /// `port-scan: {failedProbes: 12}` or `first-contact: off`, by detector; what is not named has its defaults.
    func detectors() throws -> DetectorConfiguration {
        var configuration = DetectorConfiguration()
        for (name, value) in try entries() {
            var single = DetectorConfiguration()
            switch value.node.content {
            case .boolean(let isOn): single.off = isOn ? [] : [name]
            case .string(let word) where word == "off" || word == "on": single.off = word == "off" ? [name] : []
            default:
                var thresholds: [String: Double] = [:]
                for (threshold, number) in try value.entries() {
                    thresholds[threshold] = try number.number()
                    let fault = DetectorConfiguration(thresholds: [name: [threshold: thresholds[threshold] ?? 0]])
                        .faults.first
                    if let fault { throw number.error(fault) }
                }
                single.thresholds = [name: thresholds]
            }
            // A name that is switched on is checked as one that is switched off: both must be a detector's.
            if let fault = DetectorConfiguration(off: [name]).faults.first { throw value.error(fault) }
            configuration.off.formUnion(single.off)
            configuration.thresholds.merge(single.thresholds) { $1 }
        }
        return configuration
    }

    /// The name of a detector.
    func detector() throws -> String {
        let name = try string()
        try checkDetector(name)
        return name
    }

    /// Throws, with this place, if no detector is called so.
    func checkDetector(_ name: String) throws {
        if let fault = DetectorConfiguration(off: [name]).faults.first { throw error(fault) }
    }

    /// A number with or without a fraction.
    private func number() throws -> Double {
        if case .integer(let value) = node.content { return Double(value) }
        guard case .string(let text) = node.content, let value = Double(text), value.isFinite else {
            throw error("a number belongs here")
        }
        return value
    }
}
