// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import IdentityModel
import KubernetesClient
import NetworkModel

/// What a controller is to write so that slices say what pods and namespaces are.
///
/// Pure: what informers tell comes in, what is to be written comes out. Nothing is written before pods, namespaces and the
/// slices that are there already are known whole: a successor goes on from what it finds.
struct SlicePlan {
    enum Step: Sendable {
        case pods(InformerChange<PodFacts>)
        case namespaces(InformerChange<[String: String]>)
        case slices(InformerChange<WorkloadSlice>)
        /// A while has passed: time to write.
        case tick
    }

    /// What became of a slice; nil: it is to be deleted.
    struct Write: Hashable, Sendable {
        var name: String
        var slice: WorkloadSlice?
    }

    private let roomOfSlice: Int
    private var catalogue: PodCatalogue
    private var packer: SlicePacker?
    /// As the API has them.
    private var written: [String: WorkloadSlice] = [:]
    /// There too, and as good as none: they are written anew, or go.
    private var unreadable: Set<String> = []
    private var listed: Set<ResourceKind> = []
    /// Since which step a slice waits to be written.
    private var pending: [String: Int] = [:]
    private var step = 0
    /// What is being written: since which step it had waited.
    private var writing: [String: Int] = [:]
    /// What may be there by now: it was sent, and nobody said yet that it arrived.
    private var sent: [String: WorkloadSlice] = [:]
    /// Addresses that a slice names, or may by now, and will not once it is written.
    private var endings: [String: Set<IPAddress>] = [:]
    private var isMarked = false

    init(filter: LabelFilter, workloadsMax: Int = WorkloadSlice.workloadsMax) {
        roomOfSlice = workloadsMax
        // No node is its own: all workloads are for others.
        catalogue = PodCatalogue(filter: filter, node: "")
    }

    /// False while something may be missing.
    var isComplete: Bool { packer != nil }

    /// How many slices wait to be written.
    var backlog: Int { pending.count }

    /// How many there are, once all are written.
    var sliceCount: Int { packer?.slices.count ?? 0 }

    /// How many workloads they name.
    var workloadCount: Int { packer?.count ?? 0 }

    mutating func take(_ step: Step) {
        switch step {
        case .pods(.replaced(let all, let keeping)):
            catalogue.replacePods(all, keeping: keeping)
            listed.insert(.pods)
        case .pods(.upserted(let key, let pod)): catalogue.set(key, pod)
        case .pods(.removed(let key)): catalogue.set(key, nil)
        case .namespaces(.replaced(let all, let keeping)):
            catalogue.replaceNamespaces(all.byName, keeping: Set(keeping.map(\.name)))
            listed.insert(.namespaces)
        case .namespaces(.upserted(let key, let labels)): catalogue.set(namespace: key.name, labels: labels)
        case .namespaces(.removed(let key)): catalogue.set(namespace: key.name, labels: nil)
        case .slices(.replaced(let all, let keeping)):
            written = all.byName
            unreadable = Set(keeping.map(\.name))
            listed.insert(.workloadSlices)
            check(unreadable.union(written.keys).union(endings.keys).union(packer?.slices.keys.map(\.self) ?? []))
        case .slices(.upserted(let key, let slice)): found(key.name, slice)
        case .slices(.removed(let key)): found(key.name, nil)
        case .slices(.status(.unreadable(let slices))):
            unreadable = Set(slices.keys.map(\.name))
            for name in unreadable { written[name] = nil }
            check(unreadable)
        case .pods(.status), .namespaces(.status), .slices(.status), .tick: break
        }
        plan()
    }

    /// What is to be written next, what waits longest first; none of them is given again before it is settled or failed.
    ///
    /// No address is in two slices at any time, whichever write comes first or fails: whoever is to have one that another
    /// slice still names is held back until that one is written. Of what came at once those go first in which an address
    /// ends, so that few are held back.
    mutating func takeWrites(atMost count: Int) -> [Write] {
        guard isComplete else { return [] }
        if pending.isEmpty, writing.isEmpty, !isMarked {
            isMarked = true
            if written[WorkloadSlice.marker] == nil { pending[WorkloadSlice.marker] = step }
        }
        let order = pending.filter { writing[$0.key] == nil }
            .map { (since: $0.value, isLater: frees($0.key) ? 0 : 1, name: $0.key) }.sorted { $0 < $1 }
        var names: [IPAddress: Set<String>] = [:]
        for (name, addresses) in endings { for address in addresses { names[address, default: []].insert(name) } }
        var writes: [Write] = []
        for (since, _, name) in order where writes.count < count {
            guard let write = write(name, names) else { continue }
            writes.append(write)
            pending[name] = nil
            writing[name] = since
            sent[name] = write.slice
        }
        return writes
    }

    /// A write is done, and what it wrote is there.
    mutating func settle(_ write: Write) {
        writing[write.name] = nil
        sent[write.name] = nil
        found(write.name, write.slice)
    }

    /// A write failed, as far as can be told: it is to be tried again, as things are then.
    mutating func fail(_ write: Write) {
        guard let since = writing.removeValue(forKey: write.name) else { return }
        pending[write.name] = since
    }

    private func desired(_ name: String) -> WorkloadSlice? {
        name == WorkloadSlice.marker ? (isMarked ? WorkloadSlice() : nil) : packer?.slices[name]
    }

    private mutating func found(_ name: String, _ slice: WorkloadSlice?) {
        unreadable.remove(name)
        written[name] = slice
        check([name])
    }

    private func frees(_ name: String) -> Bool { unreadable.contains(name) || endings[name] != nil }

    /// Notes which addresses end in a slice.
    private mutating func review(_ name: String) {
        let next = desired(name)?.workloads ?? [:]
        var addresses: Set<IPAddress> = []
        for former in [written[name], sent[name]].compactMap(\.self) {
            for (key, workload) in former.workloads where next[key] != workload {
                addresses.formUnion(workload.addresses)
                addresses.subtract(next[key]?.addresses ?? [])
            }
        }
        endings[name] = addresses.isEmpty ? nil : addresses
    }

    /// What can be written of a slice now; nil: nothing, all that is new in it is held back.
    ///
    /// `names`: the slices in which an address ends.
    private func write(_ name: String, _ names: [IPAddress: Set<String>]) -> Write? {
        guard var slice = desired(name), !names.isEmpty else { return Write(name: name, slice: desired(name)) }
        let held = slice.workloads.filter { _, workload in
            workload.addresses.contains { names[$0]?.contains { $0 != name } == true }
        }
        guard !held.isEmpty else { return Write(name: name, slice: slice) }
        for key in held.keys { slice.workloads[key] = nil }
        let isAsWritten =
            sent[name] == nil && !unreadable.contains(name) && slice == written[name] ?? WorkloadSlice()
        return isAsWritten ? nil : Write(name: name, slice: slice)
    }

    /// What somebody else wrote, or deleted, is put right.
    private mutating func check(_ names: Set<String>) {
        guard isComplete else { return }
        for name in names {
            review(name)
            guard writing[name] == nil else { continue }
            if unreadable.contains(name) || written[name] != desired(name) { note(name) }
        }
    }

    private mutating func note(_ name: String) { pending[name] = pending[name] ?? step }

    private mutating func plan() {
        guard listed.isSuperset(of: [.pods, .namespaces, .workloadSlices]) else { return }
        step += 1
        if packer == nil {
            isMarked = written[WorkloadSlice.marker] != nil
            var first = SlicePacker(written.filter { $0.key != WorkloadSlice.marker }, workloadsMax: roomOfSlice)
            first.replace(with: catalogue.takeAll())
            packer = first
            check(unreadable.union([WorkloadSlice.marker]))
        } else {
            packer?.apply(catalogue.takeChanges())
        }
        for name in (packer?.takeChanges() ?? [:]).keys {
            review(name)
            note(name)
        }
    }
}
