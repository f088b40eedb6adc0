// SPDX-License-Identifier: Apache-2.0

import FlowAggregation
import IdentityAllocation
import IdentityModel
import KernelDatapath
import LinuxHost
import Logging
import NetworkModel
import PolicyCompiler

extension AgentState {
    /// Global audit mode and time-outs to the kernel.
    func configureDatapath() throws {
        var settings = configuration.settings
        settings.isAudit = isAudit
        try datapath.configure(settings)
        try datapath.configureNames(configuration.names)
    }

    /// The kernel's endpoint records as they should be, by interface.
    func desiredEndpoints() -> [UInt32: (key: String, endpoint: DatapathEndpoint)] {
        var desired: [UInt32: (key: String, endpoint: DatapathEndpoint)] = [:]
        // A workload with a problem is attached wherever an interface of it is known: trouble must not open the way.
        let (assignments, numbers) = (engine.allocator.assignments, endpointNumbers.assigned)
        for workload in engine.input.workloads.values where !workload.interfaces.isEmpty {
            guard let assignment = assignments[workload.key], let number = numbers[workload.key] else { continue }
            var options = workload.options
            if isAudited(workload) { options.insert(.audit) }
            for interface in workload.interfaces where interface.index != 0 {
                let endpoint = DatapathEndpoint(
                    interface: interface.index, number: UInt16(number), subject: assignment.subject,
                    identity: assignment.identity, addresses: workload.addresses, options: options)
                desired[interface.index] = (workload.key, endpoint)
            }
        }
        return desired
    }

    /// Brings the endpoint records up to date, and has programs put on and taken off where that is needed.
    ///
    /// Records take no time. Programs do, so they follow one after the other beside the actor: meanwhile the API
    /// answers and changes come into force. An interface that fails is tried again later.
    /// - Returns: true if all is done.
    @discardableResult
    func updateEndpoints() -> Bool {
        guard !isDetached else { return true }
        updateServices()
        updateStages()
        let desired = desiredEndpoints()
        endpointFailures = endpointFailures.filter {
            $0.value.workload == nil || desired[$0.key]?.key == $0.value.workload
        }
        endpointSteps = updateRecords(to: desired)
        guard !endpointSteps.isEmpty else {
            noteFirstEndpoints()
            return endpointStep == nil
        }
        if endpointStep == nil {
            endpointStep = endpointSteps.removeFirst()
            Task { await finishEndpoints() }
        }
        return false
    }

    /// Tells the kernel by which subjects the stages of the host are judged.
    private func updateStages() {
        let subjects = engine.stageSubjects
        // The host may be named by a source that is silent so far.
        guard areSourcesComplete || !subjects.isEmpty else { return }
        do {
            try datapath.setStages(subjects)
            clearProblem("stages")
        } catch {
            report("stages", "\(error)")
        }
    }

    /// Writes the records of what is attached; returns what is left to do.
    private func updateRecords(to desired: [UInt32: (key: String, endpoint: DatapathEndpoint)]) -> [EndpointStep] {
        let present = Dictionary(datapath.endpoints().map { ($0.interface, $0) }) { first, _ in first }
        var steps: [EndpointStep] = []
        for (interface, (key, endpoint)) in desired.sorted(by: { $0.key < $1.key }) {
            if present[interface] == nil || endpointStep == .detach(interface) {
                steps.append(.attach(key, endpoint))
            } else if present[interface] != endpoint || attachments[interface] == nil {
                attach(endpoint, of: key)
            }
        }
        // Whose workload nobody has named yet may be named by a source that is still silent.
        guard areSourcesComplete else { return steps }
        var held = Set(present.keys)
        if case .attach(_, let endpoint) = endpointStep { held.insert(endpoint.interface) }
        return steps + held.filter { desired[$0] == nil }.sorted().map(EndpointStep.detach)
    }

    private func attach(_ endpoint: DatapathEndpoint, of key: String) {
        note(.attach(key, endpoint), Result { try datapath.attach(endpoint) })
    }

    private func note(_ step: EndpointStep, _ result: Result<AttachmentKind?, any Error>) {
        if case .settle(let interface) = step {
            noteSettled(interface, result)
            return
        }
        freshInterfaces.remove(step.interface)
        attachments[step.interface] = try? result.get()
        let earlier = endpointFailures.removeValue(forKey: step.interface)
        guard case .failure(let error) = result else { return }
        endpointFailures[step.interface] = (step.workload, "\(error)")
        guard earlier?.message != "\(error)" else { return }
        let name = step.workload.map { engine.input.workloads[$0]?.name ?? $0 } ?? "interface \(step.interface)"
        logger.warning("\(error)", metadata: ["endpoint": "\(name)"])
    }

    private func noteFirstEndpoints() {
        guard areSourcesComplete, endpointStep == nil, !areFirstEndpointsAttached else { return }
        areFirstEndpointsAttached = true
        noteLooseHeap()
    }

    /// Filters that stay in place of links judge as well: that is no failure of the endpoint.
    private func noteSettled(_ interface: UInt32, _ result: Result<AttachmentKind?, any Error>) {
        switch result {
        case .success(let kind):
            if attachments[interface] != nil { attachments[interface] = kind }
        case .failure(let error):
            unsettledInterfaces.insert(interface)
            logger.notice("filters stay on interface \(interface): \(error)", metadata: ["subject": "endpoints"])
        }
    }

    /// Puts links in the place of one interface's filters when nothing was attached for a while; called every second.
    ///
    /// Meanwhile the kernel keeps all who change devices waiting, some 40 ms: so one at a time, and not while workloads
    /// come.
    func settleEndpoints(now: ContinuousClock.Instant = .now) {
        guard !isDetached, endpointStep == nil, endpointSteps.isEmpty, now >= endpointsCalmAt else { return }
        unsettledInterfaces.formIntersection(attachments.keys)
        guard datapath.status().attachment == .tcx,
            let interface = attachments.filter({ $0.value == .clsact }).keys
                .filter({ !unsettledInterfaces.contains($0) }).min()
        else { return }
        endpointStep = .settle(interface)
        Task { await finishEndpoints() }
    }

    /// So long after the last attachment links may take the place of filters.
    private static let calm = Duration.seconds(5)

    /// Takes one step after the other; each change of what is desired may put others in their place.
    private func finishEndpoints() async {
        while let step = endpointStep {
            let result: Result<AttachmentKind?, any Error>
            let isFresh = freshInterfaces.contains(step.interface)
            do {
                result = .success(
                    try await DedicatedThread.run(name: "bulkhead-attach") { [datapath] in
                        try step.take(datapath, isFresh: isFresh)
                    })
            } catch {
                result = .failure(error)
            }
            if case .attach = step { endpointsCalmAt = .now + AgentState.calm }
            note(step, result)
            endpointStep = isDetached || endpointSteps.isEmpty ? nil : endpointSteps.removeFirst()
            wakeAttachmentWaiters()
        }
        noteFirstEndpoints()
        // Numbers of what is gone are free when no record names them any more.
        if !isDetached { forgetFormerEndpoints() }
    }

    /// Why a workload is not attached, by its key.
    var endpointProblems: [String: String] {
        endpointFailures.values.reduce(into: [:]) { problems, failure in
            if let workload = failure.workload { problems[workload] = failure.message }
        }
    }

    /// Tries again what could not be attached or let go; called every now and then.
    func retryEndpoints() {
        if !endpointFailures.isEmpty { updateEndpoints() }
    }

    /// Tries again what could not be brought into force: the disk may have room by now.
    func retryCommit() {
        if problems["commit"] != nil { reconcile() }
        applied.settle()
    }

    /// Keeps the tables that name events up to date with what is in force.
    ///
    /// `former`: the addresses that the workloads of other hosts had, by key; `areEndpointsOthers`: those of this host have
    /// other names or addresses.
    func updateNames(
        _ preparation: PolicyEngine.Preparation, _ remotes: RemoteDelta, former: [String: [IPAddress]],
        areEndpointsOthers: Bool
    ) {
        let rules = preparation.changes.ruleSettings.map { slot, description in
            RuleName(
                slot: slot, text: description.nameText, source: description.source, policies: description.policies)
        }
        let endpoints = areEndpointsOthers ? namedEndpoints() : nil
        let identities = preparation.identities
        guard endpoints != nil || !identities.isEmpty || !rules.isEmpty || !remotes.isEmpty else { return }
        aggregator.updateNames { names in
            for rule in rules { names.setRule(rule) }
            for record in identities { names.setIdentity(record) }
            if let endpoints {
                names.setAddresses([:])
                for (name, addresses) in endpoints { names.setEndpoint(name, addresses: addresses) }
            }
            for (key, addresses) in former {
                names.removeRemote(key: key, addresses: addresses)
            }
            for (key, remote) in remotes.settings {
                names.setRemote(key: key, addresses: remote.addresses)
            }
        }
    }

    /// True if a change brings workloads of this host, takes some, or gives them other names or addresses.
    func areEndpointsOthers(after change: EngineChange) -> Bool {
        guard let workloads = change.workloads else { return false }
        let former = engine.input.workloads
        return workloads.count != former.count
            || workloads.contains { key, workload in
                guard let old = former[key] else { return true }
                return old != workload && (old.name != workload.name || old.addresses != workload.addresses)
            }
    }

    /// The workloads of this host with their addresses.
    private func namedEndpoints() -> [(EndpointName, [IPAddress])] {
        let numbers = endpointNumbers.assigned
        return engine.input.workloads.values.compactMap { workload in
            numbers[workload.key].map { number in
                (EndpointName(number: UInt16(number), name: workload.name), Array(workload.addresses))
            }
        }
    }
}

/// Something that takes the kernel a while: for a tcx link it waits some 20 ms at each program until no packet uses what
/// was there before.
enum EndpointStep: Equatable, Sendable {
    /// The workload's key and its record.
    case attach(String, DatapathEndpoint)
    case detach(UInt32)
    /// Links in the place of filters; it is judged all the time.
    case settle(UInt32)

    var interface: UInt32 {
        switch self {
        case .attach(_, let endpoint): endpoint.interface
        case .detach(let interface), .settle(let interface): interface
        }
    }

    /// False while it makes no difference to packets whether it is done.
    var changesVerdicts: Bool {
        if case .settle = self { false } else { true }
    }

    /// The key of the workload to be attached.
    var workload: String? {
        if case .attach(let key, _) = self { key } else { nil }
    }

    /// Blocks; how the interface is attached afterwards.
    ///
    /// `isFresh`: no process uses it yet.
    func take(_ datapath: any DatapathWriting, isFresh: Bool) throws(DatapathError) -> AttachmentKind? {
        switch self {
        case .attach(_, let endpoint): return try datapath.attach(endpoint, isAtOnce: isFresh)
        case .settle(let interface): return try datapath.settle(interface: interface)
        case .detach(let interface):
            try datapath.detach(interface: interface)
            return nil
        }
    }
}
