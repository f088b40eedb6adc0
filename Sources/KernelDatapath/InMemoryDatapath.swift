// SPDX-License-Identifier: Apache-2.0
package import EventModel
import Glibc
package import IdentityModel
package import NetworkModel
package import PolicyCompiler
package import PolicyModel
import Synchronization

/// A datapath without a kernel: remembers what it was told.
///
/// For tests of what uses `DatapathWriting`, and for demos.
package final class InMemoryDatapath: DatapathWriting {
    /// Everything the double remembers; tests read and set it through `withContent`.
    package struct Content: Sendable {
        package var settings = DatapathSettings()
        package var failsafes: Set<FailsafePort> = []
        package var endpoints: [UInt32: DatapathEndpoint] = [:]
        /// Attached interfaces that were not settled.
        package var interim: Set<UInt32> = []
        /// How many commits ran ahead.
        package var commitsAhead = 0
        package var services: [DatapathService] = []
        package var servicePrograms: [ServiceProgram] = []
        package var kept: Set<HostConnection> = []
        /// The complete state in force; nil before the first `replace`.
        package var mapState: MapState?
        /// What the last `commit` was asked for.
        package var lastChanges: MapChanges?
        package var generation: UInt32 = 0
        package var flows: [ConntrackFlow] = []
        package var metrics = DatapathMetrics()
        package var support = KernelSupport()
        package var ruleTraffic: [UInt32: RuleTraffic] = [:]
        package var programRuns: [ProgramRuns] = []
        package var nameSettings = NameSettings()
        package var names: [NameSelector: NumericIdentity] = [:]
        package var keptSizes: [String] = []
        package var learntNames: [LearntName] = []
        /// Names of the calls in order, as in `attach 7`.
        package var calls: [String] = []
        /// While true, who attaches or detaches waits.
        package var areProgramsHeld = false
        /// What every attachment throws.
        package var attachError: DatapathError?
        /// What the next call that may fail throws.
        package var nextError: DatapathError?
        package var stages: [HostStage: UInt16] = [:]
        fileprivate var readers: [Int: @Sendable (EventBatch) -> Void] = [:]
        fileprivate var readerCount = 0

        package init() {}
    }

    private let content: Mutex<Content>

    package init(_ content: Content = Content()) { self.content = Mutex(content) }

    /// Reads or changes what the double remembers.
    package func withContent<Result: Sendable>(_ body: (inout Content) -> Result) -> Result {
        content.withLock { body(&$0) }
    }

    /// Delivers events to every running reader, as the kernel would; on the calling thread.
    package func emit(_ flows: [FlowEvent]) {
        let readers = content.withLock { Array($0.readers.values) }
        for deliver in readers { deliver(EventBatch(flows: flows)) }
    }

    package func configure(_ settings: DatapathSettings) throws(DatapathError) {
        try record("configure") { $0.settings = settings }
    }

    package func setStages(_ subjects: [HostStage: UInt16]) throws(DatapathError) {
        content.withLock { $0.stages = subjects }
    }

    package func setFailsafes(_ ports: Set<FailsafePort>) throws(DatapathError) {
        try record("setFailsafes") { $0.failsafes = ports }
    }

    package func setServices(_ services: [DatapathService], in field: ServiceField) throws(DatapathError) {
        content.withLock { content in
            content.services = services
            content.servicePrograms = ["cgroup_egress", "cgroup_ingress"].map {
                ServiceProgram(name: $0, isAttached: !services.isEmpty)
            }
        }
    }

    package func servicePrograms() throws(DatapathError) -> [ServiceProgram] {
        content.withLock { $0.servicePrograms }
    }

    package func keep(_ connections: Set<HostConnection>) throws(DatapathError) {
        content.withLock { $0.kept.formUnion(connections) }
    }

    package func keepOnly(_ connections: Set<HostConnection>) throws(DatapathError) -> Int {
        content.withLock { content in
            content.kept.formIntersection(connections)
            return content.kept.count
        }
    }

    @discardableResult
    package func attach(_ endpoint: DatapathEndpoint, isAtOnce: Bool) throws(DatapathError) -> AttachmentKind {
        waitWhileHeld()
        if let error = content.withLock({ $0.attachError }) { throw error }
        return try record("attach \(endpoint.interface)") { content in
            let earlier = content.endpoints.updateValue(endpoint, forKey: endpoint.interface)
            if isAtOnce, earlier == nil { content.interim.insert(endpoint.interface) }
            return content.interim.contains(endpoint.interface) ? .clsact : .tcx
        }
    }

    package func settle(interface: UInt32) throws(DatapathError) -> AttachmentKind {
        waitWhileHeld()
        return try record("settle \(interface)") { content in
            content.interim.remove(interface)
            return .tcx
        }
    }

    @discardableResult
    package func detach(interface: UInt32) throws(DatapathError) -> Bool {
        waitWhileHeld()
        return try record("detach \(interface)") { content in
            content.interim.remove(interface)
            return content.endpoints.removeValue(forKey: interface) != nil
        }
    }

    package func endpoints() -> [DatapathEndpoint] {
        content.withLock { $0.endpoints.values.sorted { $0.interface < $1.interface } }
    }

    @discardableResult
    package func replace(with state: MapState) throws(DatapathError) -> CommitReport {
        try record("replace") { content in
            content.mapState = state
            return content.nextReport()
        }
    }

    @discardableResult
    package func commit(_ changes: MapChanges, isAhead: Bool) throws(DatapathError) -> CommitReport {
        guard content.withLock({ $0.mapState != nil }) else { throw .incomplete }
        return try record("commit") { content in
            if isAhead { content.commitsAhead += 1 }
            content.mapState?.apply(changes)
            content.lastChanges = changes
            return content.nextReport()
        }
    }

    package func levelBanks() {}

    package func configureNames(_ settings: NameSettings) throws(DatapathError) {
        content.withLock { $0.nameSettings = settings }
    }

    package func setNames(_ numbers: [NameSelector: NumericIdentity]) throws(DatapathError) {
        content.withLock { $0.names = numbers }
    }

    package func learntNames() throws(DatapathError) -> [LearntName] { content.withLock { $0.learntNames } }

    package func sweepNames() throws(DatapathError) {}

    @discardableResult
    package func sweepConntrack() throws(DatapathError) -> SweepReport {
        try record("sweepConntrack") { content in
            let numbers = Set(content.endpoints.values.map(\.number))
            let visited = content.flows.count
            content.flows.removeAll { !numbers.contains($0.endpoint) }
            return SweepReport(visited: visited, orphaned: visited - content.flows.count)
        }
    }

    package func conntrackFlows(of endpoint: UInt16?) throws(DatapathError) -> [ConntrackFlow] {
        content.withLock { content in content.flows.filter { endpoint == nil || $0.endpoint == endpoint } }
    }

    package func conntrackCount() throws(DatapathError) -> Int { content.withLock { $0.flows.count } }

    package func metrics() throws(DatapathError) -> DatapathMetrics { content.withLock { $0.metrics } }

    package func ruleTraffic(_ slots: [UInt32]) throws(DatapathError) -> [UInt32: RuleTraffic] {
        content.withLock { content in
            Dictionary(slots.map { ($0, content.ruleTraffic[$0] ?? RuleTraffic()) }) { first, _ in first }
        }
    }

    package func programRuns() throws(DatapathError) -> [ProgramRuns] { content.withLock { $0.programRuns } }

    package func status() -> DatapathStatus {
        content.withLock { content in
            DatapathStatus(
                attachment: .tcx, isReady: content.mapState != nil, generation: content.generation,
                endpointCount: content.endpoints.count, keptSizes: content.keptSizes,
                policyEntryCount: content.mapState?.policy.count ?? 0,
                policyEntryCapacity: .max,
                subjectCount: content.mapState?.subjects.keys.count { $0 < SubjectStage.subjectCount } ?? 0,
                directory: "memory")
        }
    }

    package func kernelSupport() -> KernelSupport { content.withLock { $0.support } }

    package func readEvents(
        _ deliver: @escaping @Sendable (EventBatch) -> Void
    ) throws(DatapathError) -> any EventReading {
        let number = content.withLock { content in
            content.readerCount += 1
            content.readers[content.readerCount] = deliver
            return content.readerCount
        }
        return Reader { [self] in content.withLock { $0.readers[number] = nil } }
    }

    private func waitWhileHeld() {
        var pause = timespec(tv_sec: 0, tv_nsec: 1_000_000)
        while content.withLock({ $0.areProgramsHeld }) { unsafe nanosleep(&pause, nil) }
    }

    private func record<Result: Sendable>(
        _ call: String, _ body: (inout Content) -> Result
    ) throws(DatapathError) -> Result {
        try content.withLock { content throws(DatapathError) in
            content.calls.append(call)
            if let error = content.nextError {
                content.nextError = nil
                throw error
            }
            return body(&content)
        }
    }

    private final class Reader: EventReading {
        private let end: @Sendable () -> Void

        init(_ end: @escaping @Sendable () -> Void) { self.end = end }

        deinit { end() }

        func stop() { end() }
    }
}

extension InMemoryDatapath.Content {
    fileprivate mutating func nextReport() -> CommitReport {
        generation += 1
        return CommitReport(generation: generation, byteCount: 0, switchLatency: .zero, duration: .zero)
    }
}
