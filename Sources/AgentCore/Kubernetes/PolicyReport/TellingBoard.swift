// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Synchronization

/// Where those who tell the cluster something note how it goes, for `status`.
final class TellingBoard: Sendable {
    private let content = Mutex(TellingStatus())

    var status: TellingStatus { content.withLock { $0 } }

    func update<Result: Sendable>(_ change: (inout TellingStatus) -> Result) -> Result {
        content.withLock { change(&$0) }
    }
}
