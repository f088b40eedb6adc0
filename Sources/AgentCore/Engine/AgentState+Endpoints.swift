// SPDX-License-Identifier: Apache-2.0

import FlowAggregation
import IdentityAllocation
import IdentityModel
import KernelDatapath
import Logging
import NetworkModel
import PolicyCompiler

extension AgentState {
    /// Global audit mode and time-outs to the kernel.
    func configureDatapath() throws {
        var settings = configuration.settings
        settings.isAudit = isAudit
        try datapath.configure(settings)
    }

    /// The kernel's endpoint records as they should be, by interface.
    func desiredEndpoints() -> [UInt32: (key: String, endpoint: DatapathEndpoint)] {
        var desired: [UInt32: (key: String, endpoint: DatapathEndpoint)] = [:]
        // A workload with a problem is attached wherever an interface of it is known: trouble must not open the way.
        for workload in engine.input.workloads.values {
            guard let assignment = engine.allocator.assignments[workload.key],
                let number = endpointNumbers.assigned[workload.key]
            else { continue }
            var options = workload.options
            if auditedWorkloads.contains(workload.key) { options.insert(.audit) }
            for interface in workload.interfaces where interface.index != 0 {
                let endpoint = DatapathEndpoint(
                    interface: interface.index, number: UInt16(number), subject: assignment.subject,
                    identity: assignment.identity, addresses: workload.addresses, options: options)
                desired[interface.index] = (workload.key, endpoint)
            }
        }
        return desired
    }

    /// How long programs are put on and taken off before others get their turn: for each, the kernel waits some 20 ms
    /// until no packet is using what was there before.
    private static let turn: Duration = .milliseconds(100)

    /// Attaches, updates and detaches so that the kernel has what is desired; an interface that fails is tried again.
    ///
    /// If there is much to do the rest follows in turns: meanwhile the API answers and changes come into force.
    /// - Returns: true if all is done.
    @discardableResult
    func updateEndpoints() -> Bool {
        guard !updateSomeEndpoints() else { return true }
        if !isUpdatingEndpoints {
            isUpdatingEndpoints = true
            Task { await finishEndpoints() }
        }
        return false
    }

    private func finishEndpoints() async {
        // Each turn works from what is desired then.
        while !updateSomeEndpoints() { await Task.yield() }
        isUpdatingEndpoints = false
        do {
            try forgetFormerEndpoints()
        } catch {
            report("commit", "\(error)")
        }
    }

    /// One turn; returns true if nothing is left to do.
    private func updateSomeEndpoints() -> Bool {
        guard !isDetached else { return true }
        let end = ContinuousClock.now + AgentState.turn
        var isDone = true
        let desired = desiredEndpoints()
        let present = Dictionary(datapath.endpoints().map { ($0.interface, $0) }) { first, _ in first }
        var failures: [String: String] = [:]
        for (interface, (key, endpoint)) in desired.sorted(by: { $0.key < $1.key }) {
            if present[interface] == endpoint && attachments[interface] != nil { continue }
            // Records of what is attached are written in any case: that takes no time.
            if present[interface] == nil && ContinuousClock.now > end {
                isDone = false
                continue
            }
            do {
                attachments[interface] = try datapath.attach(endpoint)
            } catch {
                attachments[interface] = nil
                failures[key] = "\(error)"
            }
        }
        // Whose workload nobody has named yet may be named by a source that is still silent.
        let isComplete = areSourcesComplete
        for interface in present.keys where desired[interface] == nil && isComplete {
            guard ContinuousClock.now <= end else {
                isDone = false
                break
            }
            _ = try? datapath.detach(interface: interface)
            attachments[interface] = nil
        }
        for (key, message) in failures where endpointProblems[key] != message {
            logger.warning("\(message)", metadata: ["endpoint": "\(engine.input.workloads[key]?.name ?? key)"])
        }
        endpointProblems = failures
        return isDone
    }

    /// Tries again what could not be attached; called every now and then.
    func retryEndpoints() {
        if !endpointProblems.isEmpty { updateEndpoints() }
    }

    /// Tries again what could not be brought into force: the disk may have room by now.
    func retryCommit() {
        if problems["commit"] != nil { reconcile() }
    }

    /// Keeps the tables that name events up to date with what is in force.
    func updateNames(_ preparation: PolicyEngine.Preparation, workloadsChanged: Bool) {
        let changes = preparation.changes
        let rulesChanged = !changes.ruleSettings.isEmpty
        guard workloadsChanged || !preparation.identities.isEmpty || rulesChanged else { return }
        for (slot, description) in changes.ruleSettings {
            names.setRule(RuleName(slot: slot, text: description.nameText, source: description.source))
        }
        for record in preparation.identities where names.identity(record.identity)?.labels != record.labels {
            names.setIdentity(IdentityName(identity: record.identity, labels: record.labels, prefix: record.prefix))
        }
        if workloadsChanged {
            var addresses: [IPAddress: EndpointName] = [:]
            for workload in engine.input.workloads.values {
                guard let number = endpointNumbers.assigned[workload.key] else { continue }
                let name = EndpointName(number: UInt16(number), name: workload.name)
                names.setEndpoint(name)
                for address in workload.addresses { addresses[address] = name }
            }
            names.setAddresses(addresses)
        }
        aggregator.setNames(names)
    }
}
