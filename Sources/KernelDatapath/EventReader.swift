// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import EventDecoding
import EventModel
import Synchronization

/// Decodes events in place on the reader's thread and hands them on in batches.
final class EventReader: EventReading {
    private let reader: RingBufferReader

    init(
        _ events: EventRings, _ deliver: @escaping @Sendable (EventBatch) -> Void
    ) throws(BPFError) {
        let pending = Mutex(EventBatch(flows: []))
        reader = try RingBufferReader(
            events,
            handler: RingBufferHandler(
                record: { bytes in
                    let flow = FlowEvent(decoding: bytes)
                    pending.withLock { batch in
                        if let flow { batch.flows.append(flow) } else { batch.malformed += 1 }
                    }
                },
                batchEnd: { _ in
                    deliver(
                        pending.withLock { batch in
                            defer { batch = EventBatch(flows: []) }
                            return batch
                        })
                }))
    }

    func stop() { reader.stop() }
}
