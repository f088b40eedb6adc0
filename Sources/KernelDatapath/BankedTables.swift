// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import CLinuxShim
import Glibc
import PolicyCompiler
import PolicyModel
import TableEncoding

/// The memory-mapped tables of which there are two banks, and the switch between them.
///
/// Only the configuration stays mapped. Of the other tables a commit maps what it writes, before it writes anything:
/// mapped pages count as memory of the agent, and a mapping that fails must not leave a commit half done.
///
/// A packet reads `active_bank` once and stays with that bank. We write only the other one, which nobody reads; one
/// store switches; after a grace period nobody reads the old bank any more, and it gets the same bytes. So both banks
/// are equal between commits, and a crash at any point leaves the active one whole: the next start writes everything
/// that tells used from unused into the inactive bank, whatever it holds. A commit may run ahead: it leaves the grace
/// period, and what the old bank lacks, to the next one or to `level`, whichever comes first.
struct BankedTables: ~Copyable {
    private let config: MappedArray
    private let policyHeads: TableFile
    private let policyEntries: TableFile
    private let ipcache: TableFile
    private let subjects: TableFile
    private let shadow: ShadowTables
    /// True once the banks are known to be level with the shadow.
    private(set) var isComplete = false
    /// What the inactive bank lacks since a commit ran ahead.
    private var lack: Lack?
    /// Where the next commit breaks off; nil outside tests.
    var interruption: CommitStep?

    /// Opens the pinned tables; their sizes say how much fits.
    init(_ pins: borrowing PinnedObjects, policyBuckets: Int) throws(BPFError) {
        let config = try MappedArray(pins.mapDescriptor(MapName.config), name: MapName.config)
        let policyHeads = try TableFile(MapName.policyHeads, in: pins)
        let policyEntries = try TableFile(MapName.policyEntries, in: pins)
        let ipcache = try TableFile(MapName.ipcache, in: pins)
        let subjects = try TableFile(MapName.subjects, in: pins)
        let banks = Int(BANK_COUNT)
        let buckets = min(policyBuckets, policyHeads.byteCount / banks / MemoryLayout<UInt32>.stride)
        shadow = ShadowTables(
            capacity: .init(
                policyBuckets: 1 << (Int.bitWidth - 1 - max(1, buckets).leadingZeroBitCount),
                policyEntries: policyEntries.byteCount / banks / MemoryLayout<policy_entry>.stride,
                ipcacheChunks: ipcache.byteCount / banks / Int(IPCACHE_CHUNK_BYTES)),
            lastEpoch: try BankedTables.highestEpoch(subjects))
        // Assigned last: a type that cannot be copied is built whole or not at all.
        self.config = config
        self.policyHeads = policyHeads
        self.policyEntries = policyEntries
        self.ipcache = ipcache
        self.subjects = subjects
    }

    /// The generation that the inactive bank is behind; nil while both are level.
    var generationAhead: UInt32? { lack?.generation }

    var activeBank: UInt32 { config.loadAcquiring(at: ConfigOffset.activeBank) & 1 }
    var generation: UInt32 { config.value(at: ConfigOffset.generation(activeBank), as: UInt32.self) }
    var isReady: Bool { config.loadAcquiring(at: ConfigOffset.flags) & UInt32(CONFIG_READY) != 0 }
    var policyEntryCount: Int { shadow.policy.count }
    var policyEntryCapacity: Int { shadow.policy.capacity }

    var subjectCount: Int { shadow.subjects.subjectCount }

    /// The time-outs in force, by state.
    var timeoutTicks: [UInt32] {
        (0..<Int(CONNTRACK_TIMEOUT_COUNT)).map { config.loadAcquiring(at: ConfigOffset.timeouts + 4 * $0) }
    }

    /// Flows that one endpoint may hold; zero: as many as there is room for.
    var conntrackShare: Int {
        get { Int(config.loadAcquiring(at: ConfigOffset.conntrackShare)) }
        nonmutating set { config.storeReleasing(UInt32(clamping: newValue), at: ConfigOffset.conntrackShare) }
    }

    /// Writes what may be switched at any time: flags, tick, reporting, time-outs.
    ///
    /// True if audit mode was switched: flows that are open were judged under the other mode.
    func configure(_ settings: DatapathSettings, _ clock: borrowing KernelClock) -> Bool {
        for (state, timeout) in settings.timeouts.byState.enumerated() {
            config.storeReleasing(clock.ticks(timeout), at: ConfigOffset.timeouts + 4 * state)
        }
        config.storeReleasing(clock.ticksPerSecond, at: ConfigOffset.ticksPerSecond)
        config.storeReleasing(clock.ticks(settings.reportInterval), at: ConfigOffset.reportInterval)
        let before = config.loadAcquiring(at: ConfigOffset.flags)
        var flags = before & UInt32(CONFIG_READY)
        if settings.isAudit { flags |= UInt32(CONFIG_AUDIT) }
        config.storeReleasing(flags, at: ConfigOffset.flags)
        return (before ^ flags) & UInt32(CONFIG_AUDIT) != 0
    }

    /// Writes the slots by which the stages of the host are judged.
    func setStages(_ subjects: [HostStage: UInt16]) {
        config.storeReleasing(UInt32(subjects[.forward] ?? 0), at: ConfigOffset.forwardSubject)
        config.storeReleasing(UInt32(subjects[.untracked] ?? 0), at: ConfigOffset.untrackedSubject)
    }

    /// Makes every open flow be judged again with its next packet, under the policies as they are.
    mutating func judgeAgain() throws(DatapathError) {
        guard isComplete else { return }
        shadow.touchSubjects()
        catchUp()
        _ = try publish(since: ContinuousClock.now)
    }

    /// Writes a complete state and switches to it.
    mutating func replace(with state: MapState) throws(DatapathError) -> CommitReport {
        let start = ContinuousClock.now
        catchUp()
        do throws(TableError) { try shadow.rebuild(state) } catch { throw .table(error) }
        let report = try publish(since: start)
        isComplete = true
        let flags = config.loadAcquiring(at: ConfigOffset.flags)
        config.storeReleasing(flags | UInt32(CONFIG_READY), at: ConfigOffset.flags)
        return report
    }

    /// Carries out changes and switches to the result; see `DatapathWriting` for `isAhead`.
    mutating func commit(_ changes: MapChanges, isAhead: Bool) throws(DatapathError) -> CommitReport {
        guard isComplete else { throw .incomplete }
        let start = ContinuousClock.now
        catchUp()
        do throws(TableError) { try shadow.apply(changes) } catch { throw .table(error) }
        return try publish(since: start, isAhead: isAhead)
    }

    /// Brings the inactive bank level after a commit that ran ahead: before the shadow changes.
    private mutating func catchUp() {
        guard lack != nil else { return }
        RunningPrograms.wait()
        level()
    }

    /// Writes what the inactive bank lacks; nobody may be reading it any more.
    mutating func level() {
        guard let lack else { return }
        self.lack = nil
        lack.windows.forEach { $0.fill(from: shadow) }
        label(1 - activeBank, generation: lack.generation)
    }

    /// Writes what the shadow has ahead of the banks, and switches.
    ///
    /// If it throws, the shadow is ahead for good: the next commit must be a `replace`.
    private mutating func publish(
        since start: ContinuousClock.Instant, isAhead: Bool = false
    ) throws(DatapathError) -> CommitReport {
        let wasComplete = isComplete
        isComplete = false
        let report = try writeAndSwitch(since: start, isAhead: isAhead)
        isComplete = wasComplete
        return report
    }

    private mutating func writeAndSwitch(
        since start: ContinuousClock.Instant, isAhead: Bool
    ) throws(DatapathError) -> CommitReport {
        let writes = shadow.takeWrites()
        let old = activeBank
        let new = 1 - old
        let generations = [old, new].map { config.value(at: ConfigOffset.generation($0), as: UInt32.self) }
        let next = (generations.max() ?? 0) &+ 1
        let halves = [writes[..<(writes.count / 2)], writes[(writes.count / 2)...]]
        let newWindows = try windows(on: halves, in: new), oldWindows = try windows(on: halves, in: old)
        newWindows[0].forEach { $0.fill(from: shadow) }
        try pass(.inactiveBankHalfWritten)
        newWindows[1].forEach { $0.fill(from: shadow) }
        try pass(.inactiveBankWritten)
        label(new, generation: next)
        config.storeReleasing(new, at: ConfigOffset.activeBank)
        let switched = ContinuousClock.now
        let byteCount = writes.reduce(0) { $0 + $1.range.bytes.count }
        try pass(.switched)
        if isAhead {
            lack = Lack(generation: next, windows: oldWindows.flatMap { $0 })
            return CommitReport(
                generation: next, byteCount: byteCount, switchLatency: switched - start,
                duration: ContinuousClock.now - start)
        }
        RunningPrograms.wait()
        oldWindows[0].forEach { $0.fill(from: shadow) }
        try pass(.otherBankHalfWritten)
        oldWindows[1].forEach { $0.fill(from: shadow) }
        label(old, generation: next)
        return CommitReport(
            generation: next, byteCount: byteCount, switchLatency: switched - start,
            duration: ContinuousClock.now - start)
    }

    private func pass(_ step: CommitStep) throws(DatapathError) {
        guard interruption == step else { return }
        throw .kernel(BPFError(errno: EINTR, operation: "go on after the commit step \(step)"))
    }

    /// Notes what a bank that nobody reads now holds.
    private func label(_ bank: UInt32, generation: UInt32) {
        config.storeReleasing(shadow.policy.bucketMask, at: ConfigOffset.bucketMask(bank))
        config.storeReleasing(generation, at: ConfigOffset.generation(bank))
    }

    /// Maps what these writes need of a bank, list by list.
    private func windows(on halves: [ArraySlice<TableWrite>], in bank: UInt32) throws(DatapathError) -> [[TableWindow]]
    {
        var windows: [[TableWindow]] = []
        for half in halves {
            var part: [TableWindow] = []
            for group in TableWindow.groups(half) {
                let window = try kernel { () throws(BPFError) in
                    switch group.table {
                    case .policyHeads: try TableWindow(on: policyHeads, bank: bank, group)
                    case .policyEntries: try TableWindow(on: policyEntries, bank: bank, group)
                    case .ipcache: try TableWindow(on: ipcache, bank: bank, group)
                    case .subjects: try TableWindow(on: subjects, bank: bank, group)
                    }
                }
                part.append(window)
            }
            windows.append(part)
        }
        return windows
    }

    /// Cached verdicts may carry any epoch found here: the next one must be higher.
    private static func highestEpoch(_ table: borrowing TableFile) throws(BPFError) -> UInt32 {
        let subjects = try table.map(0..<table.byteCount)
        let size = MemoryLayout<subject_entry>.stride
        var highest: UInt32 = 0
        for index in 0..<(table.byteCount / size) {
            highest = max(highest, subjects.value(at: index * size, as: UInt32.self))
        }
        return highest
    }
}

/// What a bank lacks that was the active one until a moment ago.
private struct Lack {
    let generation: UInt32
    let windows: [TableWindow]
}

/// The moments of a commit after which a crash leaves the tables in a different state.
package enum CommitStep: String, Hashable, Sendable, CaseIterable {
    case inactiveBankHalfWritten
    case inactiveBankWritten
    case switched
    case otherBankHalfWritten
}

/// Where the fields of `struct datapath_config` lie.
private enum ConfigOffset {
    static let activeBank = offset(\.active_bank)
    static let flags = offset(\.flags)
    static let ticksPerSecond = offset(\.ticks_per_second)
    static let reportInterval = offset(\.report_interval_ticks)
    static let timeouts = offset(\.timeout_ticks)
    static let conntrackShare = offset(\.conntrack_share)
    static let forwardSubject = offset(\.forward_subject)
    static let untrackedSubject = offset(\.untracked_subject)

    static func generation(_ bank: UInt32) -> Int { offset(\.bank_generation) + 4 * Int(bank) }
    static func bucketMask(_ bank: UInt32) -> Int { offset(\.policy_bucket_mask) + 4 * Int(bank) }

    private static func offset<Field>(_ field: KeyPath<datapath_config, Field>) -> Int {
        guard let offset = MemoryLayout<datapath_config>.offset(of: field) else {
            preconditionFailure("a C structure has stored fields only")
        }
        return offset
    }
}
