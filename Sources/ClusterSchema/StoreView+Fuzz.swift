// SPDX-License-Identifier: Apache-2.0

import ClusterModel

/// Reads bytes as every kind of value, by list and by watch, and as a key.
/// - Returns: false if what was read is not what would be written.
package func fuzzStoreValues(_ bytes: [UInt8]) -> Bool {
    let layout = StoreLayout(prefix: "/f")
    let name = layout.root + String(decoding: bytes, as: UTF8.self)
    if let key = layout.key(name), layout.text(key) != name { return false }
    let keys =
        [StoreKey.node("a"), .workload(node: "a", name: "n/w"), .document("k/n/d")].compactMap(layout.text) + [name]
    let entries = keys.map { StoreEntry(key: $0, value: bytes, revision: 1) }
    var listed = StoreView(layout: layout, grace: .zero)
    _ = listed.replace(with: entries, now: .zero)
    var watched = StoreView(layout: layout, grace: .zero)
    _ = watched.take(entries.map { .put($0) }, now: .zero)
    guard listed.content == watched.content else { return false }
    for workload in listed.content.workloads.values {
        if workload.isHost {
            let node = StoredNode(
                instance: "i", agent: "1", since: "", complete: true, addresses: workload.addresses)
            guard (try? node.host(named: workload.node)) == workload else { return false }
            continue
        }
        guard let again = try? StoredWorkload(reading: StoredWorkload(workload).bytes).workload(node: workload.node),
            again == workload
        else { return false }
    }
    _ = watched.take(entries.map { .delete(key: $0.key, revision: 2) }, now: .zero)
    _ = watched.expire(now: .seconds(1))
    return watched.content.workloads.isEmpty && watched.content.documents.isEmpty
}
