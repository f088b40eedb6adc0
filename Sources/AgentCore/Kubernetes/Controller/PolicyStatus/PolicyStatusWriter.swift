// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import KubernetesClient
import Logging

/// Keeps the conditions of a cluster's policies as its nodes report on them; run by one controller at a time.
struct PolicyStatusWriter: Sendable {
    private enum Step: Sendable {
        case plan(PolicyStatusPlan.Step)
        case tick
    }

    /// What comes within this time is one write of a policy.
    private static let interval: Duration = .milliseconds(200)
    /// After writes that failed.
    private static let pauseMax: Duration = .seconds(10)
    /// A status that may not be written is tried again after this time: somebody may have granted it.
    private static let barTime: Duration = .seconds(60)
    static let manager = "bulkhead-controller"
    private static let tellingsPerSecond = 25_000
    private static let noticeInterval: Duration = .seconds(1)

    let client: KubernetesClient
    let settings: ControllerSettings
    let board: ControllerBoard
    let logger: Logger

    /// Runs until cancelled.
    func run() async {
        let (steps, post) = AsyncStream.makeStream(of: Step.self)
        await withTaskGroup(of: Void.self) { group in
            let reports = Informer(.nodePolicyReports, client) { try NodePolicyReport($0) }
            group.addTask { for await change in reports.changes() { post.yield(.plan(.reports(change))) } }
            for kind in ResourceKind.policies {
                let follower = DocumentFollower(kind: kind, client: client) { try PolicyFacts($0, kind) }
                group.addTask { await follower.run { post.yield(.plan(.policies(kind, $0))) } }
            }
            group.addTask { while (try? await Task.sleep(for: Self.interval)) != nil { post.yield(.tick) } }
            await follow(steps)
            group.cancelAll()
        }
        board.update { status in (status.nodes, status.silentNodes, status.policyBacklog) = (0, 0, 0) }
    }

    private func follow(_ steps: AsyncStream<Step>) async {
        var plan = PolicyStatusPlan()
        var notices = PolicyNotices()
        var nextNotice: Duration = .zero
        var pause: Duration = .zero
        let begin = ContinuousClock.now
        var next: Duration = .zero
        for await step in steps {
            let now = ContinuousClock.now - begin
            switch step {
            case .plan(let step):
                note(step)
                plan.take(step, now: now)
            case .tick:
                guard now >= next, !Task.isCancelled else { continue }
                let writes = plan.takeWrites(
                    atMost: writesPerTick(nodes: plan.roll.count), now: now, time: Self.time())
                let isWell = await write(writes, &plan, begin)
                pause = isWell ? .zero : min(max(pause * 2, .seconds(1)), Self.pauseMax)
                next = now + pause
                note(plan)
                guard now >= nextNotice else { continue }
                let isTold = await tell(&notices, plan, now)
                nextNotice = now + (isTold ? Self.noticeInterval : Self.barTime)
            }
        }
    }

    /// Every write is told to every node: in large clusters there are fewer of them.
    private func writesPerTick(nodes: Int) -> Int {
        max(1, min(settings.statusWritesPerSecond, Self.tellingsPerSecond / max(1, nodes)) / 5)
    }

    /// As conditions have it: whole seconds.
    private static func time() -> String {
        String(RFC3339.text(microseconds: WallClock.microseconds()).prefix(19)) + "Z"
    }

    /// Writes some conditions at once; false: some could not be written, and more would fare no better.
    private func write(
        _ writes: [PolicyStatusPlan.Write], _ plan: inout PolicyStatusPlan, _ begin: ContinuousClock.Instant
    ) async -> Bool {
        let results = await withTaskGroup(of: (PolicyStatusPlan.Write, KubernetesError?).self) { group in
            for write in writes { group.addTask { (write, await perform(write)) } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        var isWell = true
        let now = ContinuousClock.now - begin
        for (write, error) in results {
            let subject = "status of \(write.policy.kind)"
            guard let error else {
                plan.settle(write, now: now)
                board.note(subject, nil, logger)
                continue
            }
            plan.fail(write, now: now)
            switch error.kind {
            case .forbidden, .refused:
                plan.bar(write.policy.kind, until: now + Self.barTime)
                board.note(subject, "it cannot be written: \(error.message)", logger)
            case .notFound:
                // Of a policy that was deleted a moment ago, or of a kind that has none.
                if await isThere(write.policy) {
                    plan.bar(write.policy.kind, until: now + Self.barTime)
                    board.note(subject, "it cannot be written: \(error.message)", logger)
                }
            case .conflict: break
            default: isWell = false
            }
        }
        let failed = results.count { $0.1 != nil }
        board.update {
            $0.policyWrites += results.count - failed
            $0.failedPolicyWrites += failed
        }
        return isWell
    }

    /// Records what is to be told; false: that is not possible, and will hardly be soon.
    private func tell(_ notices: inout PolicyNotices, _ plan: PolicyStatusPlan, _ now: Duration) async -> Bool {
        let recorder = EventRecorder(client, controller: "bulkhead.dev/controller", instance: settings.identity)
        var failure: KubernetesError?
        for notice in notices.due(plan.troubles, now: now) {
            guard failure == nil else {
                notices.fail(notice)
                continue
            }
            do throws(KubernetesError) {
                try await recorder.record(
                    notice.note, about: plan.subject(notice.policy), name: notice.name, count: notice.count)
                board.update { $0.events += 1 }
                board.note("events", nil, logger)
            } catch {
                notices.fail(notice)
                // Its namespace goes, or it went itself: no reason to stop.
                if ![.notFound, .conflict].contains(error.kind) { failure = error }
            }
        }
        if let failure, !Task.isCancelled { board.note("events", "they cannot be written: \(failure.message)", logger) }
        return failure == nil
    }

    private func isThere(_ policy: PolicyStatusPlan.PolicyID) async -> Bool {
        (try? await client.get(policy.kind, policy.key)) != nil
    }

    /// Nil: done.
    private func perform(_ write: PolicyStatusPlan.Write) async -> KubernetesError? {
        var object: JSONValue = ["status": ["conditions": .list(write.conditions.map(\.object))]]
        // Another one of the same name has its own to say.
        if !write.uid.isEmpty { object["metadata"] = ["uid": .string(write.uid)] }
        do throws(KubernetesError) {
            // Applied: the conditions of others in the list stay theirs.
            _ = try await client.apply(
                write.policy.kind, write.policy.key, object, manager: Self.manager, subresource: "status")
            return nil
        } catch {
            return error
        }
    }

    private func note(_ plan: PolicyStatusPlan) {
        let (policies, backlog) = (plan.policyCount, plan.backlog)
        let (nodes, silent) = (plan.roll.count, plan.roll.silent.count)
        board.update { status in
            (status.policies, status.policyBacklog) = (policies, backlog)
            (status.nodes, status.silentNodes) = (nodes, silent)
        }
    }

    private func note(_ step: PolicyStatusPlan.Step) {
        switch step {
        case .policies(_, .status(.notInstalled)): break
        case .policies(let kind, .status(let status)): board.note("\(kind)", status.problem, logger)
        case .reports(.status(let status)): board.note("nodepolicyreports", status.problem, logger)
        default: break
        }
    }
}
