// SPDX-License-Identifier: Apache-2.0

/// What a node says of the cluster's policies: which it has seen, and which of these are not in force.
///
/// All others that it has seen are in force, so that the report of a healthy node is as small as its kinds are few.
package struct NodePolicyReport: Hashable, Sendable {
    /// Why a policy is not in force as it stands in the cluster.
    package struct Exception: Hashable, Sendable {
        package enum State: String, Hashable, Sendable, CaseIterable {
            /// The node does not understand it, or it contradicts others: what it said before stays in force.
            case refused = "Refused"
            /// It is understood, and something keeps it out.
            case waiting = "Waiting"
        }

        package var state: State
        /// Of the object that was seen.
        package var generation: Int
        /// One line for people; may be empty where there are many.
        package var message: String

        package init(_ state: State, generation: Int, message: String) {
            self.state = state
            self.generation = generation
            self.message = message
        }
    }

    /// Written and read by this program: another one means something that this one would not do.
    package static let schemaVersion = 1
    /// Of others only the number is told.
    package static let exceptionsMax = 250
    /// Bytes of a message.
    package static let messageMax = 300

    /// What was seen, by kind; a kind without any is not in it.
    package var digests: [String: DocumentDigest] = [:]
    /// Why kinds are not followed, by kind.
    package var problems: [String: String] = [:]
    /// By key of the document.
    package var exceptions: [String: Exception] = [:]
    /// How many exceptions are not in it.
    package var omitted = 0
    /// Why nothing is in force; empty: it is.
    package var problem = ""
    /// True: what policies deny is reported and not dropped.
    package var isAudit = false

    package init() {}

    /// Leaves out what would make the report too long: the same on every call, so that it is not written over and over.
    package mutating func bound() {
        guard exceptions.count > Self.exceptionsMax else { return }
        let kept = exceptions.sorted { $0.key < $1.key }.prefix(Self.exceptionsMax)
        omitted += exceptions.count - kept.count
        exceptions = Dictionary(uniqueKeysWithValues: kept.map { ($0.key, $0.value) })
    }
}
