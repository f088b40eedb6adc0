// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import DetectionModel
import Detectors

/// Runs the detectors over what the sensors report, and hands on what they find.
///
/// An actor of its own: no policy waits for a detector, and no detector for an alert's sink.
actor DetectionKeeper {
    /// Where findings go, in the order in which they were made.
    typealias Consumer = @Sendable ([Finding]) async -> Void

    private var detectors: DetectorSet
    private let consumer: Consumer
    private let store: LearntStore?
    private var counts = DetectionStatus()
    /// Where the activities come from; nil before there are any.
    private var channel: ActivityChannel?
    /// What an earlier agent has learnt, until the first report tells the time.
    private var remembered: LearntState?
    /// Times of activities: the last one, and when what was learnt was last written.
    private var latest: UInt64 = 0
    private var savedAt: UInt64 = 0

    private static let saveTime: UInt64 = 300_000_000_000

    /// `store`: nil: what is learnt is lost at the end.
    init(_ configuration: DetectorConfiguration, store: LearntStore? = nil, consumer: @escaping Consumer) {
        detectors = DetectorSet(configuration)
        self.consumer = consumer
        self.store = store
        counts.detectors = detectors.names
        guard let store else { return }
        do {
            remembered = try store.read()
        } catch {
            counts.problem = "what detectors have learnt is lost, they learn anew: \(error)"
        }
        counts.rememberedWorkloads = remembered.map { max($0.peers.count, $0.volumes.count) } ?? 0
    }

    var status: DetectionStatus {
        var status = counts
        status.missed = channel?.missed ?? 0
        return status
    }

    /// Takes what sensors report, batch by batch, until there is no more.
    func follow(_ channel: ActivityChannel) async {
        self.channel = channel
        for await batch in channel.batches { await take(batch) }
        save()
    }

    /// Takes one batch, oldest first; times are CLOCK_MONOTONIC's, or a capture's.
    func take(_ activities: [Activity]) async {
        if let first = activities.first, latest == 0 { begin(at: first.time) }
        var findings: [Finding] = []
        for activity in activities {
            findings += detectors.consider(activity)
            latest = max(latest, activity.time)
        }
        counts.reports &+= UInt64(activities.count)
        for finding in findings { counts.findings[finding.detector, default: 0] &+= 1 }
        counts.forgotten = detectors.forgotten
        if latest >= savedAt &+ DetectionKeeper.saveTime { save() }
        if !findings.isEmpty { await consumer(findings) }
    }

    private func begin(at time: UInt64) {
        if let remembered { detectors.recall(remembered, at: time) }
        (remembered, savedAt) = (nil, time)
    }

    /// Nothing came: then the file is what it was.
    private func save() {
        guard latest > 0, let store else { return }
        savedAt = latest
        do {
            try store.write(detectors.learnt(at: latest))
            counts.problem = nil
        } catch {
            counts.problem = "what detectors have learnt cannot be kept: \(error)"
        }
    }
}
