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
        case documents(ResourceKind, InformerChange<ClusterText>)
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
    /// Until everything is known whole.
    private var remembered: ClusterContent
    private var catalogue: PodCatalogue
    /// Nil: every pod is watched.
    private var sliced: SliceCatalogue?
    /// Slices that are there and were never read: who is in them is who was remembered, and nobody else names.
    private var unreadSlices: Set<String> = []
    private var standing: [ResourceKind: Standing]
    private var listed: Set<ResourceKind> = []
    private var unreadable: [ResourceKind: [ObjectKey: String]] = [:]
    private var keys: [ResourceKind: Set<String>] = [:]
    /// Until everything is known whole.
    private var documents: [String: [UInt8]]? = [:]
    private var marks: [String: DocumentMark] = [:]
    /// Ticks in which only kinds that fail held everything up.
    private var heldTicks = 0
    private static let heldTicksMax = 6
    private var lastStatus: ClusterFeedStatus?

    /// Knows nothing yet.
    ///
    /// `isSliced`: workloads of other nodes come in slices. `remembered`: what was known the last time.
    init(
        server: String, node: String, isSliced: Bool = false, kinds: [ResourceKind] = ResourceKind.documents,
        filter: LabelFilter, remembered: ClusterContent = ClusterContent()
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
    private var areSlicesWhole: Bool { sliced?.hasSlice(WorkloadSlice.marker) ?? true }

    /// The pods of this node, by UID; nil: not known yet.
    ///
    /// What slices say counts for the addresses of pods that end: others may have them already.
    var records: [String: PodRecord]? {
        isOpen ? catalogue.records { sliced?.isNamed($0, byOthersThan: $1) ?? false } : nil
    }

    /// The same, if they may be others than at the last call.
    mutating func takeRecords() -> [String: PodRecord]? { isOpen && catalogue.takeRecordsTouched() ? records : nil }

    /// What the agent is to hear.
    mutating func take(_ step: Step) -> [ClusterChange] {
        var delta = ClusterDelta()
        switch step {
        case .pods(.replaced(let all, let keeping)):
            catalogue.replacePods(all, keeping: keeping)
            listed.insert(.pods)
        case .pods(.upserted(let key, let pod)): catalogue.set(key, pod)
        case .pods(.removed(let key)): catalogue.set(key, nil)
        case .pods(.status(let status)): note(status, .pods)
        case .namespaces(.replaced(let all, let keeping)):
            catalogue.replaceNamespaces(all.byName, keeping: Set(keeping.map(\.name)))
            listed.insert(.namespaces)
        case .namespaces(.upserted(let key, let labels)): catalogue.set(namespace: key.name, labels: labels)
        case .namespaces(.removed(let key)): catalogue.set(namespace: key.name, labels: nil)
        case .namespaces(.status(let status)): note(status, .namespaces)
        case .slices(.replaced(let all, let keeping)):
            sliced?.replace(with: all.byName, keeping: Set(keeping.map(\.name)))
            listed.insert(.workloadSlices)
            note(unread: Set(keeping.map(\.name)))
        case .slices(.upserted(let key, let slice)): set(key.name, slice)
        case .slices(.removed(let key)): set(key.name, nil)
        case .slices(.status(let status)):
            note(status, .workloadSlices)
            if case .unreadable(let all) = status { note(unread: Set(all.keys.map(\.name))) }
        case .documents(let kind, let change): take(change, kind, &delta)
        case .tick: if isHeldUp { heldTicks += 1 }
        }
        compareEnding(step)
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

    /// Of slices that were read before what they said stays; of others, as long as there are any, who was remembered.
    private mutating func note(unread slices: Set<String>) {
        unreadSlices = slices.filter { sliced?.hasSlice($0) == false }
        if unreadSlices.isEmpty { sliced?.forget() }
    }

    private mutating func set(_ name: String, _ slice: WorkloadSlice?) {
        sliced?.set(name, slice)
        note(unread: unreadSlices.subtracting([name]))
    }

    /// Each slice may take an address from a pod of this node that ends.
    private mutating func compareEnding(_ step: Step) {
        switch step {
        case .pods: sliced?.watch(catalogue.endingAddresses)
        case .slices: if !catalogue.endingAddresses.isEmpty { catalogue.touchRecords() }
        default: break
        }
    }

    private mutating func take(_ change: InformerChange<ClusterText>, _ kind: ResourceKind, _ delta: inout ClusterDelta)
    {
        func name(_ key: ObjectKey) -> String { kind.documentKey(key) }
        switch change {
        case .replaced(let all, let keeping):
            let kept = Set(keeping.map(name))
            for key in keys[kind] ?? [] where !kept.contains(key) { delta.documents[key] = .some(nil) }
            for (key, text) in all { delta.set(name(key), text) }
            keys[kind] = Set(all.keys.map(name)).union(kept)
            listed.insert(kind)
        case .upserted(let key, let text):
            delta.set(name(key), text)
            keys[kind, default: []].insert(name(key))
        case .removed(let key):
            delta.documents[name(key)] = .some(nil)
            keys[kind]?.remove(name(key))
        case .status(let status): note(status, kind)
        }
        guard documents != nil else { return }
        for (key, text) in delta.documents {
            documents?[key] = text
            marks[key] = text == nil ? nil : delta.marks[key]
        }
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
            for (key, text) in remembered.documents where key.hasPrefix("\(kind)/") {
                all[key] = text
                keys[kind, default: []].insert(key)
            }
        }
        if !unreadSlices.isEmpty { sliced?.remember(remembered.workloads) }
        (documents, remembered) = (nil, ClusterContent())
        let own = catalogue.takeAll()
        var content = ClusterContent(documents: all, workloads: sliced?.takeAll() ?? own)
        swap(&content.marks, &marks)
        return [.snapshot(content)]
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
            ? "following the API at \(server)\(sliced == nil ? "" : ", workloads of other nodes by slices")"
            : names.isEmpty
                ? areSlicesWhole
                    ? "reading the API at \(server)"
                    : "the API at \(server) has no workload slices yet, or not all: their controller writes them"
                : "the API at \(server) does not tell of \(names.joined(separator: ", "))"
        return ClusterFeedStatus(isConnected: isConnected, message: message, problems: problems)
    }
}

extension ClusterDelta {
    fileprivate mutating func set(_ key: String, _ text: ClusterText) {
        documents[key] = text.bytes
        marks[key] = text.mark
    }
}

extension Dictionary where Key == ObjectKey {
    /// Of a kind that has no namespaces.
    var byName: [String: Value] { Dictionary<String, Value>(uniqueKeysWithValues: map { ($0.key.name, $0.value) }) }
}
