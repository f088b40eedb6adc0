// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import EventDecoding
import EventModel
import NetworkModel
package import PolicyCompiler
package import PolicyModel
import Synchronization

/// The datapath in this machine's kernel.
///
/// Programs, links and tables are pinned: they go on working when this object, or the process, is gone.
package final class Datapath: DatapathWriting {
    private let state: Mutex<DatapathState>
    /// The flow table, under a lock of its own, which is taken first: what is done with it takes long and must not hold
    /// up a commit.
    private let conntrack: Mutex<ConntrackFile>
    /// What is attached; taken before the tables' lock.
    private let programs: Mutex<EndpointPrograms>
    /// Under a lock of its own: what was answered is read without holding up a commit.
    private let names: Mutex<NameTables>
    /// Nil: their programs do not load on this kernel.
    private let services: Mutex<ServiceTables?>
    private let directory: PinDirectory

    /// Loads the datapath, or takes over the one an earlier agent left under the same directory.
    ///
    /// Adopted endpoints keep their verdicts until the first `replace`. `attachment` forces clsact where tcx would do.
    package init(
        directory: PinDirectory = PinDirectory(), sizes: DatapathSizes = DatapathSizes(),
        settings: DatapathSettings = DatapathSettings(), attachment: AttachmentKind? = nil
    ) throws(DatapathError) {
        self.directory = directory
        var loaded = try DatapathState.load(directory: directory, sizes: sizes, attachment: attachment)
        _ = loaded.tables.configure(settings, loaded.clock)
        do throws(BPFError) {
            let file = try ConntrackFile(loaded.pins)
            try file.map().reclaimLost()
            conntrack = Mutex(file)
            let links = try EndpointPrograms(loaded.pins, attachment: loaded.attachment)
            try loaded.adoptEndpoints(links)
            programs = Mutex(links)
            names = Mutex(try NameTables.open(loaded.pins))
            loaded.serviceNumbers = try ServiceTables.numbers(loaded.pins)
            services = Mutex(ServiceTables.open(loaded.pins))
        } catch {
            throw .kernel(error)
        }
        state = Mutex(loaded)
    }

    /// Makes the next commit break off as if the process had died there; this object is of no use afterwards.
    ///
    /// For tests.
    package func interruptNextCommit(after step: CommitStep) {
        state.withLock { $0.tables.interruption = step }
    }

    package func configure(_ settings: DatapathSettings) throws(DatapathError) {
        try state.withLock { state throws(DatapathError) in
            if state.tables.configure(settings, state.clock) { try state.tables.judgeAgain() }
        }
    }

    package func setStages(_ subjects: [HostStage: UInt16]) throws(DatapathError) {
        state.withLock { $0.tables.setStages(subjects) }
    }

    package func setFailsafes(_ ports: Set<FailsafePort>) throws(DatapathError) {
        try withKernel { state throws(BPFError) in
            let wanted = ports.map {
                failsafe_key(port: $0.port.bigEndian, protocol: $0.proto.rawValue, direction: $0.direction.rawValue)
            }
            for key in wanted { try state.objects.failsafes.update(key, to: 1) }
            var surplus: [failsafe_key] = []
            try state.objects.failsafes.forEach { key, _ in
                let isWanted = wanted.contains {
                    $0.port == key.port && $0.protocol == key.protocol && $0.direction == key.direction
                }
                if !isWanted { surplus.append(key) }
            }
            try state.objects.failsafes.remove(surplus)
        }
    }

    @discardableResult
    package func attach(_ endpoint: DatapathEndpoint, isAtOnce: Bool) throws(DatapathError) -> AttachmentKind {
        let isHost = endpoint.options.contains(.host)
        let (earlier, shortage) = try withKernel { state throws(BPFError) in try state.record(endpoint) }
        if earlier?.options.contains(.host) != isHost {
            do throws(BPFError) {
                let kind = try programs.withLock { programs throws(BPFError) -> AttachmentKind? in
                    if isAtOnce, earlier == nil, !isHost { return try programs.attachAtOnce(to: endpoint.interface) }
                    try programs.attach(to: endpoint.interface, isHost: isHost)
                    return nil
                }
                state.withLock { $0.note(kind, of: endpoint.interface) }
            } catch {
                if earlier == nil { try? programs.withLock { try $0.detach(from: endpoint.interface) } }
                state.withLock { $0.takeBack(endpoint, to: earlier) }
                throw .kernel(error)
            }
        }
        if let earlier, earlier.options.contains(.audit) != endpoint.options.contains(.audit) {
            try state.withLock { state throws(DatapathError) in try state.tables.judgeAgain() }
        }
        if let shortage { throw .kernel(shortage) }
        return state.withLock { $0.kind(of: endpoint.interface) }
    }

    package func settle(interface: UInt32) throws(DatapathError) -> AttachmentKind {
        guard state.withLock({ $0.interim.contains(interface) }) else {
            return state.withLock { $0.attachment }
        }
        do throws(BPFError) {
            try programs.withLock { programs throws(BPFError) in try programs.attach(to: interface, isHost: false) }
        } catch {
            throw .kernel(error)
        }
        return state.withLock { state in
            state.note(nil, of: interface)
            return state.kind(of: interface)
        }
    }

    @discardableResult
    package func detach(interface: UInt32) throws(DatapathError) -> Bool {
        guard state.withLock({ $0.attached[interface] != nil }) else { return false }
        do throws(BPFError) {
            // Programs first, so that no packet meets one without a record.
            try programs.withLock { programs throws(BPFError) in try programs.detach(from: interface) }
            try state.withLock { state throws(BPFError) in try state.forget(interface: interface) }
        } catch {
            throw .kernel(error)
        }
        return true
    }

    package func endpoints() -> [DatapathEndpoint] {
        state.withLock { $0.attached.values.sorted { $0.interface < $1.interface } }
    }

    @discardableResult
    package func replace(with newState: MapState) throws(DatapathError) -> CommitReport {
        try state.withLock { state throws(DatapathError) in try state.tables.replace(with: newState) }
    }

    @discardableResult
    package func commit(_ changes: MapChanges, isAhead: Bool) throws(DatapathError) -> CommitReport {
        try state.withLock { state throws(DatapathError) in try state.tables.commit(changes, isAhead: isAhead) }
    }

    package func levelBanks() {
        guard let generation = state.withLock({ $0.tables.generationAhead }) else { return }
        // Not under the lock: who commits meanwhile waits for itself.
        RunningPrograms.wait()
        state.withLock { state in
            if state.tables.generationAhead == generation { state.tables.level() }
        }
    }

    /// Removes what is expired (the programs ignore it anyway: this frees room) or nobody's.
    ///
    /// An entry that gets a packet between our look and our deletion was expired to the kernel too. Commits go on while
    /// a large table is read; only orphans are removed under their lock, because their endpoint may have come back.
    @discardableResult
    package func sweepConntrack() throws(DatapathError) -> SweepReport {
        let criteria = try withKernel { state throws(BPFError) in try state.sweepCriteria() }
        return try withConntrack { table throws(BPFError) in
            var report = SweepReport()
            var orphaned: [Int] = []
            var kept: [UInt16: Int] = [:]
            var removed = table.unlink(from: table.buckets) { bucket, key, entry in
                report.visited += 1
                report.held[key.endpoint, default: 0] += 1
                if criteria.isOrphaned(key) {
                    if orphaned.last != bucket { orphaned.append(bucket) }
                    return false
                }
                let isExpired = criteria.isExpired(entry)
                if isExpired { report.expired += 1 } else { kept[key.endpoint, default: 0] += 1 }
                return isExpired
            }
            let step = 1024
            for start in stride(from: 0, to: orphaned.count, by: step) {
                let part = orphaned[start..<min(start + step, orphaned.count)]
                removed += try self.unlinkOrphans(from: part, of: table)
            }
            report.orphaned = removed.count - report.expired
            table.free(removed)
            (report.capacity, report.share) = try self.state.withLock { state throws(BPFError) in
                try state.writeHeldFlows(held: report.held, kept: kept)
                return (state.conntrackCapacity, state.tables.conntrackShare)
            }
            return report
        }
    }

    private func unlinkOrphans(from buckets: ArraySlice<Int>, of table: borrowing ConntrackTable) throws(BPFError)
        -> [UInt32]
    {
        try state.withLock { state throws(BPFError) in
            let criteria = try state.sweepCriteria()
            return table.unlink(from: buckets) { _, key, _ in criteria.isOrphaned(key) }
        }
    }

    package func conntrackFlows(of endpoint: UInt16?) throws(DatapathError) -> [ConntrackFlow] {
        let (now, rate) = try withKernel { state throws(BPFError) in
            (try state.clock.now(), state.clock.ticksPerSecond)
        }
        return try withConntrack { table throws(BPFError) in
            var flows: [ConntrackFlow] = []
            table.forEach { key, entry in
                guard endpoint == nil || key.endpoint == endpoint,
                    let flow = ConntrackFlow(key, entry, now: now, ticksPerSecond: rate)
                else { return }
                flows.append(flow)
            }
            return flows
        }
    }

    package func conntrackCount() throws(DatapathError) -> Int {
        try withConntrack { table throws(BPFError) in table.count }
    }

    private func withConntrack<Result>(
        _ body: (borrowing ConntrackTable) throws(BPFError) -> Result
    ) throws(DatapathError) -> Result {
        try kernel { () throws(BPFError) in
            try conntrack.withLock { file throws(BPFError) in try body(file.map()) }
        }
    }

    package func metrics() throws(DatapathError) -> DatapathMetrics {
        try withKernel { state throws(BPFError) in try state.metrics() }
    }

    package func ruleTraffic(_ slots: [UInt32]) throws(DatapathError) -> [UInt32: RuleTraffic] {
        try withKernel { state throws(BPFError) in try state.ruleTraffic(slots) }
    }

    package func programRuns() throws(DatapathError) -> [ProgramRuns] {
        try kernel { () throws(BPFError) in try PinnedObjects(directory: directory).programRuns() }
    }

    package func status() -> DatapathStatus {
        state.withLock { state in
            DatapathStatus(
                attachment: state.attachment, fallbackReason: state.fallbackReason, isAdopted: state.isAdopted,
                isReady: state.tables.isReady, generation: state.tables.generation,
                endpointCount: state.attached.count, notes: state.notes,
                keptSizes: state.keptSizes, conntrackCapacity: state.conntrackCapacity,
                policyEntryCount: state.tables.policyEntryCount,
                policyEntryCapacity: state.tables.policyEntryCapacity, subjectCount: state.tables.subjectCount,
                directory: state.pins.directory.path)
        }
    }

    package func kernelSupport() -> KernelSupport {
        state.withLock { state in
            if let support = state.support { return support }
            let (kind, reason) = (state.attachment, state.fallbackReason)
            // The attachment was settled at the start, by the probe or by request.
            let support = KernelSupport.probe { feature in
                feature == .tcx ? (kind == .tcx ? nil : reason) : feature.explanationIfMissing()
            }
            state.support = support
            return support
        }
    }

    package func readEvents(
        _ deliver: @escaping @Sendable (EventBatch) -> Void
    ) throws(DatapathError) -> any EventReading {
        try withKernel { state throws(BPFError) in
            try EventReader(state.objects.events.open(), deliver)
        }
    }

    func withNames<Result>(
        _ body: (inout NameTables) throws(BPFError) -> sending Result
    ) throws(DatapathError) -> Result {
        do throws(BPFError) {
            return try names.withLock { names throws(BPFError) in try body(&names) }
        } catch {
            throw .kernel(error)
        }
    }

    /// Nil if this kernel did not take the programs.
    func withServices<Result: Sendable>(
        _ body: (borrowing ServiceTables) throws(BPFError) -> Result
    ) throws(DatapathError) -> Result? {
        do throws(BPFError) {
            return try services.withLock { tables throws(BPFError) -> Result? in
                switch tables {
                case .some(let tables): try body(tables)
                case .none: nil
                }
            }
        } catch {
            throw .kernel(error)
        }
    }

    func withState<Result>(_ body: (inout DatapathState) -> sending Result) -> Result {
        state.withLock { body(&$0) }
    }

    func withKernel<Result>(
        _ body: (inout DatapathState) throws(BPFError) -> sending Result
    ) throws(DatapathError) -> Result {
        do throws(BPFError) {
            return try state.withLock { state throws(BPFError) in try body(&state) }
        } catch {
            throw .kernel(error)
        }
    }
}
