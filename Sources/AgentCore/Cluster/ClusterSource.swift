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
    /// The feed asks for nothing of workloads that the agent does not have in force: they are not kept once more.
    var areWorkloadsInForce = false

    /// Runs until cancelled.
    func run() async {
        let mailbox = ClusterMailbox()
        let notes = ClusterNotes(feed: feed.name, memory: memory, areWorkloadsInForce: areWorkloadsInForce)
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
                var pause = Self.writeInterval
                while (try? await Task.sleep(for: pause)) != nil {
                    let begin = ContinuousClock.now
                    await write(notes)
                    // A hundredth of the time at most.
                    pause = max(Self.writeInterval, (ContinuousClock.now - begin) * 100)
                }
            }
            await group.waitForAll()
        }
        await write(notes)
    }

    private func write(_ notes: ClusterNotes) async {
        await state.noteClusterIsCurrent()
        do throws(AgentError) {
            try await notes.write(of: state)
            await state.clearProblem("cluster memory")
        } catch {
            await state.report("cluster memory", "\(error); a start without the cluster would know an older state")
        }
    }
}

/// What the feed said so far, as far as nobody else keeps it in this form.
private actor ClusterNotes {
    private let feed: String
    private let memory: ClusterMemory
    private let areWorkloadsInForce: Bool
    /// Nil before the first snapshot: what is on disk stays.
    private var content: ClusterContent?
    private var isWritten = true

    init(feed: String, memory: ClusterMemory, areWorkloadsInForce: Bool) {
        self.feed = feed
        self.memory = memory
        self.areWorkloadsInForce = areWorkloadsInForce
    }

    func note(_ letters: ClusterMailbox.Letters) {
        if var snapshot = letters.snapshot {
            snapshot.marks = [:]
            if areWorkloadsInForce { snapshot.workloads = [:] }
            (content, isWritten) = (snapshot, false)
        }
        guard !letters.delta.isEmpty else { return }
        var delta = letters.delta
        delta.marks = [:]
        if areWorkloadsInForce { delta.workloads = [:] }
        content?.apply(delta)
        isWritten = false
    }

    func write(of state: AgentState) async throws(AgentError) {
        guard !isWritten, let currentAt = await state.cluster?.currentAt, let content else { return }
        isWritten = true
        do throws(AgentError) {
            guard areWorkloadsInForce else {
                try memory.write(ClusterMemory.Content(feed: feed, currentAt: currentAt, content: content))
                return
            }
            let remotes = await state.knownRemotes
            try memory.write(
                feed: feed, currentAt: currentAt, documents: content.documents, workloads: remotes.lazy.map(\.entry))
        } catch {
            isWritten = false
            throw error
        }
    }
}
