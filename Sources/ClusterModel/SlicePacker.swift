// SPDX-License-Identifier: Apache-2.0

/// Spreads the workloads of a cluster over slices, so that what changes is written in few of them.
///
/// A workload stays in its slice for as long as it lives; a new one goes where there is room, into the fullest slice first,
/// so that sparse ones run empty and go. Pure.
package struct SlicePacker: Sendable {
    /// Names of slices begin so.
    private static let namePrefix = "workloads-"

    private let roomOfSlice: Int
    /// As they are to be written, by name.
    package private(set) var slices: [String: WorkloadSlice] = [:]
    /// The slice of each workload.
    private var places: [String: String] = [:]
    /// Slices with room, by how many they hold.
    private var sparse: [Int: Set<String>] = [:]
    private var nextNumber = 1
    private var touched: Set<String> = []

    package init(workloadsMax: Int = WorkloadSlice.workloadsMax) { roomOfSlice = workloadsMax }

    /// Starts from what is written already, by name; of a workload that stands twice the first slice by name has it.
    package init(_ written: [String: WorkloadSlice], workloadsMax: Int = WorkloadSlice.workloadsMax) {
        self.init(workloadsMax: workloadsMax)
        for (name, slice) in written.sorted(by: { $0.key < $1.key }) {
            var own = slice
            for key in slice.workloads.keys {
                if places[key] == nil { places[key] = name } else { own.workloads[key] = nil }
            }
            if let number = Int(name.dropFirst(Self.namePrefix.count)) { nextNumber = max(nextNumber, number + 1) }
            if own != slice || own.workloads.isEmpty { touched.insert(name) }
            guard !own.workloads.isEmpty else { continue }
            slices[name] = own
            note(name, from: nil)
        }
    }

    /// How many workloads there are.
    package var count: Int { places.count }

    /// All workloads.
    package var workloads: [String: ClusterWorkload] {
        places.reduce(into: [:]) { $0[$1.key] = slices[$1.value]?.workloads[$1.key] }
    }

    /// Makes some workloads what is given; nil: gone.
    package mutating func apply(_ changes: [String: ClusterWorkload?]) {
        // First what goes: it makes room.
        for (key, workload) in changes where workload == nil { remove(key) }
        for (key, workload) in changes.sorted(by: { $0.key < $1.key }) {
            if let workload { set(key, workload) }
        }
    }

    /// Makes the workloads exactly these.
    package mutating func replace(with all: [String: ClusterWorkload]) {
        var changes: [String: ClusterWorkload?] = all.mapValues { $0 }
        for key in places.keys where all[key] == nil { changes[key] = .some(nil) }
        apply(changes)
    }

    /// What is to be written since the last call, by name; nil: the slice is to be deleted.
    package mutating func takeChanges() -> [String: WorkloadSlice?] {
        defer { touched = [] }
        return Dictionary(uniqueKeysWithValues: touched.map { ($0, slices[$0]) })
    }

    private mutating func set(_ key: String, _ workload: ClusterWorkload) {
        if let place = places[key] {
            guard slices[place]?.workloads[key] != workload else { return }
            slices[place]?.workloads[key] = workload
            touched.insert(place)
            return
        }
        let place = sparse.keys.max().flatMap { sparse[$0]?.min() } ?? newSlice()
        let count = slices[place]?.workloads.count
        slices[place]?.workloads[key] = workload
        places[key] = place
        touched.insert(place)
        note(place, from: count)
    }

    private mutating func remove(_ key: String) {
        guard let place = places.removeValue(forKey: key), let count = slices[place]?.workloads.count else { return }
        slices[place]?.workloads[key] = nil
        touched.insert(place)
        note(place, from: count)
        if count == 1 {
            slices[place] = nil
            sparse[0]?.remove(place)
            if sparse[0]?.isEmpty == true { sparse[0] = nil }
        }
    }

    private mutating func newSlice() -> String {
        let digits = String(nextNumber)
        let name = Self.namePrefix + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
        nextNumber += 1
        slices[name] = WorkloadSlice()
        note(name, from: nil)
        return name
    }

    /// Notes how full a slice is now; `from`: how full it was.
    private mutating func note(_ name: String, from former: Int?) {
        if let former {
            sparse[former]?.remove(name)
            if sparse[former]?.isEmpty == true { sparse[former] = nil }
        }
        guard let count = slices[name]?.workloads.count, count < roomOfSlice else { return }
        sparse[count, default: []].insert(name)
    }
}
