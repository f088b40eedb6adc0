// SPDX-License-Identifier: Apache-2.0

import Logging
import Synchronization

/// Keeps log lines: level, message, values.
final class RecordingLog: LogHandler {
    private let lines = Mutex<[String]>([])

    var seen: [String] { lines.withLock { $0 } }

    var logLevel: Logger.Level {
        get { .trace }
        set {}
    }
    var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }

    func log(event: LogEvent) {
        let values = (event.metadata ?? [:]).values.map { "\($0)" }.joined(separator: " ")
        lines.withLock { $0.append("\(event.level) \(event.message) \(values)") }
    }
}
