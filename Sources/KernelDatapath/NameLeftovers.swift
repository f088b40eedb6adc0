// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI

/// Questions that nobody answered, and what endpoints that are gone held: nobody else makes room of them.
struct NameLeftovers: ~Copyable {
    private let queries: BPFMap<fqdn_query_key, fqdn_query>
    private let ring: BPFMap<fqdn_ring_key, fqdn_ring_entry>
    /// Endpoints of the last sweep: the ring, which is large, is looked through when one of them is gone.
    private var known: Set<UInt16>?

    init(_ pins: borrowing PinnedObjects) throws(BPFError) {
        let queries: BPFMap<fqdn_query_key, fqdn_query> = try pins.map(MapName.nameQueries)
        let ring: BPFMap<fqdn_ring_key, fqdn_ring_entry> = try pins.map(MapName.nameRing)
        // Assigned last: a type that cannot be copied is built whole or not at all.
        self.queries = queries
        self.ring = ring
    }

    /// `askedBefore`: seconds as the programs count them; an answer to an older question is not believed.
    mutating func sweep(endpoints: Set<UInt16>, askedBefore: Int64) throws(BPFError) {
        var old: [fqdn_query_key] = []
        try queries.forEach { key, value in
            if Int64(value.asked) < askedBefore || !endpoints.contains(key.endpoint) { old.append(key) }
        }
        try queries.remove(old)
        if known?.isSubset(of: endpoints) != true {
            var gone: [fqdn_ring_key] = []
            try ring.forEach { key, _ in
                if !endpoints.contains(key.endpoint) { gone.append(key) }
            }
            try ring.remove(gone)
        }
        // Last: what could not be removed is looked for again.
        known = endpoints
    }
}
