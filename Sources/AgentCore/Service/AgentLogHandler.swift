// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxHost
package import Logging

/// How log lines look.
package enum LogFormat: String, Sendable, CaseIterable {
    /// `2026-11-21T01:02:03.000000004Z info message key=value`
    case text
    /// One JSON object a line: `time`, `level`, `message` and the metadata.
    case json
}

/// Writes structured log lines to standard error, one `write` each so that lines of several threads do not mix.
package struct AgentLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    package var logLevel: Logger.Level
    private let format: LogFormat

    package init(format: LogFormat, level: Logger.Level) {
        self.format = format
        self.logLevel = level
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let merged = metadata.merging(event.metadata ?? [:]) { $1 }
        var pairs = merged.map { ($0.key, "\($0.value)") }.sorted { $0.0 < $1.0 }
        if let error = event.error { pairs.append(("error", "\(error)")) }
        let time = Timestamp.text(nanoseconds: Int64(HostClock.wallNanoseconds()))
        let line = AgentLogHandler.line(
            format, time: time, level: event.level.rawValue, message: "\(event.message)", pairs: pairs)
        var bytes = Array(line.utf8)
        bytes.append(0x0a)
        _ = unsafe bytes.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    /// One line without its newline.
    static func line(
        _ format: LogFormat, time: String, level: String, message: String, pairs: [(String, String)]
    ) -> String {
        switch format {
        case .text:
            let extra = pairs.map { " \($0)=\(quoted($1))" }.joined()
            return "\(time) \(level) \(message)\(extra)"
        case .json:
            let fields = [("time", time), ("level", level), ("message", message)] + pairs
            return "{" + fields.map { "\(escaped($0)):\(escaped($1))" }.joined(separator: ",") + "}"
        }
    }

    private static func quoted(_ text: String) -> String {
        text.isEmpty || text.contains { $0 == " " || $0 == "\"" || $0.isNewline }
            || text.unicodeScalars.contains(where: isControl) ? escaped(text) : text
    }

    /// What a terminal that shows the log would obey, of both ranges.
    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
    }

    /// A JSON string literal.
    private static func escaped(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case _ where isControl(scalar):
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
