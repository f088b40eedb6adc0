// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import ContainerRuntimes
import IdentityModel
import KubernetesClient

/// Makes one cluster of what informers tell of its kinds.
///
/// Nothing is told before every kind is known whole: a policy without its pods, or pods without a policy, would open or
/// close what neither should. Kinds that are not installed are known: there are none. Those that nobody may see, or that
/// fail for long while others answer, are let go without: what was remembered of them stands.
///
/// Pure; a change comes in, what it means for the agent goes out.
struct KubernetesAssembly {
    enum Step: Sendable {
        /// Of all nodes; of this one alone where slices tell of the others.
        case pods(InformerChange<PodFacts>)
        case slices(InformerChange<WorkloadSlice>)
        case namespaces(InformerChange<[String: String]>)
        case documents(ResourceKind, InformerChange<[UInt8]>)
        /// A while has passed: `heldTicksMax` of them are long enough for kinds that fail.
        case tick
    }

    private enum Standing: Equatable {
        case waiting
        case current
        case retrying(String)
        case forbidden(String)
        /// Not installed.
        case absent
        /// It was there, and is no more.
        case lost(String)
    }

    private let server: String
    private let kinds: [ResourceKind]
    /// Without these there is no cluster.
    private let required: Set<ResourceKind>
    private let remembered: [String: [UInt8]]
    private var catalogue: PodCatalogue
    /// Nil: every pod is watched.
    private var sliced: SliceCatalogue?
    private var slices: [ObjectKey: WorkloadSlice] = [:]
    private var pods: [ObjectKey: PodFacts] = [:]
    private var namespaces: [ObjectKey: [String: String]] = [:]
    private var standing: [ResourceKind: Standing]
    private var listed: Set<ResourceKind> = []
    private var unreadable: [ResourceKind: [ObjectKey: String]] = [:]
    private var keys: [ResourceKind: Set<String>] = [:]
    /// Until everything is known whole.
    private var documents: [String: [UInt8]]? = [:]
    /// Ticks in which only kinds that fail held everything up.
    private var heldTicks = 0
    private static let heldTicksMax = 6
    private var lastStatus: ClusterFeedStatus?

    /// Knows nothing yet.
    ///
    /// `isSliced`: workloads of other nodes come in slices. `remembered`: documents of the last time, by key.
    init(
        server: String, node: String, isSliced: Bool = false, kinds: [ResourceKind] = ResourceKind.documents,
        filter: LabelFilter,
        remembered: [String: [UInt8]] = [:]
    ) {
        self.server = server
        self.kinds = kinds
        self.remembered = remembered
        catalogue = PodCatalogue(filter: filter, node: node)
        sliced = isSliced ? SliceCatalogue() : nil
        required = isSliced ? [.pods, .namespaces, .workloadSlices] : [.pods, .namespaces]
        standing = Dictionary(uniqueKeysWithValues: (kinds + required).map { ($0, .waiting) })
    }

    /// True once everything was told.
    var isOpen: Bool { documents == nil }

    /// True while only kinds that fail hold everything up.
    var isHeldUp: Bool { !isOpen && listed.isSuperset(of: required) && areSlicesWhole }

    /// False: their writer is not done with them for the first time.
    private var areSlicesWhole: Bool { sliced == nil || slices[ObjectKey(name: WorkloadSlice.marker)] != nil }

    /// The pods of this node, by UID; nil: not known yet.
    ///
    /// What slices say counts for the addresses of pods that end: others may have them already.
    var records: [String: PodRecord]? {
        isOpen ? catalogue.records { sliced?.isNamed($0, byOthersThan: $1) ?? false } : nil
    }

    /// Whether a pod of this node may lose an address by any slice.
    var hasEndingPods: Bool { !catalogue.endingAddresses.isEmpty }

    /// What the agent is to hear.
    mutating func take(_ step: Step) -> [ClusterChange] {
        var delta = ClusterDelta()
        switch step {
        case .pods(let change):
            take(change, .pods, into: \.pods)
            switch change {
            case .replaced:
                catalogue.replacePods(Dictionary(uniqueKeysWithValues: pods.map { ($0.key.description, $0.value) }))
            case .upserted(let key, _), .removed(let key): catalogue.set(key.description, pods[key])
            case .status: break
            }
            sliced?.watch(catalogue.endingAddresses)
        case .namespaces(let change):
            take(change, .namespaces, into: \.namespaces)
            switch change {
            case .replaced:
                catalogue.replaceNamespaces(
                    Dictionary(uniqueKeysWithValues: namespaces.map { ($0.key.name, $0.value) }))
            case .upserted(let key, _), .removed(let key): catalogue.set(namespace: key.name, labels: namespaces[key])
            case .status: break
            }
        case .slices(let change):
            take(change, .workloadSlices, into: \.slices)
            switch change {
            case .replaced:
                sliced?.replace(with: Dictionary(uniqueKeysWithValues: slices.map { ($0.key.name, $0.value) }))
            case .upserted(let key, _), .removed(let key): sliced?.set(key.name, slices[key])
            case .status: break
            }
        case .documents(let kind, let change): take(change, kind, &delta)
        case .tick: if isHeldUp { heldTicks += 1 }
        }
        var changes = open()
        if isOpen, changes.isEmpty {
            delta.workloads = takeWorkloads()
            if !delta.isEmpty { changes.append(.delta(delta)) }
        }
        let status = status
        if status != lastStatus { changes.append(.status(status)) }
        lastStatus = status
        return changes
    }

    private mutating func take<Object>(
        _ change: InformerChange<Object>, _ kind: ResourceKind,
        into place: WritableKeyPath<KubernetesAssembly, [ObjectKey: Object]>
    ) {
        switch change {
        case .replaced(let all, let keeping):
            let kept = self[keyPath: place].filter { keeping.contains($0.key) }
            self[keyPath: place] = all.merging(kept) { new, _ in new }
            listed.insert(kind)
        case .upserted(let key, let object): self[keyPath: place][key] = object
        case .removed(let key): self[keyPath: place][key] = nil
        case .status(let status): note(status, kind)
        }
    }

    private mutating func take(_ change: InformerChange<[UInt8]>, _ kind: ResourceKind, _ delta: inout ClusterDelta) {
        func name(_ key: ObjectKey) -> String { "\(kind)/\(key)" }
        switch change {
        case .replaced(let all, let keeping):
            let kept = Set(keeping.map(name))
            for key in keys[kind] ?? [] where !kept.contains(key) { delta.documents[key] = .some(nil) }
            for (key, text) in all { delta.documents[name(key)] = text }
            keys[kind] = Set(all.keys.map(name)).union(kept)
            listed.insert(kind)
        case .upserted(let key, let text):
            delta.documents[name(key)] = text
            keys[kind, default: []].insert(name(key))
        case .removed(let key):
            delta.documents[name(key)] = .some(nil)
            keys[kind]?.remove(name(key))
        case .status(let status): note(status, kind)
        }
        for (key, text) in delta.documents { documents?[key] = text }
    }

    private mutating func note(_ status: InformerStatus, _ kind: ResourceKind) {
        switch status {
        case .connected: standing[kind] = .current
        case .retrying(let reason): standing[kind] = .retrying(reason)
        case .forbidden(let reason): standing[kind] = .forbidden(reason)
        // What somebody took away takes its policies along, but hardly meant to open what they closed.
        case .notInstalled(let reason) where listed.contains(kind): standing[kind] = .lost(reason)
        case .notInstalled(let reason): standing[kind] = required.contains(kind) ? .retrying(reason) : .absent
        case .unreadable(let objects): unreadable[kind] = objects.isEmpty ? nil : objects
        }
    }

    /// Tells everything, once all of it is known.
    private mutating func open() -> [ClusterChange] {
        guard var all = documents, listed.isSuperset(of: required), areSlicesWhole else { return [] }
        for kind in kinds where !listed.contains(kind) {
            switch standing[kind] {
            case .absent: continue
            case .forbidden: break
            default: guard heldTicks >= Self.heldTicksMax else { return [] }
            }
            for (key, text) in remembered where key.hasPrefix("\(kind)/") {
                all[key] = text
                keys[kind, default: []].insert(key)
            }
        }
        documents = nil
        _ = takeWorkloads()
        return [.snapshot(ClusterContent(documents: all, workloads: sliced?.workloads ?? catalogue.workloads))]
    }

    private mutating func takeWorkloads() -> [String: ClusterWorkload?] {
        // Of this node's pods others tell nothing that is not known better.
        let own = catalogue.takeChanges()
        return sliced?.takeChanges() ?? own
    }

    private var status: ClusterFeedStatus {
        var problems: [String: String] = [:]
        for (kind, standing) in standing {
            switch standing {
            case .retrying(let reason), .forbidden(let reason): problems["\(kind)"] = reason
            case .lost(let reason):
                problems["\(kind)"] = "\(reason); what was told of it stays in force until the agent is restarted"
            case .waiting, .current, .absent: break
            }
        }
        for (kind, objects) in unreadable {
            for (key, reason) in objects {
                problems["\(kind)/\(key)"] = "it cannot be read: \(reason); what it said before stays"
            }
        }
        let silent = standing.filter { _, standing in
            switch standing {
            case .waiting, .retrying: true
            case .current, .absent, .forbidden, .lost: false
            }
        }
        let isConnected = isOpen && silent.isEmpty
        let names = silent.keys.map(\.description).sorted()
        let message =
            isConnected
            ? "following the API at \(server)"
            : names.isEmpty
                ? areSlicesWhole
                    ? "reading the API at \(server)"
                    : "the API at \(server) has no workload slices yet, or not all: their controller writes them"
                : "the API at \(server) does not tell of \(names.joined(separator: ", "))"
        return ClusterFeedStatus(isConnected: isConnected, message: message, problems: problems)
    }
}
