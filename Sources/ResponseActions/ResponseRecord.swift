// SPDX-License-Identifier: Apache-2.0

package import DetectionModel

/// An action from the moment it was decided, with its cause.
package struct ResponseRecord: Hashable, Sendable, Codable {
    package enum State: String, Hashable, Sendable, Codable, CaseIterable {
        /// Decided and written down, not yet carried out.
        case decided
        case active
        /// To be taken back, which did not work yet.
        case ending
        /// Over because its time was.
        case ended
        /// Taken back by somebody.
        case undone
        /// Could not be carried out.
        case failed
        /// A guard rail was against it.
        case refused
        /// Would have been carried out, had it been on.
        case wouldAct = "would-act"
    }

    /// Never given out twice.
    package let id: Int
    package let action: ResponseAction
    package var state: State
    /// The alert, the detector and the sentence that led to it.
    package let alert: Int
    package let detector: String
    package let severity: Severity
    package let cause: String
    /// Nanoseconds since 1970.
    package var since: UInt64
    package var until: UInt64
    package var endedAt: UInt64?
    /// 1: the first time within memory.
    package let repetition: Int
    /// Why it was refused, failed, or is not yet taken back.
    package var problem: String?
    /// Who took it back.
    package var by: String?

    /// True while something may be in force.
    package var isInForce: Bool { state == .active || state == .ending || state == .decided }
}
