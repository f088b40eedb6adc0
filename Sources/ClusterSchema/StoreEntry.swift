// SPDX-License-Identifier: Apache-2.0

/// A key of the store and what is there.
package struct StoreEntry: Hashable, Sendable {
    package var key: String
    package var value: [UInt8]
    /// When it was last written.
    package var revision: Int64
    /// Zero: it stays until somebody deletes it.
    package var lease: Int64

    package init(key: String, value: [UInt8], revision: Int64, lease: Int64 = 0) {
        self.key = key
        self.value = value
        self.revision = revision
        self.lease = lease
    }
}

/// A change in the store.
package enum StoreEvent: Hashable, Sendable {
    case put(StoreEntry)
    case delete(key: String, revision: Int64)

    package var key: String {
        switch self {
        case .put(let entry): entry.key
        case .delete(let key, _): key
        }
    }

    package var revision: Int64 {
        switch self {
        case .put(let entry): entry.revision
        case .delete(_, let revision): revision
        }
    }
}
