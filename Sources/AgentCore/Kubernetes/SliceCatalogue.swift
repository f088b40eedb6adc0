// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import IdentityModel
import NetworkModel

/// Makes one set of workloads of slices.
///
/// A workload that moves from one slice to another stands in both for a moment: the first slice by name has it, as its
/// writer reads them too. Pure; a change costs what the slices that are others hold.
struct SliceCatalogue: Sendable {
    private var slices: [String: WorkloadSlice] = [:]
    /// Slices that name a workload, where there are several.
    private var rivals: [String: Set<String>] = [:]
    private var owners: [String: String] = [:]
    private var touched: Set<String> = []
    /// One text for all slices that have a label set.
    private var labelSets: [LabelSet: LabelSet] = [:]
    /// Addresses that are watched, each with the workloads that name it.
    private var holders: [IPAddress: Set<String>] = [:]

    /// Takes over a slice; nil: it is gone.
    mutating func set(_ name: String, _ slice: WorkloadSlice?) {
        let former = slices[name]?.workloads ?? [:]
        let slice = slice.map { shared($0) }
        slices[name] = slice
        for key in former.keys where slice?.workloads[key] == nil { release(key, name) }
        for (key, workload) in slice?.workloads ?? [:] where former[key] != workload {
            if former[key] == nil { claim(key, name) }
            touch(key)
        }
    }

    /// Takes over all slices there are; those of `keeping` are there too, as they are known.
    mutating func replace(with all: [String: WorkloadSlice], keeping: Set<String> = []) {
        for name in slices.keys where all[name] == nil && !keeping.contains(name) { set(name, nil) }
        for (name, slice) in all { set(name, slice) }
        // Those that nobody has any more are not kept for ever.
        let used = Set(slices.values.flatMap { $0.workloads.values.map(\.labels) })
        labelSets = labelSets.filter { used.contains($0.key) }
    }

    /// True if there is a slice of that name.
    func hasSlice(_ name: String) -> Bool { slices[name] != nil }

    /// What became of workloads since the last call.
    mutating func takeChanges() -> [String: ClusterWorkload?] {
        defer { touched = [] }
        return Dictionary(uniqueKeysWithValues: touched.map { ($0, workload($0)) })
    }

    /// Finds out from now on who names these addresses; looks at everybody if they are others than before.
    mutating func watch(_ addresses: Set<IPAddress>) {
        guard addresses != Set(holders.keys) else { return }
        holders = Dictionary(uniqueKeysWithValues: addresses.map { ($0, []) })
        for key in addresses.isEmpty ? [] : Array(owners.keys) { noteAddresses(key) }
    }

    /// Whether a watched address is one of somebody else's.
    func isNamed(_ address: IPAddress, byOthersThan key: String) -> Bool {
        holders[address]?.contains { $0 != key } ?? false
    }

    /// All workloads; what became of them up to here is not told any more.
    mutating func takeAll() -> [String: ClusterWorkload] {
        touched = []
        return owners.keys.reduce(into: [:]) { $0[$1] = workload($1) }
    }

    private func workload(_ key: String) -> ClusterWorkload? { owners[key].flatMap { slices[$0]?.workloads[key] } }

    private mutating func claim(_ key: String, _ name: String) {
        guard let owner = owners[key] else {
            owners[key] = name
            return
        }
        rivals[key, default: [owner]].insert(name)
        owners[key] = min(owner, name)
    }

    private mutating func release(_ key: String, _ name: String) {
        var rest = rivals.removeValue(forKey: key) ?? []
        rest.remove(name)
        owners[key] = rest.min()
        if rest.count > 1 { rivals[key] = rest }
        touch(key)
    }

    private mutating func touch(_ key: String) {
        touched.insert(key)
        for address in holders.keys { holders[address]?.remove(key) }
        noteAddresses(key)
    }

    private mutating func noteAddresses(_ key: String) {
        guard !holders.isEmpty else { return }
        for address in workload(key)?.addresses ?? [] where holders[address] != nil { holders[address]?.insert(key) }
    }

    private mutating func shared(_ slice: WorkloadSlice) -> WorkloadSlice {
        var copy = slice
        for (key, workload) in slice.workloads {
            if let known = labelSets[workload.labels] {
                copy.workloads[key]?.labels = known
            } else {
                labelSets[workload.labels] = workload.labels
            }
        }
        return copy
    }
}
