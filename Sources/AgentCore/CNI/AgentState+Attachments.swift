// SPDX-License-Identifier: Apache-2.0

import CNIPlugin
import ContainerRuntimes
import ControlAPI
import Logging

extension AgentState: AttachmentService {
    func attach(_ request: AttachmentRequest) async throws(APIError) -> AttachmentRecord {
        let begin = ContinuousClock.now
        let patience = Duration.milliseconds(request.waitMilliseconds)
        let attachment = try await theKeeper().add(request)
        noteFresh(attachment.host.index)
        await waitForKnownPod(attachment, until: begin + min(patience, Self.headStart))
        takeAttachments()
        // Closed it must be, however little time there is for a source.
        await wait(for: attachment, until: begin + max(patience, Self.programTime)) { $0 != .pending }
        await wait(for: attachment, until: begin + patience) { $0 != .pending && $0 != .closed }
        return record(attachment)
    }

    /// The programs of an interface that no process uses yet may come by the quickest way.
    func noteFresh(_ interface: UInt32) {
        if attachments[interface] == nil { freshInterfaces.insert(interface) }
    }

    /// More than programs take that are going to be put on.
    private static let programTime = Duration.seconds(5)
    /// What a source takes at most that knows a pod already; see `waitForKnownPod`.
    private static let headStart = Duration.milliseconds(100)

    /// Lets the source go first that most likely knows the pod: who is closed first is moved later, and such a commit
    /// waits until the kernel knows that no packet uses what was there before.
    private func waitForKnownPod(_ attachment: Attachment, until deadline: ContinuousClock.Instant) async {
        guard attachment.request.podUID != nil, !attachment.isWorkload, sources[PodSource.name] != nil else { return }
        await waitForChange(until: deadline) {
            engine.input.workloads.values.contains { workload in
                workload.interfaces.contains { $0.index == attachment.host.index }
            }
        }
    }

    func detach(_ name: AttachmentName) async throws(APIError) -> AttachmentRemoval {
        let removed = try await theKeeper().remove { $0.request.name == name }
        takeAttachments()
        return AttachmentRemoval(removed: removed.map(\.request.name))
    }

    func attachments() async throws(APIError) -> [AttachmentRecord] {
        guard let keeper = attachmentKeeper else { return [] }
        return keeper.table.all.map(record)
    }

    func attachment(_ name: AttachmentName) async throws(APIError) -> AttachmentRecord {
        guard let found = attachmentKeeper?.table[name] else {
            throw APIError(.notFound, "no attachment \(name.interface) of container \(name.containerID)")
        }
        return record(found)
    }

    func collect(_ collection: AttachmentCollection) async throws(APIError) -> AttachmentRemoval {
        let valid = Set(collection.valid)
        let removed = try await theKeeper().remove {
            $0.request.network == collection.network && !valid.contains($0.request.name)
        }
        takeAttachments()
        return AttachmentRemoval(removed: removed.map(\.request.name).sorted { $0.containerID < $1.containerID })
    }

    private func theKeeper() throws(APIError) -> AttachmentKeeper {
        guard let keeper = attachmentKeeper else { throw APIError(.unavailable, "attachments are not kept yet") }
        return keeper
    }

    /// Brings what is in the table into force.
    ///
    /// The table is read here: of two changes at once the one that comes last finds both.
    func takeAttachments() {
        guard let table = attachmentKeeper?.table else { return }
        let workloads = table.all.map(\.workload)
        guard !workloads.isEmpty || sources[Attachment.source] != nil else { return }
        if !workloads.isEmpty { policePlaceholders() }
        let count = workloads.count
        update(
            source: Attachment.source, workloads: workloads, state: "\(count) attachment\(count == 1 ? "" : "s")",
            location: "API")
    }

    /// Closes whom nobody names, from the next commit on.
    func policePlaceholders() {
        guard !arePlaceholdersPoliced else { return }
        arePlaceholdersPoliced = true
        unsettled.policies.formUnion(NewcomerSource.policy.keys)
    }

    /// Forgets those whose interface is gone; called every now and then.
    func pruneAttachments() async {
        if await attachmentKeeper?.prune() == true { takeAttachments() }
    }

    /// Attachments whose interface no other source names.
    func unclaimedAttachments(beside workloads: [String: Workload]) -> [String: Workload] {
        guard let attached = sources[Attachment.source]?.workloads, !attached.isEmpty else { return [:] }
        let claimed = Set(workloads.values.flatMap(\.interfaces).map(\.index))
        var names = Set(workloads.values.map(\.name))
        var unclaimed: [String: Workload] = [:]
        for var workload in attached where !workload.interfaces.contains(where: { claimed.contains($0.index) }) {
            if !names.insert(workload.name).inserted { workload.name = workload.key }
            unclaimed[workload.key] = workload
        }
        return unclaimed
    }
}

/// How far an interface is.
private struct AttachmentCondition {
    var state: AttachmentState
    var message: String?
    var workload: Workload?
}

extension AgentState {
    private func record(_ attachment: Attachment) -> AttachmentRecord {
        let condition = condition(attachment)
        return AttachmentRecord(
            containerID: attachment.request.containerID, interface: attachment.request.interface,
            network: attachment.request.network, state: condition.state, message: condition.message,
            endpoint: condition.workload?.name, source: condition.workload?.source,
            hostInterface: attachment.host.name, hostIndex: attachment.host.index,
            addresses: attachment.request.addresses, pod: attachment.pod)
    }

    /// By what the kernel has, not by what is desired.
    private func condition(_ attachment: Attachment) -> AttachmentCondition {
        let index = attachment.host.index
        let workload = engine.input.workloads.values.first { $0.interfaces.contains { $0.index == index } }
        guard let workload else {
            let message = problems["commit"]?.message
            return AttachmentCondition(
                state: message == nil ? .pending : .failed, message: message ?? "it is not in the tables yet")
        }
        if let failure = endpointFailures[index] {
            return AttachmentCondition(state: .failed, message: failure.message, workload: workload)
        }
        let steps = endpointSteps + (endpointStep.map { [$0] } ?? [])
        let isOnItsWay = steps.contains { $0.interface == index && $0.changesVerdicts }
        guard attachments[index] != nil, !isOnItsWay else {
            return AttachmentCondition(state: .pending, message: "programs are being attached", workload: workload)
        }
        if attachment.isLeaving { return AttachmentCondition(state: .leaving, workload: workload) }
        guard workload.source == Attachment.source, !attachment.isWorkload else {
            return AttachmentCondition(state: .inForce, workload: workload)
        }
        let known = sources.filter { ![Attachment.source, NewcomerSource.name].contains($0.key) }.keys.sorted()
        return AttachmentCondition(
            state: .closed, message: "no source says who it is (asked: \(known.joined(separator: ", ")))",
            workload: workload)
    }

    private func wait(
        for attachment: Attachment, until deadline: ContinuousClock.Instant, _ isFar: (AttachmentState) -> Bool
    ) async {
        await waitForChange(until: deadline) { isFar(condition(attachment).state) }
    }

    /// Waits for something that endpoints or policies come to, until a moment at the latest.
    func waitForChange(until deadline: ContinuousClock.Instant, _ isDone: () -> Bool) async {
        let alarm = Task {
            try? await Task.sleep(until: deadline, clock: .continuous)
            wakeAttachmentWaiters()
        }
        defer { alarm.cancel() }
        while ContinuousClock.now < deadline, !isDetached, !isDone() {
            await withCheckedContinuation { attachmentWaiters.append($0) }
        }
    }

    /// Something about endpoints changed.
    func wakeAttachmentWaiters() {
        guard !attachmentWaiters.isEmpty else { return }
        let waiting = attachmentWaiters
        attachmentWaiters = []
        for waiter in waiting { waiter.resume() }
    }
}
