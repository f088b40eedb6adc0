// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import FlowAggregation
import Glibc
import KernelDatapath
import LinuxHost
import LocalHTTP
package import Logging
import ResponseActions
import UnixSignals

/// The agent from start to end.
package struct Agent: Sendable {
    let configuration: AgentConfiguration
    let logger: Logger

    package init(configuration: AgentConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    /// Runs until SIGTERM, SIGINT or `detach`.
    ///
    /// Enforcement stays in the kernel, except after `detach`.
    package func run() async throws {
        let begin = ContinuousClock.now
        HeapMemory.prepare()
        try checkCapabilities()
        do throws(HostError) {
            try createDirectory(configuration.runDirectory)
            try createDirectory(configuration.stateDirectory, mode: 0o700)
        } catch {
            throw AgentError("\(error)")
        }
        do throws(HostError) {
            try OpenFileLimit.raise()
        } catch {
            logger.warning("\(error)", metadata: ["consequence": "many namespaces can only be polled"])
        }
        let lock = try InstanceLock(path: configuration.lockPath)
        let isDetached = try await enforce(since: begin)
        if isDetached && !configuration.isDryRun {
            try Datapath.remove(directory: PinDirectory(root: configuration.bpfDirectory))
        }
        _ = consume lock
    }

    /// The part that holds the datapath; returns true if it is to be taken away.
    private func enforce(since begin: ContinuousClock.Instant) async throws -> Bool {
        let datapath = try openDatapath()
        let aggregator = FlowAggregator(capacity: configuration.flowCapacity)
        let state = try AgentState(
            configuration: configuration, datapath: datapath, aggregator: aggregator, logger: logger)
        await state.expect(sources: sourceNames)
        let network = try? HostSource.network()
        await seed(state, network)
        let remembered = await joinCluster(state)
        try await openAttachments(state)
        let opening = WorkloadsFileSource.Opening()
        await state.adopt(network: network, remotes: opening.read(configuration.workloadsFile))
        HeapMemory.giveBack()
        await state.checkPins()
        await state.checkSizes()
        await startShield(state)
        await startAlerts(state)
        await startSynDefence(state)
        await state.responses?.start()
        let reader = try datapath.readEvents { batch in
            aggregator.consume(batch.flows, wallClockOffset: HostClock.wallMinusMonotonicNanosecondsSigned())
            if batch.malformed > 0 { aggregator.countUndecodable(UInt64(batch.malformed)) }
        }
        defer { reader.stop() }
        let server = try await bindServer(state)
        let metrics = await bindMetrics(state)
        let notifier = ReadinessNotifier(socketPath: environmentValue("NOTIFY_SOCKET"))
        let took = (ContinuousClock.now - begin).milliseconds
        logger.notice(
            "ready", metadata: ["socket": "\(configuration.socketPath)", "ms": "\(took)", "mode": "\(mode)"])
        notifier.ready(status: "enforcing; socket \(configuration.socketPath)")
        try await serve(state, server, opening, remembered)
        await metrics?.close()
        notifier.stopping()
        aggregator.endAllFollowers()
        await state.dismiss()
        return await state.isDetached
    }

    /// The host is not without its policy until its sources run.
    private func seed(_ state: AgentState, _ network: HostNetwork?) async {
        let host = configuration.hostEndpoint
        guard host.isEnabled else { return }
        if let network {
            let source = HostSource(configuration: host, state: state)
            await state.seed(source: HostSource.name, workloads: [source.workload(network.snapshot)])
        }
        await state.seed(source: ServiceSource.name, workloads: ServiceSource.find(host).workloads)
    }

    /// First of all: what is missing would only show as a refusal somewhere down the line.
    private func checkCapabilities() throws(AgentError) {
        guard !configuration.isDryRun, let missing = Datapath.missingCapabilities() else { return }
        throw AgentError("cannot enforce: \(missing)")
    }

    private func openDatapath() throws -> any DatapathWriting {
        guard !configuration.isDryRun else {
            let datapath = InMemoryDatapath()
            let support = KernelSupport.probe()
            datapath.withContent { $0.support = support }
            return datapath
        }
        return try Datapath(
            directory: PinDirectory(root: configuration.bpfDirectory), sizes: configuration.sizes,
            settings: configuration.settings)
    }

    /// What an earlier agent left of the shield goes on, or goes if it is off now.
    private func startShield(_ state: AgentState) async {
        guard !configuration.isDryRun else { return }
        let directory = PinDirectory(root: configuration.bpfDirectory)
        do {
            guard configuration.shield.settings.mode != .off else {
                try Shield.remove(directory: directory)
                configuration.blockStore.remove()
                return
            }
            let keeper = try ShieldKeeper(
                configuration.shield, directory: directory, feedDirectory: configuration.feedDirectory,
                blocks: configuration.blockStore, logger: logger)
            state.aggregator.setFeedNames(ShieldKeeper.feedNames(configuration.shield))
            await keeper.spare(await state.railsWithSessions().needed)
            await keeper.start()
            await state.use(keeper)
        } catch {
            await state.report("shield", "the shield is not in force: \(error)")
        }
    }

    /// Behind the shield, by which responses act.
    ///
    /// Alerts that cannot be kept keep nobody from enforcing.
    private func startAlerts(_ state: AgentState) async {
        let (response, directory) = (configuration.response, configuration.alertDirectory)
        do {
            var responses: ResponseKeeper?
            if !configuration.isDryRun {
                responses = try ResponseKeeper(
                    response.settings, directory: directory,
                    actuator: AgentActuator(state: state, configuration: response), logger: logger
                ) { await state.railsWithSessions(response.settings.protected) }
            }
            let alerts = try AlertKeeper(
                configuration.alerts, directory: directory, host: state.node, responses: responses, logger: logger
            ) { await state.endpointNames($0) }
            await state.use(alerts, responses)
        } catch {
            await state.report("alerts", "alerts are not kept: \(error)")
        }
    }

    /// The same for the defence of listeners, which does not need the rest of the shield.
    ///
    /// What responses want defended is so from the first moment.
    private func startSynDefence(_ state: AgentState) async {
        guard !configuration.isDryRun else { return }
        let demands = await state.responses?.demands ?? []
        switch Result(catching: { try openSynDefence(demands) }) {
        case .success(let keeper?): await state.use(keeper)
        case .success(nil): break
        case .failure(let error):
            await state.report("syn defence", "listeners are not defended against forged SYNs: \(error)")
        }
    }

    /// Nil where nothing asks for the defence: what an earlier agent left of it goes.
    private func openSynDefence(_ demands: Set<SynDemand>) throws -> SynKeeper? {
        let directory = PinDirectory(root: configuration.bpfDirectory)
        let wanted = configuration.shield.synDefence
        // The verifier takes its time, and an attack does not wait for it: what may be wanted is loaded now.
        let mayBeDemanded = configuration.shield.settings.senses && configuration.response.mayDefend
        guard wanted.mode != .off || !wanted.ports.isEmpty || !demands.isEmpty || mayBeDemanded else {
            try SynDefence.remove(directory: directory)
            return nil
        }
        return try SynKeeper(configuration.shield, directory: directory, demands: demands, logger: logger)
    }

    private var mode: String { configuration.isDryRun ? "dry run" : configuration.isAudit ? "audit" : "enforce" }

    private func bindServer(_ state: AgentState) async throws -> LocalHTTPServer {
        let group = GroupMembership(group: configuration.apiGroup)
        let router = ControlRouter(
            service: state,
            access: AccessRule { peer in
                !group.group.isEmpty && group.includes(userID: peer.userID, groupID: peer.groupID)
            })
        return try await LocalHTTPServer.bind(
            socketPath: configuration.socketPath, mode: 0o660, groupID: group.groupID
        ) { request in await router.respond(to: request) }
    }

    /// Runs the sources, the periodic work and the API until told to stop.
    private func serve(
        _ state: AgentState, _ server: LocalHTTPServer, _ opening: WorkloadsFileSource.Opening,
        _ remembered: RememberedCluster
    ) async throws {
        let (stops, stop) = AsyncStream<String>.makeStream()
        await state.onDetach { stop.yield("detach") }
        let work = Task { await runSources(state, opening, remembered) }
        let api = Task {
            // An agent that nobody can ask is of no use: who watches it starts it again.
            do {
                try await server.run()
                stop.yield("the API server ended")
            } catch {
                stop.yield("the API server failed: \(error)")
            }
        }
        let signals = Task {
            for await signal in await UnixSignalsSequence(trapping: .sigterm, .sigint) { stop.yield("\(signal)") }
        }
        for await reason in stops {
            logger.notice("stopping", metadata: ["reason": "\(reason)"])
            break
        }
        signals.cancel()
        work.cancel()
        state.aggregator.endAllFollowers()
        await state.alerts?.endWatchers()
        await server.shutDown(within: .seconds(2))
        api.cancel()
        _ = await work.value
        await state.noteRuleUsage(isLast: true)
    }
}

/// The value of an environment variable.
func environmentValue(_ name: String) -> String? {
    guard let value = unsafe getenv(name) else { return nil }
    return unsafe String(cString: value)
}

extension HostClock {
    /// What to add to CLOCK_MONOTONIC to get the time since 1970; negative if the clock is set before boot.
    fileprivate static func wallMinusMonotonicNanosecondsSigned() -> Int64 {
        Int64(wallNanoseconds()) - Int64(monotonicNanoseconds())
    }
}
