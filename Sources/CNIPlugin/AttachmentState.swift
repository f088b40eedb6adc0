// SPDX-License-Identifier: Apache-2.0

/// How far an attachment is.
package enum AttachmentState: String, Codable, Sendable, CaseIterable {
    /// Its workload's policy is in force.
    case inForce
    /// Nothing passes: no source says who it is.
    case closed
    /// Programs or tables are still on their way.
    case pending
    /// It cannot be enforced.
    case failed
    /// The runtime has let it go; nothing passes until the interface is gone.
    case leaving
}
