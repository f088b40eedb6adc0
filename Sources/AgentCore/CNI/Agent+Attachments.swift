// SPDX-License-Identifier: Apache-2.0

import CNIHost
import CNIPlugin
import ContainerRuntimes
import ControlAPI
import Glibc
import LinuxHost
import Logging

extension AgentConfiguration {
    var attachmentsPath: String { "\(stateDirectory)/attachments.json" }
    /// Where network plugins leave what they could not tell; see `PluginSettings.pendingDirectory`.
    var pendingAttachmentDirectory: String { "\(stateDirectory)/cni-pending" }

    /// True if an earlier agent kept attachments: they are waited for.
    var hasKeptAttachments: Bool { unsafe access(attachmentsPath, F_OK) == 0 }
}

extension Agent {
    /// Nil: the agent leaves the networks of runtimes alone.
    func networkRepair(_ state: AgentState) -> NetworkRepair? {
        guard !configuration.isDryRun, !configuration.networkRepair.networks.isEmpty else { return nil }
        var settings = configuration.networkRepair
        settings.plugin.socketPath = configuration.socketPath
        settings.plugin.pendingDirectory = configuration.pendingAttachmentDirectory
        return NetworkRepair(settings: settings, state: state, logger: logger)
    }

    /// What was attached before the start is part of the first commit, as far as it still exists.
    func openAttachments(_ state: AgentState) async throws {
        guard !configuration.isDryRun else { return }
        let table = try AttachmentTable(path: configuration.attachmentsPath)
        let keeper = AttachmentKeeper(
            table: table, finder: try AttachmentFinder(),
            listeners: [{ await state.tellBoard($0, isThere: $1) }], logger: logger)
        await state.use(keeper)
        _ = await keeper.prune()
        await state.seedAttachments()
    }

    /// Follows what network plugins tell, and whether their interfaces are still there, until cancelled.
    func runAttachments(_ state: AgentState) async {
        await state.takeAttachments()
        await replayPendingAttachments(state)
        await every(.seconds(1)) { await state.pruneAttachments() }
    }

    /// Takes what plugins told while no agent was there; called when this one answers.
    func replayPendingAttachments(_ state: AgentState) async {
        guard !configuration.isDryRun else { return }
        let pending = PendingDirectory(path: configuration.pendingAttachmentDirectory)
        do {
            let (changes, unreadable) = try pending.whileLocked { () throws(HostError) in try pending.changes() }
            for message in unreadable { logger.error("\(message)", metadata: ["subject": "pending attachments"]) }
            for (file, bytes) in changes {
                if let change = try? APICoding.decode(PendingChange.self, from: bytes) {
                    await replay(change, state)
                } else {
                    logger.error("\(file) is not what a plugin wrote", metadata: ["subject": "pending attachments"])
                }
                try pending.whileLocked { () throws(HostError) in
                    if (try? readRegularFile(file, bytesMax: 1 << 20)) == bytes { pending.remove(file) }
                }
            }
            if !changes.isEmpty { logger.notice("took what plugins left", metadata: ["changes": "\(changes.count)"]) }
            await state.clearProblem("pending attachments")
        } catch {
            await state.report(
                "pending attachments", "what plugins left while no agent answered is not taken: \(error)")
        }
    }

    private func replay(_ change: PendingChange, _ state: AgentState) async {
        do throws(APIError) {
            switch change {
            case .add(var request):
                request.waitMilliseconds = 0
                _ = try await state.attach(request)
            case .delete(let name): _ = try await state.detach(name)
            }
        } catch {
            // The container may be gone by now.
            logger.info("\(error.message)", metadata: ["subject": "pending attachments"])
        }
    }
}

extension AgentState {
    /// Those of the last agent, before any source has reported.
    func seedAttachments() {
        guard let table = attachmentKeeper?.table else { return }
        let workloads = table.all.map(\.workload)
        if !workloads.isEmpty { policePlaceholders() }
        guard sources[Attachment.source] != nil else { return }
        seed(source: Attachment.source, workloads: workloads)
    }

    /// Tells of this node's pods on another board from now on.
    func use(_ board: PodBoard) {
        podBoard = board
        for attachment in attachmentKeeper?.table.all ?? [] where !attachment.isLeaving {
            tellBoard(attachment, isThere: true)
        }
    }

    /// A cluster's pods are found by where the plugin was called, before any of their processes runs.
    func tellBoard(_ attachment: Attachment, isThere: Bool) {
        guard let uid = attachment.request.podUID else { return }
        podBoard?.set(namespace: isThere ? .path(attachment.request.namespacePath) : nil, ofPod: uid)
    }
}
