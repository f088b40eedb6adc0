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
    func adopt() {
        // Before the first commit: without them the host would be a stranger to its workloads for a moment.
        if let snapshot = try? RouteSession().snapshot() {
            hostAddresses = Set(HostSource.addresses(snapshot)).sorted()
        }
        do {
            try datapath.setFailsafes(
                configuration.hostEndpoint.isEnabled ? configuration.hostEndpoint.failsafes : [])
            try configureDatapath()
        } catch {
            report("datapath", "\(error)")
        }
        _ = directory.refreshAll()
        reconcile()
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
        if isNews || isFirst { reconcile() }
    }

    /// The host's own addresses.
    func update(hostAddresses addresses: [IPAddress]) {
        let sorted = Set(addresses).sorted()
        guard sorted != hostAddresses else { return }
        hostAddresses = sorted
        reconcile()
    }

    /// Something happened in the policy directory.
    func update(policyDirectory change: DirectoryChange) {
        if directory.refresh(change) { reconcile() }
    }

    /// Brings what is desired into force; what cannot be is a problem in `status`, and the old state stays.
    func reconcile() {
        var input = desiredInput()
        do {
            // What is found on disk was in force before, perhaps by force.
            if isAdopted { try lockoutGuard.check(input.policies) }
            clearProblem("policies")
        } catch {
            // The rest of the change is innocent: workloads go on under the policies in force.
            report("policies", "\(error)")
            input.policies = engine.input.policies
        }
        do {
            try bringIntoForce(input)
            clearProblem("commit")
        } catch {
            commits.refused += 1
            report("commit", "\(error)")
        }
    }

    /// Workloads by unique name, host addresses and policies as they should be.
    func desiredInput() -> EngineInput {
        var input = EngineInput(
            hostAddresses: hostAddresses, hostLabels: configuration.hostEndpoint.labels, policies: desiredPolicies())
        var names: Set<String> = []
        for (_, source) in sources.sorted(by: { $0.key < $1.key }) {
            for var workload in source.workloads {
                if !names.insert(workload.name).inserted {
                    workload.name = "\(workload.source)/\(workload.name)"
                    if !names.insert(workload.name).inserted { workload.name = workload.key }
                }
                input.workloads[workload.key] = workload
            }
        }
        return input
    }

    /// The policies of the directory and those applied; a file wins over an applied policy of the same name.
    func desiredPolicies() -> [PolicyReference: Policy] {
        var policies = applied.policies
        for policy in directory.policies.policies { policies[policy.reference] = policy }
        return policies
    }

    /// One transaction: numbers to disk, tables, endpoint records, names.
    ///
    /// Throws if the tables did not take it.
    func bringIntoForce(_ input: EngineInput) throws {
        let begin = ContinuousClock.now
        let workloadsChanged = input.workloads != engine.input.workloads
        let preparation = try engine.prepare(input)
        for key in input.workloads.keys.sorted() where endpointNumbers.assign(key) == nil {
            engine.rollBack()
            throw AgentError("cannot number another endpoint: all 65535 numbers are in use")
        }
        let touchesKernel = preparation.changes.touchesKernel || !isAdopted
        do {
            if workloadsChanged || preparation.touchesIdentities || !isAdopted {
                try persist(preparation, workloads: Array(input.workloads.values))
            } else {
                try persistRules(preparation.changes.ruleSettings)
            }
            if !isAdopted {
                try datapath.replace(with: engine.completeState())
            } else if touchesKernel {
                try datapath.commit(preparation.changes)
            }
        } catch {
            engine.rollBack()
            throw error
        }
        isAdopted = true
        engine.accept()
        updateNames(preparation, workloadsChanged: workloadsChanged)
        if updateEndpoints() { try forgetFormerEndpoints() }
        guard touchesKernel else { return }
        commits.made += 1
        commits.lastAt = Timestamp.now()
        commits.lastDuration = ContinuousClock.now - begin
        logCommit(preparation.changes, took: ContinuousClock.now - begin)
    }

    /// Frees the numbers and subjects of what is gone: only when no endpoint record names them any more.
    func forgetFormerEndpoints() throws {
        for key in endpointNumbers.assigned.keys where engine.input.workloads[key] == nil {
            endpointNumbers.release(key)
        }
        let cleanup = engine.dropRetiredSubjects()
        if cleanup.touchesKernel { try datapath.commit(cleanup) }
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

    func clearProblem(_ subject: String) {
        if problems.removeValue(forKey: subject) != nil {
            logger.notice("resolved", metadata: ["subject": "\(subject)"])
        }
    }
}

extension MapChanges {
    /// True if packets may be judged differently; names of rules alone live in user space.
    var touchesKernel: Bool {
        !(policyRemovals.isEmpty && policySettings.isEmpty && subjectRemovals.isEmpty && subjectSettings.isEmpty
            && mappingRemovals.isEmpty && mappingSettings.isEmpty)
    }
}

extension Duration {
    /// Whole and fractional milliseconds.
    var milliseconds: Double { Double(components.seconds) * 1000 + Double(components.attoseconds) / 1e15 }

    /// Whole and fractional seconds.
    var seconds: Double { milliseconds / 1000 }
}

extension AgentState {
    /// Judges changes against what is in force.
    var lockoutGuard: LockoutGuard {
        LockoutGuard(
            host: configuration.hostEndpoint, inForce: engine.input.policies,
            options: CompileOptions(allowHost: configuration.allowsHostAccess))
    }
}
