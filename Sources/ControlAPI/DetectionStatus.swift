// SPDX-License-Identifier: Apache-2.0

/// Detectors, as in `status`; counts begin with the agent's start.
package struct DetectionStatus: Codable, Hashable, Sendable {
    /// Names of those that run.
    package var detectors: [String] = []
    /// Of the sensors.
    package var reports: UInt64 = 0
    /// Of those that no detector was told of: they were behind by very much.
    package var missed: UInt64 = 0
    /// By detector; those that found nothing are absent.
    ///
    /// An alert is made of many.
    package var findings: [String: UInt64] = [:]
    /// Records given up for want of room.
    package var forgotten: UInt64 = 0
    /// Workloads of which an earlier agent had learnt something.
    package var rememberedWorkloads = 0
    /// Why what is learnt is not kept; nil: it is.
    package var problem: String?

    package init() {}
}
