// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import IdentityModel
import KubernetesClient
import Logging

/// Keeps the slices of a cluster as its pods and namespaces are; run by one controller at a time.
struct SliceWriter: Sendable {
    /// What comes within this time is one write of a slice.
    private static let interval: Duration = .milliseconds(200)
    /// After writes that failed.
    private static let pauseMax: Duration = .seconds(10)

    let client: KubernetesClient
    let filter: LabelFilter
    let settings: ControllerSettings
    let board: ControllerBoard
    let logger: Logger

    /// Runs until cancelled.
    func run() async {
        let (steps, post) = AsyncStream.makeStream(of: SlicePlan.Step.self)
        await withTaskGroup(of: Void.self) { group in
            // No node is its own: all pods are for others.
            let reader = PodReader(filter: filter, node: "")
            let pods = Informer(.pods, client) { try reader.facts(of: $0) }
            let namespaces = Informer(.namespaces, client) { $0.meta.labels ?? [:] }
            let slices = Informer(.workloadSlices, client) { try WorkloadSlice($0) }
            group.addTask { for await change in pods.changes() { post.yield(.pods(change)) } }
            group.addTask { for await change in namespaces.changes() { post.yield(.namespaces(change)) } }
            group.addTask { for await change in slices.changes() { post.yield(.slices(change)) } }
            group.addTask { while (try? await Task.sleep(for: Self.interval)) != nil { post.yield(.tick) } }
            await follow(steps)
            group.cancelAll()
        }
        board.update { status in (status.isComplete, status.backlog) = (false, 0) }
    }

    private func follow(_ steps: AsyncStream<SlicePlan.Step>) async {
        var plan = SlicePlan(filter: filter, workloadsMax: settings.workloadsPerSlice)
        var pause: Duration = .zero
        var next = ContinuousClock.now
        var isTold = false
        for await step in steps {
            note(step)
            plan.take(step)
            guard case .tick = step, ContinuousClock.now >= next, !Task.isCancelled else { continue }
            let isWell = await write(plan.takeWrites(atMost: writesPerTick), &plan)
            pause = isWell ? .zero : min(max(pause * 2, .seconds(1)), Self.pauseMax)
            next = .now + pause
            isTold = note(plan, isTold)
        }
    }

    /// Tells how it stands; true: it was said that all is written.
    private func note(_ plan: SlicePlan, _ isTold: Bool) -> Bool {
        let (isComplete, backlog) = (plan.isComplete, plan.backlog)
        let (slices, workloads) = (plan.sliceCount, plan.workloadCount)
        board.update { status in
            (status.isComplete, status.backlog) = (isComplete, backlog)
            (status.slices, status.workloads) = (slices, workloads)
        }
        guard !isTold, isComplete, backlog == 0 else { return isTold }
        logger.notice("all slices are written", metadata: ["slices": "\(slices)", "workloads": "\(workloads)"])
        return true
    }

    private var writesPerTick: Int { max(1, settings.writesPerSecond / 5) }

    /// Writes some slices at once; false: some could not be written.
    private func write(_ writes: [SlicePlan.Write], _ plan: inout SlicePlan) async -> Bool {
        let results = await withTaskGroup(of: (SlicePlan.Write, KubernetesError?).self) { group in
            for write in writes { group.addTask { (write, await perform(write)) } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        var failure: KubernetesError?
        for (write, error) in results {
            if let error {
                plan.fail(write)
                failure = error
            } else {
                plan.settle(write)
            }
        }
        let failed = results.count { $0.1 != nil }
        board.update {
            $0.writes += results.count - failed
            $0.failedWrites += failed
        }
        if !writes.isEmpty { note("slices", failure.map { "\(failed) slices cannot be written: \($0.message)" }) }
        return failure == nil
    }

    /// Nil: done.
    private func perform(_ write: SlicePlan.Write) async -> KubernetesError? {
        let key = ObjectKey(name: write.name)
        do throws(KubernetesError) {
            guard let slice = write.slice else {
                try await client.delete(.workloadSlices, key)
                return nil
            }
            let object = WorkloadSliceRecord(slice).object(name: write.name)
            do throws(KubernetesError) {
                // Not applied: what somebody else added to the list is to go.
                _ = try await client.merge(.workloadSlices, key, object)
            } catch {
                guard error.kind == .notFound else { throw error }
                _ = try await client.create(.workloadSlices, object)
            }
            return nil
        } catch {
            return error
        }
    }

    private func note(_ step: SlicePlan.Step) {
        switch step {
        case .pods(.status(let status)): note("pods", status.problem)
        case .namespaces(.status(let status)): note("namespaces", status.problem)
        case .slices(.status(let status)): note("workloadslices", status.problem)
        default: break
        }
    }

    private func note(_ subject: String, _ problem: String?) { board.note(subject, problem, logger) }
}

extension WorkloadSliceRecord {
    /// As an object of the API.
    func object(name: String) -> JSONValue {
        let entries = workloads.map { entry -> JSONValue in
            var object: [String: JSONValue] = [
                "name": .string(entry.name), "node": .string(entry.node), "labels": .integer(entry.labels),
                "addresses": .list(entry.addresses.map { .string($0) }),
            ]
            if let ports = entry.ports { object["ports"] = .list(ports.map { .string($0) }) }
            return .object(object)
        }
        return [
            "apiVersion": .string(ResourceKind.workloadSlices.apiVersion),
            "kind": .string(ResourceKind.workloadSlices.kind), "metadata": ["name": .string(name)],
            "spec": [
                "version": .integer(version),
                "labelSets": .list(labelSets.map { .list($0.map { .string($0) }) }), "workloads": .list(entries),
            ],
        ]
    }
}
