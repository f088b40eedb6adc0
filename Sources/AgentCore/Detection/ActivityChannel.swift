// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import Synchronization

/// What the sensors say on its way to the detectors, batch by batch, oldest first.
///
/// Bounded: where the detectors are behind by very much the oldest go, and are counted.
final class ActivityChannel: Sendable {
    let batches: AsyncStream<[Activity]>
    private let continuation: AsyncStream<[Activity]>.Continuation
    private let lost = Atomic<UInt64>(0)

    /// `capacity`: batches that wait; the sensors make ten a second at most.
    init(capacity: Int = 256) {
        (batches, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(capacity))
    }

    /// Activities that no detector was told of.
    var missed: UInt64 { lost.load(ordering: .relaxed) }

    func send(_ activities: [Activity]) {
        guard case .dropped(let oldest) = continuation.yield(activities) else { return }
        lost.wrappingAdd(UInt64(oldest.count), ordering: .relaxed)
    }

    func finish() { continuation.finish() }

    /// Called when the reader lets go.
    func onEnd(_ body: @escaping @Sendable () -> Void) { continuation.onTermination = { _ in body() } }
}
