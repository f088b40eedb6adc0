// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import LinuxHost
import Logging

/// Hands what a cluster says to the agent, and writes it down for a start at which the cluster does not answer.
struct ClusterSource: Sendable {
    /// How long something may be known and not be on disk: what is lost so is asked for again.
    private static let writeInterval: Duration = .seconds(30)
    /// Changes come in bursts, and in a large cluster without end: what comes within this time after a round is one commit.
    private static let pause: Duration = .milliseconds(20)

    let feed: any ClusterFeed
    let memory: ClusterMemory
    let state: AgentState

    /// Runs until cancelled.
    func run() async {
        let mailbox = ClusterMailbox()
        let notes = ClusterNotes(feed: feed.name, memory: memory)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { for await change in feed.changes() { mailbox.post(change) } }
            group.addTask {
                await mailbox.forEachRound { letters in
                    await notes.note(letters)
                    await state.update(cluster: letters)
                    try? await Task.sleep(for: Self.pause)
                }
            }
            group.addTask {
                while (try? await Task.sleep(for: Self.writeInterval)) != nil { await write(notes) }
            }
            await group.waitForAll()
        }
        await write(notes)
    }

    private func write(_ notes: ClusterNotes) async {
        await state.noteClusterIsCurrent()
        do throws(AgentError) {
            try await notes.write(currentAt: state.cluster?.currentAt)
            await state.clearProblem("cluster memory")
        } catch {
            await state.report("cluster memory", "\(error); a start without the cluster would know an older state")
        }
    }
}

/// What the feed said so far.
private actor ClusterNotes {
    private let feed: String
    private let memory: ClusterMemory
    /// Nil before the first snapshot: what is on disk stays.
    private var content: ClusterContent?
    private var isWritten = true

    init(feed: String, memory: ClusterMemory) {
        self.feed = feed
        self.memory = memory
    }

    func note(_ letters: ClusterMailbox.Letters) {
        if let snapshot = letters.snapshot { (content, isWritten) = (snapshot, false) }
        guard !letters.delta.isEmpty else { return }
        content?.apply(letters.delta)
        isWritten = false
    }

    func write(currentAt: Int64?) throws(AgentError) {
        guard !isWritten, let content, let currentAt else { return }
        try memory.write(ClusterMemory.Content(feed: feed, currentAt: currentAt, content: content))
        isWritten = true
    }
}
