// SPDX-License-Identifier: Apache-2.0

/// Which state of an object of a cluster a document is.
///
/// The same on all nodes and in all versions of this program: what nodes say of documents is compared by it.
package struct DocumentMark: Hashable, Sendable {
    /// As the cluster counts changes of what an object says; 0: it does not count.
    package let generation: Int
    /// Unlike that of any other object, and of any other state of this one.
    package let token: UInt64

    /// - Parameters:
    ///   - key: of the document, as `ClusterContent` has it.
    ///   - version: tells states apart where the cluster does not count them.
    package init(key: String, uid: String, generation: Int?, version: String = "") {
        self.generation = generation ?? 0
        // FNV-1a: what is hashed is the server's choice, not a stranger's.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for part in [key, uid, generation.map(String.init) ?? version] {
            for byte in part.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
            hash = (hash ^ 0xff) &* 0x100_0000_01b3
        }
        token = DocumentMark.spread(hash)
    }

    /// So that sums of tokens say which tokens they are of (the end of splitmix64).
    private static func spread(_ hash: UInt64) -> UInt64 {
        var mixed = hash
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

/// Which documents of a kind there are, and in which state, in a few bytes: equal if and only if the documents are.
package struct DocumentDigest: Hashable, Sendable {
    package private(set) var sum: UInt64
    package private(set) var count: Int

    package init(sum: UInt64 = 0, count: Int = 0) {
        self.sum = sum
        self.count = count
    }

    package mutating func add(_ mark: DocumentMark) {
        sum &+= mark.token
        count += 1
    }

    package mutating func remove(_ mark: DocumentMark) {
        sum &-= mark.token
        count -= 1
    }
}

/// The marks of documents, with the digest of each kind kept beside them.
package struct DocumentMarks: Sendable {
    private var marks: [String: DocumentMark] = [:]
    /// By kind: what a key says before its first slash.
    package private(set) var digests: [String: DocumentDigest] = [:]

    package init() {}

    package subscript(key: String) -> DocumentMark? { marks[key] }

    package var keys: some Collection<String> { marks.keys }

    /// Notes in which state a document is; nil: it is gone, or nobody says.
    package mutating func set(_ key: String, _ mark: DocumentMark?) {
        let former = marks[key]
        guard former != mark else { return }
        marks[key] = mark
        let kind = String(key.prefix { $0 != "/" })
        if let former { digests[kind, default: DocumentDigest()].remove(former) }
        if let mark { digests[kind, default: DocumentDigest()].add(mark) }
        if digests[kind]?.count == 0 { digests[kind] = nil }
    }
}
