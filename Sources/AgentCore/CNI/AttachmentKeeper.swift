// SPDX-License-Identifier: Apache-2.0

import CNIPlugin
import ControlAPI
import Logging
import NetworkModel

/// Takes what network plugins tell: finds the interface, has it closed, and keeps it for as long as it exists.
final class AttachmentKeeper: Sendable {
    /// Who else wants to know where an attachment is, before any of its processes runs.
    typealias Listener = @Sendable (_ attachment: Attachment, _ isThere: Bool) async -> Void

    let table: AttachmentTable
    private let finder: any AttachmentFinding
    private let listeners: [Listener]
    private let logger: Logger

    init(table: AttachmentTable, finder: any AttachmentFinding, listeners: [Listener] = [], logger: Logger) {
        self.table = table
        self.finder = finder
        self.listeners = listeners
        self.logger = logger
    }

    /// Notes an attachment; the state is to be told next.
    func add(_ request: AttachmentRequest) async throws(APIError) -> Attachment {
        try Self.check(request)
        let attachment = try await finder.find(request)
        do throws(AgentError) {
            try table.change { attachments in
                // An interface is one container's: who had it before did not say that it went.
                for (name, other) in attachments where other.host.index == attachment.host.index {
                    attachments[name] = nil
                }
                attachments[request.name] = attachment
            }
        } catch {
            logger.error("\(error)", metadata: ["subject": "attachments"])
        }
        for listener in listeners { await listener(attachment, true) }
        return attachment
    }

    private static func check(_ request: AttachmentRequest) throws(APIError) {
        guard request.name.isValid else { throw APIError(.badRequest, "no container's id, or no interface's name") }
        guard request.namespacePath.hasPrefix("/") else {
            throw APIError(.badRequest, "namespacePath is not a path from the root")
        }
        for text in request.addresses where IPAddress(text) == nil {
            throw APIError(.badRequest, "\"\(text.prefix(64))\" is not an address")
        }
        guard (0...waitMillisecondsMax).contains(request.waitMilliseconds) else {
            throw APIError(.badRequest, "waitMilliseconds: from 0 to \(waitMillisecondsMax)")
        }
    }

    private static let waitMillisecondsMax = PluginSettings.secondsRange.upperBound * 1000

    /// Notes that the runtime let go of attachments; returns those there were.
    func remove(_ isMeant: (Attachment) -> Bool) async -> [Attachment] {
        var removed: [Attachment] = []
        do throws(AgentError) {
            try table.change { attachments in
                for (name, attachment) in attachments where !attachment.isLeaving && isMeant(attachment) {
                    removed.append(attachment)
                    attachments[name]?.isLeaving = true
                }
            }
        } catch {
            logger.error("\(error)", metadata: ["subject": "attachments"])
        }
        for attachment in removed { for listener in listeners { await listener(attachment, false) } }
        return removed
    }

    /// Forgets attachments whose interface is gone; true if there were any.
    func prune() async -> Bool {
        let gone = table.all.filter { !finder.exists($0.host) }
        guard !gone.isEmpty else { return false }
        do throws(AgentError) {
            try table.change { attachments in
                // By the interface: the same container may have another one by now.
                for attachment in gone where attachments[attachment.request.name]?.host == attachment.host {
                    attachments[attachment.request.name] = nil
                }
            }
        } catch {
            logger.error("\(error)", metadata: ["subject": "attachments"])
        }
        for attachment in gone where !attachment.isLeaving {
            for listener in listeners { await listener(attachment, false) }
        }
        return true
    }
}
