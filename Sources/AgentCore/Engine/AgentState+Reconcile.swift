// SPDX-License-Identifier: Apache-2.0

import IdentityAllocation
import IdentityModel
import KernelDatapath
import LinuxHost
import Logging
import NetworkModel
import PolicyCompiler
import PolicyModel

extension AgentState {
    /// Brings the state found on disk into force: the first commit, before any source has reported.
    /// - Parameter network: the host's; without it the host is a stranger to its workloads until it is known.
    ///   `remotes`: workloads of other hosts that are known already.
    func adopt(network: HostNetwork? = nil, remotes: RemoteDelta = RemoteDelta()) {
        self.network = network
        unsettled.remotes.merge(remotes)
        hostAddresses = Set(network.map { HostSource.addresses($0.snapshot) } ?? []).sorted()
        grantWorkloads()
        applied.rebaseDue(.now())
        rollBackUnconfirmed()
        unsettled.policies.formUnion(directory.refreshAll())
        unsettled.policies.formUnion(applied.policies.keys)
        unsettled.policies.formUnion(builtInPolicies.keys)
        noteTimes(unsettled.policies)
        logFileProblems()
        var policies: [PolicyReference: Policy] = [:]
        policies.apply(desiredChange().policies)
        updateFailsafes(for: policies)
        do {
            try configureDatapath()
        } catch {
            report("datapath", "\(error)")
        }
        reconcile()
    }

    /// Says so if enforcement would end with the agent: its pins are on a file system that only its own processes see.
    func checkPins() {
        guard !configuration.isDryRun, MountTable.isSeenByInit(configuration.bpfDirectory) == false else { return }
        report(
            "pins",
            "\(configuration.bpfDirectory) is on a BPF file system that the host does not have mounted: enforcement ends "
                + "with the agent; mount one for all (mount -t bpf bpf /sys/fs/bpf) and start the agent where it is seen"
        )
    }

    /// Says so if a table has another size than the configuration wants.
    func checkSizes() {
        let kept = datapath.status().keptSizes
        if !kept.isEmpty { report("tables", kept.joined(separator: "; ")) }
    }

    /// What a source will say, as far as it can be known before it runs: in force from the first commit.
    func seed(source: String, workloads: [Workload]) {
        guard sources[source] != nil else { return }
        sources[source]?.workloads = workloads
    }

    /// A source says which workloads there are; nil: it cannot tell, what it said before stands.
    func update(source: String, workloads: [Workload]?, state: String, location: String) {
        var known = sources[source] ?? SourceState()
        let isNews = workloads.map { $0 != known.workloads } ?? false
        let isFirst = !known.hasReported
        if let workloads { known.workloads = workloads }
        known.hasReported = true
        known.state = state
        known.location = location
        sources[source] = known
        guard isNews || isFirst else { return }
        grantWorkloads()
        unsettled.areWorkloadsTouched = true
        reconcile()
    }

    /// A source says what becomes of some workloads of other hosts.
    func update(remotes: RemoteDelta) {
        guard !remotes.isEmpty else { return }
        unsettled.remotes.merge(remotes)
        reconcile()
    }

    /// A source says which workloads of other hosts there are, by key; all its keys begin with `prefix`.
    func update(remotes all: [String: RemoteWorkload], keysWith prefix: String) {
        if noteUnsettled(remotes: all, keysWith: prefix) { reconcile() }
    }

    /// Notes what has to become of workloads of other hosts; false if nothing has.
    @discardableResult
    func noteUnsettled(remotes all: [String: RemoteWorkload], keysWith prefix: String) -> Bool {
        var delta = RemoteDelta()
        var former = engine.remotes.filter { $0.key.hasPrefix(prefix) }
        for key in unsettled.remotes.keys where key.hasPrefix(prefix) { former[key] = unsettled.remotes[key] }
        for (key, remote) in all where former[key] != remote { delta[key] = remote }
        for key in former.keys where all[key] == nil { delta[key] = nil }
        unsettled.remotes.merge(delta)
        return !delta.isEmpty
    }

    /// Something happened in the policy directory.
    func update(policyDirectory change: DirectoryChange) {
        let touched = directory.refresh(change)
        logFileProblems()
        guard !touched.isEmpty else { return }
        noteTimes(touched)
        unsettled.policies.formUnion(touched)
        reconcile()
    }

    /// Brings what is desired into force; what cannot be is a problem in `status`, and the old state stays.
    func reconcile() {
        var change = desiredChange()
        leaveOutUnsuitable(&change.policies)
        do {
            // What is found at the start comes into force in any case: `updateFailsafes` sees to the way in.
            if isAdopted { try lockoutGuard.check(change.policies) }
            clearProblem("policies")
        } catch {
            // The rest of the change is innocent: workloads go on under the policies in force.
            report("policies", "\(error)")
            change.policies = PolicyDelta()
        }
        do {
            try bringIntoForce(change)
            clearProblem("commit")
        } catch {
            // The same refusal of a second try is not another one.
            if problems["commit"]?.message != "\(error)" { commits.refused += 1 }
            report("commit", "\(error)")
        }
        wakeAttachmentWaiters()
    }

    /// How what is in force must change to be what is desired.
    func desiredChange() -> EngineChange {
        var change = EngineChange()
        for reference in unsettled.policies { change.policies[reference] = desiredPolicy(reference) }
        change.remotes = unsettled.remotes
        guard unsettled.areWorkloadsTouched else { return change }
        change.hostAddresses = hostAddresses
        change.hostLabels = configuration.hostEndpoint.labels
        change.workloads = workloads
        return change
    }

    /// False while some source may still name workloads that nobody else knows.
    var areSourcesComplete: Bool { sources.values.allSatisfy { $0.hasReported || !$0.isExpected } }

    /// Those that nobody wrote.
    var builtInPolicies: [PolicyReference: Policy] {
        arePlaceholdersPoliced ? NewcomerSource.policy : [:]
    }

    private func desiredPolicy(_ reference: PolicyReference) -> Policy? {
        lasting(kept(reference)) ?? builtInPolicies[reference]
    }

    /// One transaction: numbers to disk, tables, endpoint records, names.
    ///
    /// Throws if disk or tables did not take it. `isForced`: also if it closes the host's SSH.
    func bringIntoForce(_ ungranted: EngineChange, isForced: Bool = false) throws {
        let begin = ContinuousClock.now
        let change = engine.granting(ungranted)
        let workloadsChanged = change.workloads.map { $0 != engine.input.workloads } ?? false
        let areEndpointsOthers = areEndpointsOthers(after: change)
        let former = engine.addresses(ofRemotes: change.remotes)
        let stages = engine.stageSubjects
        let preparation = try engine.prepare(change)
        let isAhead = change.policies.isEmpty && !preparation.areNamesOthers && !movesAttached(change)
        let touchesKernel = preparation.changes.touchesKernel || !areTablesKnown
        do {
            try number(change.workloads)
            if workloadsChanged || !isAdopted {
                let workloads = change.workloads ?? engine.input.workloads
                try persist(preparation, workloads: workloads)
            } else {
                try persistNumbers(preparation)
            }
            let areNamesOthers = preparation.areNamesOthers || !areNamesKnown
            if areNamesOthers {
                areNamesKnown = false
                // Names that go keep their numbers until nothing relies on them.
                try datapath.setNames(engine.allocator.nameNumbers.merging(preparation.formerNames) { $1 })
            }
            if touchesKernel {
                keepConnections(before: preparation.changes)
                try commit(preparation.changes, isAhead: isAhead && !areNamesOthers)
            }
            if areNamesOthers { areNamesKnown = (try? datapath.setNames(engine.allocator.nameNumbers)) != nil }
        } catch {
            engine.rollBack()
            throw error
        }
        let needsEndpoints = change.workloads != nil || !isAdopted || engine.stageSubjects != stages
        isAdopted = true
        let concernsHosts = isForced || lockoutGuard.concernsHosts(change.policies)
        engine.accept()
        logRules.note(change.policies)
        settle(ungranted)
        if concernsHosts { settleLockout(isForced: isForced) }
        updateNames(preparation, change.remotes, former: former, areEndpointsOthers: areEndpointsOthers)
        if needsEndpoints, updateEndpoints() { forgetFormerEndpoints() }
        if change.workloads != nil { publishWorkloads() }
        guard touchesKernel else { return }
        if preparation.changes.kernelCount > AgentState.looseningCount { noteLooseHeap() }
        commits.noteMade(took: ContinuousClock.now - begin)
        logCommit(preparation.changes, took: ContinuousClock.now - begin)
    }

    /// A change of so many table entries leaves megabytes free in the heap.
    private static let looseningCount = 16_384

    /// Gives new workloads endpoint numbers.
    private func number(_ workloads: [String: Workload]?) throws(AgentError) {
        let assigned = endpointNumbers.assigned
        let new = (workloads ?? [:]).keys.filter { assigned[$0] == nil }
        for key in new.sorted() where endpointNumbers.assign(key) == nil {
            throw AgentError("cannot number another endpoint: all 65535 numbers are in use")
        }
    }

    /// Notes that a change is in force.
    private func settle(_ change: EngineChange) {
        unsettled.policies.subtract(change.policies.references)
        if change.workloads != nil { unsettled.areWorkloadsTouched = false }
        if !change.remotes.isEmpty { unsettled.remotes = RemoteDelta() }
    }

    /// True if somebody who is attached is judged by another subject from now on.
    ///
    /// Who takes something from somebody waits until no packet has it any more, and so does who moves a record: a packet
    /// in between would look for the new subject in the old bank. Who comes need not wait.
    private func movesAttached(_ change: EngineChange) -> Bool {
        guard let workloads = change.workloads else { return false }
        let assignments = engine.allocator.assignments
        let present = Dictionary(datapath.endpoints().map { ($0.interface, $0.subject) }) { first, _ in first }
        return workloads.contains { key, workload in
            // Services are judged by their sockets.
            if workload.interfaces.isEmpty { return workload != engine.input.workloads[key] }
            return workload.interfaces.contains { interface in
                present[interface.index].map { $0 != assignments[key]?.subject } ?? false
            }
        }
    }

    /// Writes changes of the tables, or all of them where it is not known what they hold.
    private func commit(_ changes: MapChanges, isAhead: Bool = false) throws {
        let areKnown = areTablesKnown
        areTablesKnown = false
        do throws(DatapathError) {
            if areKnown {
                try datapath.commit(changes, isAhead: isAhead)
            } else {
                try datapath.replace(with: engine.completeState())
            }
            areTablesKnown = true
            if areKnown, isAhead { levelBanks() }
        } catch {
            // What does not fit was refused before anything was written.
            if case .table = error { areTablesKnown = areKnown }
            throw error
        }
    }

    /// Beside the actor: the kernel takes some 20 ms to say that no packet sees what was before.
    private func levelBanks() {
        Task { [datapath] in try? await DedicatedThread.run(name: "bulkhead-level") { datapath.levelBanks() } }
    }

    /// Frees the numbers and subjects of what is gone: only when no endpoint record names them any more.
    ///
    /// The subjects' entries stay until the next change, which takes them along, or until `dropFormerSubjects`: nobody asks
    /// for them, and a commit of their own would cost as much as the change.
    func forgetFormerEndpoints() {
        for key in endpointNumbers.assigned.keys where engine.input.workloads[key] == nil {
            endpointNumbers.release(key)
        }
        engine.releaseRetiredSubjects()
    }

    /// Takes the entries of former subjects out of the tables; called every now and then.
    func dropFormerSubjects() {
        let cleanup = engine.dropUnnamedSubjects()
        guard cleanup.touchesKernel else { return }
        do {
            try commit(cleanup)
        } catch {
            report("commit", "\(error)")
        }
    }

    private func logCommit(_ changes: MapChanges, took duration: Duration) {
        logger.info(
            "committed",
            metadata: [
                "generation": "\(datapath.status().generation)",
                "entries": "+\(changes.policySettings.count) -\(changes.policyRemovals.count)",
                "prefixes": "+\(changes.mappingSettings.count) -\(changes.mappingRemovals.count)",
                "endpoints": "\(engine.input.workloads.count)", "ms": "\(duration.milliseconds)",
            ])
    }

    /// Notes a problem; the log hears of it once.
    func report(_ subject: String, _ message: String) {
        guard problems[subject]?.message != message else { return }
        problems[subject] = (message, Timestamp.now())
        logger.error("\(message)", metadata: ["subject": "\(subject)"])
    }

    /// Tells the log, once, which policy files became wrong and which are right again.
    func logFileProblems() {
        let found = fileProblems
        for (path, message) in found.sorted(by: { $0.key < $1.key }) where loggedFileProblems[path] != message {
            logger.error("policy file has errors", metadata: ["subject": "\(path)", "problem": "\(message)"])
        }
        for path in loggedFileProblems.keys.sorted() where found[path] == nil {
            logger.notice("resolved", metadata: ["subject": "\(path)"])
        }
        loggedFileProblems = found
    }

    func clearProblem(_ subject: String) {
        if problems.removeValue(forKey: subject) != nil {
            logger.notice("resolved", metadata: ["subject": "\(subject)"])
        }
    }
}

extension MapChanges {
    /// Entries by which packets may be judged differently; names of rules alone live in user space.
    var kernelCount: Int {
        policyRemovals.count + policySettings.count + subjectRemovals.count + subjectSettings.count
            + mappingRemovals.count + mappingSettings.count
    }

    var touchesKernel: Bool { kernelCount > 0 }
}

extension Duration {
    /// Whole and fractional milliseconds.
    var milliseconds: Double { Double(components.seconds) * 1000 + Double(components.attoseconds) / 1e15 }

    /// Whole and fractional seconds.
    var seconds: Double { milliseconds / 1000 }
}

extension AgentState {
    /// Finds policies that would lock people out of this host.
    var lockoutGuard: LockoutGuard {
        LockoutGuard(
            host: configuration.hostEndpoint, node: node, inForce: engine.input.policies,
            options: CompileOptions(allowHost: configuration.allowsHostAccess))
    }
}
