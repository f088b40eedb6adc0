// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import IdentityModel
import NetworkModel

/// Makes one set of workloads of slices.
///
/// A workload that moves from one slice to another stands in both for a moment: the first slice by name has it, as its
/// writer reads them too. Pure; a change costs what the slices that are others hold.
struct SliceCatalogue: Sendable {
    /// A slice of those who were known once; its name comes after all that the API takes.
    private static let remembered = "~remembered"

    private var slices: [String: WorkloadSlice] = [:]
    /// Slices that name a workload, where there are several.
    private var rivals: [String: Set<String>] = [:]
    private var owners: [String: String] = [:]
    private var touched: Set<String> = []
    /// One text for all slices that have a label set.
    private var labelSets: [LabelSet: LabelSet] = [:]
    /// Addresses that are watched, each with the workloads that name it.
    private var holders: [IPAddress: Set<String>] = [:]
    /// Who was known once, by address.
    private var rememberedAt: [IPAddress: Set<String>] = [:]

    /// Takes over a slice; nil: it is gone.
    mutating func set(_ name: String, _ slice: WorkloadSlice?) {
        let former = slices[name]?.workloads ?? [:]
        let slice = slice.map { shared($0) }
        slices[name] = slice
        for key in former.keys where slice?.workloads[key] == nil { release(key, name) }
        for (key, workload) in slice?.workloads ?? [:] where former[key] != workload {
            if former[key] == nil { claim(key, name) }
            if name != Self.remembered { forget(key, workload) }
            touch(key)
        }
    }

    /// Takes over all slices there are; those of `keeping` are there too, as they are known.
    mutating func replace(with all: [String: WorkloadSlice], keeping: Set<String> = []) {
        let kept = keeping.union([Self.remembered])
        for name in slices.keys where all[name] == nil && !kept.contains(name) { set(name, nil) }
        for (name, slice) in all { set(name, slice) }
        // Those that nobody has any more are not kept for ever.
        let used = Set(slices.values.flatMap { $0.workloads.values.map(\.labels) })
        labelSets = labelSets.filter { used.contains($0.key) }
    }

    /// True if there is a slice of that name.
    func hasSlice(_ name: String) -> Bool { slices[name] != nil }

    /// Takes over who was known once, as long as no slice names them or one of their addresses.
    mutating func remember(_ all: [String: ClusterWorkload]) {
        let named = Set(slices.values.flatMap { $0.workloads.values.flatMap(\.addresses) })
        let rest = all.filter { owners[$0.key] == nil && $0.value.addresses.allSatisfy { !named.contains($0) } }
        for (key, workload) in rest {
            for address in workload.addresses { rememberedAt[address, default: []].insert(key) }
        }
        set(Self.remembered, WorkloadSlice(rest))
    }

    /// From now on only slices count.
    mutating func forget() {
        guard slices[Self.remembered] != nil else { return }
        rememberedAt = [:]
        set(Self.remembered, nil)
    }

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

    /// A slice names this one: it is known anew, and who had its addresses has them no more.
    private mutating func forget(_ key: String, _ workload: ClusterWorkload) {
        guard !rememberedAt.isEmpty else { return }
        let others = workload.addresses.flatMap { rememberedAt.removeValue(forKey: $0) ?? [] }
        for name in Set(others + [key]) where slices[Self.remembered]?.workloads[name] != nil {
            slices[Self.remembered]?.workloads[name] = nil
            release(name, Self.remembered)
        }
    }

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
