// SPDX-License-Identifier: Apache-2.0

import PolicyLog
import PolicyModel

/// The section `policyLog` of the configuration.
struct PolicyLogConfiguration: Hashable, Sendable {
    /// False: nothing is written, whatever policies and documents want.
    var isEnabled = true
    var path = "/var/log/bulkhead/policy.log"
    /// Of one file.
    var bytesMax = 64 << 20
    var filesMax = 4
    /// Whether a policy's annotation is enough.
    var includesAnnotated = true
    var annotatedLinesPerSecond = LogSelection.defaultLinesPerSecond
    /// What is logged besides what documents select; nil: nothing.
    var selection: LogSelection?

    /// What is wanted before any document is known.
    var rules: LogRules {
        var selections: [String: LogSelection] = [:]
        if includesAnnotated {
            selections["annotation"] = LogSelection(isOfAnnotatedOnly: true, linesPerSecond: annotatedLinesPerSecond)
        }
        selections["configuration"] = selection
        return LogRules(selections)
    }
}

extension ConfigurationReader {
    func policyLog() throws -> PolicyLogConfiguration {
        var log = PolicyLogConfiguration()
        try mapping([
            "enabled": { log.isEnabled = try $0.boolean() },
            "path": { log.path = try $0.logPath() },
            "megabytes": { log.bytesMax = try $0.integer(1...16_384) << 20 },
            "files": { log.filesMax = try $0.integer(1...100) },
            "annotated": { log.includesAnnotated = try $0.boolean() },
            "linesPerSecond": { log.annotatedLinesPerSecond = try $0.integer(LogSelection.linesPerSecondRange) },
            "select": { log.selection = try $0.logSelection() },
        ])
        return log
    }

    private func logPath() throws -> String {
        let path = try string()
        guard path.hasPrefix("/"), !path.hasSuffix("/") else { throw error("\"\(path)\" is no file: it begins with /") }
        return path
    }

    private func logSelection() throws -> LogSelection {
        var selection = LogSelection(dispositions: [])
        try mapping([
            "verdicts": {
                selection.dispositions = Set(try $0.list().map { try $0.choice(LogSelection.Disposition.self) })
            },
            "policies": { reader in
                let word = try reader.string()
                guard ["all", "annotated"].contains(word) else {
                    throw reader.error("\"\(word)\" where all or annotated belongs")
                }
                selection.isOfAnnotatedOnly = word == "annotated"
            },
            "namespaces": { selection.namespaces = Set(try $0.list().map { try $0.string() }) },
            "linesPerSecond": { selection.linesPerSecond = try $0.integer(LogSelection.linesPerSecondRange) },
        ])
        guard !selection.dispositions.isEmpty else { throw error("a selection has `verdicts`: allow, deny, audit") }
        return selection
    }
}
