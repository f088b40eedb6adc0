// SPDX-License-Identifier: Apache-2.0

import ClusterSchema

/// Puts back what a store lost; all nodes do so at once, and whoever comes first writes.
struct Refill: Sendable {
    let client: EtcdClient
    let layout: StoreLayout

    func put(_ documents: [String: StoredDocument]) async throws {
        var batch = Publication.Batch()
        var bytes = 0
        // In one order everywhere: batches are then the same.
        for (name, document) in documents.sorted(by: { $0.key < $1.key }) {
            guard let key = layout.text(.document(name)) else { continue }
            let value = document.bytes
            if batch.count == Publication.operationsMax || bytes + value.count > Publication.batchBytesMax {
                try await put(batch)
                (batch, bytes) = (Publication.Batch(), 0)
            }
            batch.puts[key] = value
            bytes += value.count
        }
        if !batch.isEmpty { try await put(batch) }
    }

    private func put(_ batch: Publication.Batch) async throws {
        guard try await client.commit(batch, if: batch.puts.keys.map { .isAbsent($0) }) == nil else { return }
        for (key, value) in batch.puts {
            _ = try await client.commit(Publication.Batch(puts: [key: value]), if: [.isAbsent(key)])
        }
    }
}
