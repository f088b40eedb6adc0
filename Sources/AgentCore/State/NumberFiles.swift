// SPDX-License-Identifier: Apache-2.0

import IdentityAllocation
import PolicyCompiler

/// Who has which number, on disk: one file of all identities, one of all rules, and a log of what was given out since.
final class NumberFiles {
    /// A longer log is taken over into the files.
    private static let logBytesMax = 4 << 20

    private let identitiesPath: String
    private let rulesPath: String
    private let log: NumberLog
    /// Rule numbers that are not on disk; they outlive a change that is refused.
    private var unwrittenRules: RuleRegistry.Snapshot?
    /// True once the files hold everything; from then on new numbers go to the log.
    private var areFilesCurrent = false

    init(_ configuration: AgentConfiguration) {
        identitiesPath = configuration.identitiesPath
        rulesPath = configuration.rulesPath
        log = NumberLog(path: configuration.numberLogPath)
    }

    /// Everything that was given out.
    ///
    /// `olderIdentities`: from a state file of before, used if there is no file of identities.
    func read(olderIdentities: IdentityAllocator.Snapshot?) throws(AgentError) -> (
        identities: IdentityAllocator.Snapshot, rules: RuleRegistry.Snapshot
    ) {
        let stored = try StateStorage.read(IdentityAllocator.Snapshot.self, from: identitiesPath)
        var identities = stored ?? olderIdentities ?? IdentityAllocator.Snapshot()
        var rules =
            try StateStorage.read(RuleRegistry.Snapshot.self, from: rulesPath)
            ?? RuleRegistry.Snapshot(nextFresh: 0, entries: [])
        let records = try log.read()
        if !records.isEmpty {
            identities.merge(records.compactMap(\.identities))
            rules.merge(records.compactMap(\.rules))
        }
        areFilesCurrent = stored != nil && log.byteCount == 0
        return (identities, rules)
    }

    /// Writes down what was given out since the last call.
    func note(
        identities: IdentityAllocator.Snapshot?, rules: RuleRegistry.Snapshot?,
        all: () -> IdentityAllocator.Snapshot, allRules: () -> RuleRegistry.Snapshot
    ) throws(AgentError) {
        if let rules {
            var sum = unwrittenRules ?? rules
            if unwrittenRules != nil { sum.merge([rules]) }
            unwrittenRules = sum
        }
        let record = NumberLog.Record(identities: identities, rules: unwrittenRules)
        if !record.isEmpty && (areFilesCurrent || log.byteCount > 0) {
            try log.append(record)
            unwrittenRules = nil
        }
        guard !areFilesCurrent || log.byteCount > NumberFiles.logBytesMax else { return }
        try StateStorage.write(all(), to: identitiesPath)
        try StateStorage.write(allRules(), to: rulesPath)
        unwrittenRules = nil
        areFilesCurrent = true
        log.clear()
    }
}
