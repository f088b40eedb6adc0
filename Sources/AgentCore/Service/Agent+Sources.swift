// SPDX-License-Identifier: Apache-2.0

import ContainerRuntimes
import IdentityModel
import LinuxHost
import Logging

extension Agent {
    /// Names of the sources that will report workloads.
    var sourceNames: [String] {
        [WorkloadsFileSource.name] + (configuration.startClosed.isEmpty ? [] : [NewcomerSource.name])
            + (configuration.hostEndpoint.isEnabled ? [HostSource.name] : [])
            + (configuration.hostEndpoint.services.isEmpty ? [] : [ServiceSource.name])
            + (configuration.podmanSocket.isEmpty ? [] : [ContainerSource.podman])
            + (configuration.dockerSocket.isEmpty ? [] : [ContainerSource.docker])
            + (configuration.kubernetes.isEnabled ? [PodSource.name] : [])
            + (configuration.hasKeptAttachments ? [Attachment.source] : [])
    }

    /// Follows everything that may change the state, until cancelled.
    ///
    /// `opening`: the workloads file as it was read at the start. `remembered`: documents of the cluster, by key, as they
    /// were known before the start.
    func runSources(
        _ state: AgentState, _ opening: WorkloadsFileSource.Opening, _ remembered: RememberedCluster
    ) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await attempt("host addresses", state) {
                    try await HostSource(configuration: configuration.hostEndpoint, state: state).run()
                }
            }
            group.addTask {
                await attempt("workloads file", state) {
                    try await WorkloadsFileSource(
                        path: configuration.workloadsFile, state: state, opening: opening
                    ).run()
                }
            }
            group.addTask {
                await attempt("policy directory", state) {
                    for await change in try DirectoryWatcher.changes(in: configuration.policyDirectory) {
                        await state.update(policyDirectory: change)
                    }
                }
            }
            if !configuration.hostEndpoint.services.isEmpty {
                group.addTask {
                    await attempt("services", state) {
                        try await ServiceSource(configuration: configuration.hostEndpoint, state: state).run()
                    }
                }
            }
            if !configuration.startClosed.isEmpty {
                group.addTask {
                    await attempt("new interfaces", state) {
                        try await NewcomerSource(bridges: configuration.startClosed, state: state).run()
                    }
                }
            }
            group.addTask { await followCluster(state, remembered) }
            group.addTask { await runAttachments(state) }
            if let repair = networkRepair(state) {
                group.addTask { await attempt("network plugin", state) { try await repair.run() } }
            }
            for source in containerSources(state) { group.addTask { await source.run() } }
            if configuration.policyLog.isEnabled { group.addTask { await keepPolicyLog(state) } }
            group.addTask { await runPeriodicWork(state) }
            await group.waitForAll()
        }
    }

    /// What is looked at again and again, until cancelled.
    private func runPeriodicWork(_ state: AgentState) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await every(configuration.sweepInterval) {
                    await state.sweepConntrack()
                    await state.forgetClosedConnections()
                }
            }
            group.addTask { await every(AgentState.usageInterval) { await state.noteRuleUsage() } }
            group.addTask { await every(.seconds(1)) { await state.shield?.tick() } }
            group.addTask { await every(.seconds(10)) { await state.spareInFeeds() } }
            group.addTask { await every(.seconds(1)) { await state.alerts?.tick() } }
            group.addTask { await detect(state) }
            group.addTask { await every(.seconds(1)) { await state.followListeners() } }
            group.addTask { await every(.seconds(5)) { await state.retryCommit() } }
            group.addTask { await every(.seconds(1)) { await state.retryEndpoints() } }
            group.addTask { await every(.seconds(1)) { await state.settleEndpoints() } }
            group.addTask { await every(.seconds(1)) { await state.retryServices() } }
            // Soon, not at once: one big change mostly has others behind it.
            group.addTask {
                await every(.milliseconds(500)) { if await state.takeLooseHeap() { HeapMemory.giveBack() } }
            }
            group.addTask { await every(.milliseconds(500)) { await state.dropFormerSubjects() } }
            group.addTask { await every(.milliseconds(250)) { await state.rollBackUnconfirmed() } }
            group.addTask { await every(.milliseconds(500)) { await state.followTime() } }
            await group.waitForAll()
        }
    }

    /// What was known of the cluster before the start is in force with the first commit.
    func joinCluster(_ state: AgentState) async -> RememberedCluster {
        if let membership = membership(state) { return await membership.join() }
        return await fleet(state)?.join() ?? RememberedCluster()
    }

    /// A node belongs to one of them at most.
    private func followCluster(_ state: AgentState, _ remembered: RememberedCluster) async {
        if let membership = membership(state) {
            await attempt("kubernetes", state) { try await membership.run(remembered) }
        }
        if let fleet = fleet(state) { await attempt("cluster", state) { try await fleet.run(remembered) } }
    }

    /// Writes the policy log until cancelled; what was taken by then is still written.
    private func keepPolicyLog(_ state: AgentState) async {
        let keeper = PolicyLogKeeper(configuration.policyLog, node: state.node, rules: state.logRules, logger: logger)
        await state.use(keeper)
        await keeper.run(state.aggregator)
    }

    /// Nil: this node belongs to no cluster.
    func membership(_ state: AgentState) -> KubernetesMembership? {
        guard configuration.kubernetes.isEnabled else { return nil }
        return KubernetesMembership(
            settings: configuration.kubernetes, memory: configuration.clusterMemory,
            filter: LabelFilter(configuration.labelRules), state: state)
    }

    /// Nil: this node shares no store with others.
    func fleet(_ state: AgentState) -> FleetMembership? {
        guard configuration.fleet.isEnabled else { return nil }
        return FleetMembership(
            settings: configuration.fleet, instancePath: configuration.instancePath,
            memory: configuration.clusterMemory,
            state: state, logger: logger)
    }

    private func containerSources(_ state: AgentState) -> [ContainerSource] {
        let filter = LabelFilter(configuration.labelRules)
        var sources: [ContainerSource] = []
        if !configuration.podmanSocket.isEmpty {
            let engine = ContainerEngine.podman(socketPath: configuration.podmanSocket, logger: logger)
            sources.append(
                ContainerSource(source: engine, location: configuration.podmanSocket, filter: filter, state: state))
        }
        if !configuration.dockerSocket.isEmpty {
            let engine = ContainerEngine.docker(socketPath: configuration.dockerSocket, logger: logger)
            sources.append(
                ContainerSource(source: engine, location: configuration.dockerSocket, filter: filter, state: state))
        }
        return sources
    }

    /// Runs something that should not end; if it does, that is a problem in `status`, and it is tried again.
    private func attempt(_ name: String, _ state: AgentState, _ body: () async throws -> Void) async {
        while !Task.isCancelled {
            do {
                try await body()
                if Task.isCancelled { return }
                await state.report(name, "\(name): stopped without a reason; trying again")
            } catch {
                // What ends because the agent does is no failure.
                if Task.isCancelled { return }
                await state.report(name, "\(name): \(error); trying again")
            }
            try? await Task.sleep(for: .seconds(1))
        }
    }

    func every(_ interval: Duration, _ body: () async -> Void) async {
        while (try? await Task.sleep(for: interval)) != nil { await body() }
    }
}
