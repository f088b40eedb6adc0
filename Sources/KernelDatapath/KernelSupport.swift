// SPDX-License-Identifier: Apache-2.0
package import BPFRuntime

/// What this kernel and this process have of what the datapath makes use of.
package struct KernelSupport: Hashable, Sendable {
    /// A feature that is not there.
    package struct Gap: Hashable, Sendable {
        /// Stable name, as in `tcx`.
        package var feature: String
        /// What is missing, and which kernel or command brings it.
        package var reason: String
        /// What the user loses.
        package var cost: String

        package init(feature: String, reason: String, cost: String) {
            self.feature = feature
            self.reason = reason
            self.cost = cost
        }
    }

    /// Stable names of the features that are there.
    package var available: [String]
    package var gaps: [Gap]

    package init(available: [String] = [], gaps: [Gap] = []) {
        self.available = available
        self.gaps = gaps
    }

    /// Tries every feature; `explanation` is nil for one that is there.
    ///
    /// The real probes take some milliseconds, and leave nothing behind.
    package static func probe(
        _ explanation: (KernelFeature) -> String? = { $0.explanationIfMissing() }
    ) -> KernelSupport {
        var support = KernelSupport()
        for feature in KernelFeature.allCases {
            if let reason = explanation(feature) {
                support.gaps.append(Gap(feature: feature.rawValue, reason: reason, cost: feature.cost))
            } else {
                support.available.append(feature.rawValue)
            }
        }
        return support
    }
}
