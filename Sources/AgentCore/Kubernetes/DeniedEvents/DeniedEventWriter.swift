// SPDX-License-Identifier: Apache-2.0

import ContainerRuntimes
import ControlAPI
import FlowAggregation
import KubernetesClient
import Logging

/// Writes an Event on a pod of this node when its traffic is denied, seldom enough for any server.
struct DeniedEventWriter: Sendable {
    /// After a write that failed.
    private static let pause: Duration = .seconds(60)

    let client: KubernetesClient
    let state: AgentState
    let node: String
    let pods: PodBoard
    let board: TellingBoard
    let logger: Logger

    /// Runs until cancelled.
    func run(_ aggregator: FlowAggregator) async {
        board.update { ($0.events, $0.deniedUntold) = (0, 0) }
        let gate = DenialGate()
        let follower = aggregator.follow(bufferSize: 2 * DenialGate.flowsPerTick) { gate.isWanted($0) }
        let desk = DenialDesk()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { for await flow in follower.flows { await desk.take(flow) } }
            group.addTask {
                var next = ContinuousClock.now
                while (try? await Task.sleep(for: .seconds(1))) != nil {
                    await desk.countUntold(gate.reopen(), lost: follower.lost)
                    if ContinuousClock.now >= next, await !write(desk) { next = .now + Self.pause }
                    let untold = await desk.untold
                    board.update { $0.deniedUntold = Int(clamping: untold) }
                }
            }
            await group.waitForAll()
        }
        follower.cancel()
    }

    /// False: it is not possible, and will hardly be soon.
    private func write(_ desk: DenialDesk) async -> Bool {
        let uids = pods.uids
        let notices = await desk.due(nodes: await state.clusterNodeCount) { uids[$0] != nil }
        guard !notices.isEmpty else { return true }
        let recorder = EventRecorder(client, controller: "bulkhead.dev/agent", instance: node)
        var failure: KubernetesError?
        for notice in notices {
            let parts = notice.pod.split(separator: "/", maxSplits: 1).map(String.init)
            guard failure == nil, parts.count == 2, let uid = uids[notice.pod] else {
                await desk.fail(notice)
                continue
            }
            do throws(KubernetesError) {
                try await recorder.record(
                    .init("TrafficDenied", action: "Enforcing", notice.text, isWarning: true),
                    about: .init(.pods, ObjectKey(namespace: parts[0], name: parts[1]), uid: uid),
                    name: notice.eventName(uid: uid), count: Int(clamping: notice.count))
                note(nil)
            } catch {
                await desk.fail(notice)
                if error.kind != .notFound { failure = error }
            }
        }
        if let failure, !Task.isCancelled { note("Events on denied traffic cannot be written: \(failure.message)") }
        return failure == nil
    }

    private func note(_ problem: String?) {
        let isNews = board.update { status in
            defer { status.eventProblem = problem }
            if problem == nil { status.events = (status.events ?? 0) + 1 }
            return status.eventProblem != problem
        }
        guard isNews else { return }
        if let problem { logger.warning("\(problem)") } else { logger.notice("Events are written again") }
    }
}

/// The tally, shared by who takes flows and who writes.
private actor DenialDesk {
    private var tally = DenialTally()
    private var lost: UInt64 = 0
    private let begin = ContinuousClock.now

    var untold: UInt64 { tally.untold }

    func take(_ flow: Flow) { tally.take(flow) }

    /// `lost`: since the beginning.
    func countUntold(_ packets: UInt64, lost: UInt64) {
        // A follower that has ended counts no more.
        let now = max(self.lost, lost)
        tally.countUntold(packets + now - self.lost)
        self.lost = now
    }

    func due(nodes: Int, isPod: @Sendable (String) -> Bool) -> [DenialTally.Notice] {
        tally.due(nodes: nodes, now: ContinuousClock.now - begin, isPod: isPod)
    }

    func fail(_ notice: DenialTally.Notice) { tally.fail(notice) }
}
