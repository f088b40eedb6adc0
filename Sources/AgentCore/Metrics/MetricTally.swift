// SPDX-License-Identifier: Apache-2.0

import Metrics
import Synchronization

/// Samples that were told only as part of a sum, over all answers.
final class MetricTally: Sendable {
    private let dropped = Mutex<[String: UInt64]>([:])

    /// Adds those of an answer, and returns all so far.
    func add(_ news: [String: UInt64]) -> [String: UInt64] {
        dropped.withLock { dropped in
            dropped.merge(news, uniquingKeysWith: &+)
            return dropped
        }
    }
}
