// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import IdentityModel
import KubernetesClient

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
    private var pods: [ObjectKey: PodFacts] = [:]
    private var namespaces: [ObjectKey: [String: String]] = [:]
    private var listed: Set<ResourceKind> = []
    /// Since which step a slice waits to be written.
    private var pending: [String: Int] = [:]
    private var step = 0
    private var writing: Set<String> = []
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

    mutating func take(_ step: Step) {
        switch step {
        case .pods(.replaced(let all, let keeping)):
            let kept = pods.filter { keeping.contains($0.key) }
            pods = all.merging(kept) { new, _ in new }
            catalogue.replacePods(Dictionary(uniqueKeysWithValues: pods.map { ($0.key.description, $0.value) }))
            listed.insert(.pods)
        case .pods(.upserted(let key, let pod)): set(key, pod)
        case .pods(.removed(let key)): set(key, nil)
        case .namespaces(.replaced(let all, let keeping)):
            let kept = namespaces.filter { keeping.contains($0.key) }
            namespaces = all.merging(kept) { new, _ in new }
            catalogue.replaceNamespaces(Dictionary(uniqueKeysWithValues: namespaces.map { ($0.key.name, $0.value) }))
            listed.insert(.namespaces)
        case .namespaces(.upserted(let key, let labels)): set(key, labels: labels)
        case .namespaces(.removed(let key)): set(key, labels: nil)
        case .slices(.replaced(let all, let keeping)):
            written = Dictionary(uniqueKeysWithValues: all.map { ($0.key.name, $0.value) })
            unreadable = Set(keeping.map(\.name))
            listed.insert(.workloadSlices)
            check(unreadable.union(written.keys).union(packer?.slices.keys.map(\.self) ?? []))
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
    /// Of what came at once slices go first in which something ends: who ended there may have had an address that is
    /// somebody else's in another one.
    mutating func takeWrites(atMost count: Int) -> [Write] {
        guard isComplete else { return [] }
        if pending.isEmpty, writing.isEmpty, !isMarked {
            isMarked = true
            if written[WorkloadSlice.marker] == nil { pending[WorkloadSlice.marker] = step }
        }
        let order = pending.filter { !writing.contains($0.key) }
            .map { (since: $0.value, frees: frees($0.key) ? 0 : 1, name: $0.key) }.sorted { $0 < $1 }
        let writes = order.prefix(count).map { Write(name: $0.name, slice: desired($0.name)) }
        for write in writes {
            pending[write.name] = nil
            writing.insert(write.name)
        }
        return writes
    }

    /// A write is done, and what it wrote is there.
    mutating func settle(_ write: Write) {
        writing.remove(write.name)
        found(write.name, write.slice)
    }

    /// A write failed: it is to be tried again, as things are then.
    mutating func fail(_ write: Write) {
        writing.remove(write.name)
        pending[write.name] = pending[write.name] ?? step
    }

    private mutating func set(_ key: ObjectKey, _ pod: PodFacts?) {
        pods[key] = pod
        catalogue.set(key.description, pod)
    }

    private mutating func set(_ key: ObjectKey, labels: [String: String]?) {
        namespaces[key] = labels
        catalogue.set(namespace: key.name, labels: labels)
    }

    private func desired(_ name: String) -> WorkloadSlice? {
        name == WorkloadSlice.marker ? (isMarked ? WorkloadSlice() : nil) : packer?.slices[name]
    }

    private mutating func found(_ name: String, _ slice: WorkloadSlice?) {
        unreadable.remove(name)
        written[name] = slice
        check([name])
    }

    /// Whether somebody in it is another one, or gone, once it is written.
    private func frees(_ name: String) -> Bool {
        if unreadable.contains(name) { return true }
        guard let former = written[name] else { return false }
        guard let slice = desired(name) else { return true }
        return former.workloads.contains { slice.workloads[$0.key] != $0.value }
    }

    /// What somebody else wrote, or deleted, is put right.
    private mutating func check(_ names: Set<String>) {
        guard isComplete else { return }
        for name in names where !writing.contains(name) {
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
            first.replace(with: catalogue.workloads)
            _ = catalogue.takeChanges()
            packer = first
            check(unreadable.union([WorkloadSlice.marker]))
        } else {
            packer?.apply(catalogue.takeChanges())
        }
        for name in (packer?.takeChanges() ?? [:]).keys { note(name) }
    }
}
