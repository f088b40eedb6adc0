// SPDX-License-Identifier: Apache-2.0

import ClusterSchema
import EtcdProtocol
import FoundationEssentials

/// What is asked of the store's keys.
extension EtcdClient {
    /// Of one page: no more than fit into a message if each is as long as the store takes.
    static var pageLength: Int64 { 80 }

    /// Everything below a prefix, at one revision.
    func list(_ prefix: String) async throws -> (entries: [StoreEntry], revision: Int64) {
        var request = Etcdserverpb_RangeRequest()
        request.key = Data(prefix.utf8)
        request.rangeEnd = EtcdClient.end(of: prefix)
        request.limit = EtcdClient.pageLength
        var entries: [StoreEntry] = []
        while true {
            let page: Etcdserverpb_RangeResponse = try await ask("KV/Range", request)
            if request.revision == 0 { request.revision = page.header.revision }
            entries += page.kvs.map(StoreEntry.init)
            guard page.more, let last = page.kvs.last?.key else { return (entries, request.revision) }
            request.key = last + [0]
        }
    }

    /// One key; nil: it is not there.
    func get(_ key: String) async throws -> StoreEntry? {
        var request = Etcdserverpb_RangeRequest()
        request.key = Data(key.utf8)
        let answer: Etcdserverpb_RangeResponse = try await ask("KV/Range", request)
        return answer.kvs.first.map(StoreEntry.init)
    }

    /// Writes and deletes at once if all conditions hold.
    /// - Returns: the revision; nil: they do not hold.
    func commit(
        _ batch: Publication.Batch, lease: Int64 = 0, if conditions: [Etcdserverpb_Compare] = []
    ) async throws -> Int64? {
        var request = Etcdserverpb_TxnRequest()
        request.compare = conditions
        request.success = batch.puts.map { key, value in
            var put = Etcdserverpb_PutRequest()
            put.key = Data(key.utf8)
            put.value = Data(value)
            put.lease = lease
            var operation = Etcdserverpb_RequestOp()
            operation.requestPut = put
            return operation
        }
        request.success += batch.deletes.map { key in
            var delete = Etcdserverpb_DeleteRangeRequest()
            delete.key = Data(key.utf8)
            var operation = Etcdserverpb_RequestOp()
            operation.requestDeleteRange = delete
            return operation
        }
        let answer: Etcdserverpb_TxnResponse = try await ask("KV/Txn", request)
        return answer.succeeded ? answer.header.revision : nil
    }

    /// The first key after all that begin with `prefix`, which ends with a slash.
    static func end(of prefix: String) -> Data {
        var end = Data(prefix.utf8)
        if let last = end.popLast() { end.append(last + 1) }
        return end
    }
}

extension Etcdserverpb_Compare {
    /// The key is not there.
    static func isAbsent(_ key: String) -> Etcdserverpb_Compare {
        var compare = Etcdserverpb_Compare()
        compare.key = Data(key.utf8)
        compare.target = .create
        compare.createRevision = 0
        return compare
    }

    /// Nobody wrote the key since.
    static func isUnchanged(_ entry: StoreEntry) -> Etcdserverpb_Compare {
        var compare = Etcdserverpb_Compare()
        compare.key = Data(entry.key.utf8)
        compare.target = .mod
        compare.modRevision = entry.revision
        return compare
    }

    /// The key is under this lease.
    static func has(_ lease: Int64, _ key: String) -> Etcdserverpb_Compare {
        var compare = Etcdserverpb_Compare()
        compare.key = Data(key.utf8)
        compare.target = .lease
        compare.lease = lease
        return compare
    }
}

extension StoreEntry {
    init(_ pair: Etcdserverpb_KeyValue) {
        self.init(
            key: String(decoding: pair.key, as: UTF8.self), value: Array(pair.value), revision: pair.modRevision,
            lease: pair.lease)
    }
}

extension StoreEvent {
    init(_ event: Etcdserverpb_Event) {
        switch event.type {
        case .delete: self = .delete(key: String(decoding: event.kv.key, as: UTF8.self), revision: event.kv.modRevision)
        default: self = .put(StoreEntry(event.kv))
        }
    }
}
