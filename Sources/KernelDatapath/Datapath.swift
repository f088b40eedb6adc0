// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import EventDecoding
import EventModel
import NetworkModel
package import PolicyCompiler
import Synchronization

/// The datapath in this machine's kernel.
///
/// Programs, links and tables are pinned: they go on working when this object, or the process, is gone.
package final class Datapath: DatapathWriting {
    private let state: Mutex<DatapathState>
    /// For what takes long and must not hold up a commit.
    private let conntrack: BPFMap<conntrack_key, conntrack_entry>

    /// Loads the datapath, or takes over the one an earlier agent left under the same directory.
    ///
    /// Adopted endpoints keep their verdicts until the first `replace`. `attachment` forces clsact where tcx would do.
    package init(
        directory: PinDirectory = PinDirectory(), sizes: DatapathSizes = DatapathSizes(),
        settings: DatapathSettings = DatapathSettings(), attachment: AttachmentKind? = nil
    ) throws(DatapathError) {
        let loaded = try DatapathState.load(directory: directory, sizes: sizes, attachment: attachment)
        _ = loaded.tables.configure(settings, loaded.clock)
        conntrack = try kernel { () throws(BPFError) in
            try BPFMap(descriptor: loaded.objects.conntrack.descriptor.duplicate(), name: MapName.conntrack)
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
    package func attach(_ endpoint: DatapathEndpoint) throws(DatapathError) -> AttachmentKind {
        let earlier = state.withLock { $0.attached[endpoint.interface] }
        let kind = try withKernel { state throws(BPFError) in try state.attach(endpoint) }
        if let earlier, earlier.options.contains(.audit) != endpoint.options.contains(.audit) {
            try state.withLock { state throws(DatapathError) in try state.tables.judgeAgain() }
        }
        return kind
    }

    @discardableResult
    package func detach(interface: UInt32) throws(DatapathError) -> Bool {
        try withKernel { state throws(BPFError) in try state.detach(interface: interface) }
    }

    package func endpoints() -> [DatapathEndpoint] {
        state.withLock { $0.attached.values.sorted { $0.interface < $1.interface } }
    }

    @discardableResult
    package func replace(with newState: MapState) throws(DatapathError) -> CommitReport {
        try state.withLock { state throws(DatapathError) in try state.tables.replace(with: newState) }
    }

    @discardableResult
    package func commit(_ changes: MapChanges) throws(DatapathError) -> CommitReport {
        try state.withLock { state throws(DatapathError) in try state.tables.commit(changes) }
    }

    /// Removes what is expired (the programs ignore it anyway: this frees room) or nobody's.
    ///
    /// An entry that gets a packet between our look and our deletion was expired to the kernel too. Commits go on while
    /// a large table is read; only orphans are removed under the lock, because their endpoint may have come back.
    @discardableResult
    package func sweepConntrack() throws(DatapathError) -> SweepReport {
        let criteria = try withKernel { state throws(BPFError) in try state.sweepCriteria() }
        let findings = try kernel { () throws(BPFError) in
            let findings = try conntrack.findSweepable(criteria)
            try conntrack.remove(findings.expired)
            return findings
        }
        let step = 1024
        for start in stride(from: 0, to: findings.orphaned.count, by: step) {
            let part = findings.orphaned[start..<min(start + step, findings.orphaned.count)]
            try withKernel { state throws(BPFError) in try state.remove(orphaned: part) }
        }
        var report = SweepReport(
            visited: findings.visited, expired: findings.expired.count, orphaned: findings.orphaned.count)
        report.held = findings.held
        (report.capacity, report.share) = try withKernel { state throws(BPFError) in
            try state.writeHeldFlows(findings)
            return (state.conntrackCapacity, state.tables.conntrackShare)
        }
        return report
    }

    package func conntrackFlows(of endpoint: UInt16?) throws(DatapathError) -> [ConntrackFlow] {
        try withKernel { state throws(BPFError) in try state.conntrackFlows(of: endpoint) }
    }

    package func conntrackCount() throws(DatapathError) -> Int {
        var count = 0
        try kernel { () throws(BPFError) in try conntrack.forEach { _, _ in count += 1 } }
        return count
    }

    package func metrics() throws(DatapathError) -> DatapathMetrics {
        try withKernel { state throws(BPFError) in try state.metrics() }
    }

    package func ruleTraffic(_ slots: [UInt32]) throws(DatapathError) -> [UInt32: RuleTraffic] {
        try withKernel { state throws(BPFError) in try state.ruleTraffic(slots) }
    }

    package func status() -> DatapathStatus {
        state.withLock { state in
            DatapathStatus(
                attachment: state.attachment, fallbackReason: state.fallbackReason, isAdopted: state.isAdopted,
                isReady: state.tables.isReady, generation: state.tables.generation,
                endpointCount: state.attached.count, notes: state.notes,
                policyEntryCount: state.tables.policyEntryCount,
                policyEntryCapacity: state.tables.policyEntryCapacity, subjectCount: state.tables.subjectCount,
                directory: state.directory.path)
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
            try EventReader(state.objects.events, name: MapName.events, deliver)
        }
    }

    private func withKernel<Result>(
        _ body: (inout DatapathState) throws(BPFError) -> sending Result
    ) throws(DatapathError) -> Result {
        do throws(BPFError) {
            return try state.withLock { state throws(BPFError) in try body(&state) }
        } catch {
            throw .kernel(error)
        }
    }
}
