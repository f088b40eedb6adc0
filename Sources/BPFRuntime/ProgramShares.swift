// SPDX-License-Identifier: Apache-2.0
import CLibbpf
import Glibc
import Synchronization

/// Objects over the maps of another, each with a share of its programs.
///
/// The verifier's walk is nearly all of a load, and libbpf takes the programs of an object one after the other; those
/// of several objects are walked on several processors at once.
@safe final class ProgramShares {
    private var objects = unsafe [OpaquePointer]()
    private var names: [Set<String>] = []

    /// More would gain little, and each takes memory of the kernel while it is at work.
    static let countMax = 4

    deinit {
        for index in unsafe objects.indices { unsafe bpf_object__close(objects[index]) }
    }

    /// The loaded program of this name; nil if no share has it.
    func program(_ name: String) -> OpaquePointer? {
        guard let index = names.firstIndex(where: { $0.contains(name) }) else { return nil }
        return unsafe bpf_object__find_program_by_name(objects[index], name)
    }

    /// Adds an object that is opened and will load these programs; it is closed with the shares.
    func add(_ object: OpaquePointer, programs: Set<String>) {
        unsafe objects.append(object)
        names.append(programs)
    }

    /// Loads all shares, each on a thread of its own; libbpf's result for the first one that failed, else 0.
    func load() -> Int32 {
        let objects = unsafe Objects(pointers: objects)
        let results = Mutex([Int32](repeating: 0, count: names.count))
        inThreads(named: "load-programs", count: names.count) { index in
            let result = unsafe bpf_object__load(objects.pointers[index])
            results.withLock { $0[index] = result }
        }
        return results.withLock { $0.first { $0 < 0 } ?? 0 }
    }

    /// Each is used by one thread.
    @safe private struct Objects: @unchecked Sendable {
        let pointers: [OpaquePointer]
    }

    /// Divides programs into so many shares of like weight: the heaviest first, each to who has the least so far.
    static func divide(_ weights: [String: Int], into count: Int) -> [Set<String>] {
        var shares = [(weight: Int, names: Set<String>)](repeating: (0, []), count: count)
        for (name, weight) in weights.sorted(by: { ($0.value, $0.key) > ($1.value, $1.key) }) {
            guard let least = shares.indices.min(by: { shares[$0].weight < shares[$1].weight }) else { return [] }
            shares[least].weight += weight
            shares[least].names.insert(name)
        }
        return shares.map(\.names)
    }
}
