// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import IdentityModel
import KubernetesClient
import NetworkModel
import PolicyOracle

@testable import AgentCore

/// One cluster that is told to two agents: to one by its pods, to the other by slices that a controller writes.
struct TwoModes {
    /// An agent before its tables: what it was told, and what it has not heard yet.
    struct Reader {
        var assembly: KubernetesAssembly
        var letters = ClusterMailbox.Letters()
        var content = ClusterContent()
        var news: Set<News> = []

        init(isSliced: Bool) {
            assembly = KubernetesAssembly(
                server: "", node: RandomPods.node, isSliced: isSliced, filter: LabelFilter())
        }

        mutating func take(_ step: KubernetesAssembly.Step) {
            for change in assembly.take(step) {
                letters.add(change)
                switch change {
                case .snapshot(let all): content = all
                case .delta(let delta): content.apply(delta)
                case .status: break
                }
            }
        }
    }

    /// What has become another one: of each object its last state is heard, and no order among them is certain.
    enum News: Hashable {
        case pod(ObjectKey)
        case namespace(ObjectKey)
        case slice(String)
    }

    /// Has a workload that never had it.
    struct Stranger: Hashable {
        var key: String
        var address: IPAddress
    }

    var cluster: RandomPods
    var whole = Reader(isSliced: false)
    var sliced = Reader(isSliced: true)
    private var plan: SlicePlan
    private var controllerNews: Set<News> = []
    private var writes: [SlicePlan.Write] = []
    /// What the API has.
    private var api: [String: WorkloadSlice] = [:]
    private var documents: [ResourceKind: Set<ObjectKey>] = [:]
    /// Who named an address since both were alike.
    private var claims: Set<Stranger> = []

    init(seed: UInt64) {
        cluster = RandomPods(seed: seed)
        plan = SlicePlan(filter: LabelFilter(), workloadsMax: 3)
        noteClaims()
        startController()
        for kind in ResourceKind.documents {
            whole.take(.documents(kind, .replaced([:], keeping: [])))
            sliced.take(.documents(kind, .replaced([:], keeping: [])))
        }
        whole.take(.pods(.replaced(cluster.pods, keeping: [])))
        whole.take(.namespaces(.replaced(cluster.namespaces, keeping: [])))
        sliced.take(.namespaces(.replaced(cluster.namespaces, keeping: [])))
        sliced.take(.pods(.replaced(cluster.pods.filter { $0.value.node == RandomPods.node }, keeping: [])))
        sliced.take(.slices(.replaced([:], keeping: [])))
        for _ in 0..<10 { changeDocument() }
    }

    /// Workloads at whose addresses they never were, as slices have it.
    var strangers: [String] {
        sliced.content.workloads.flatMap { key, workload in
            workload.addresses.filter { !claims.contains(Stranger(key: key, address: $0)) }.map { "\(key) at \($0)" }
        }
    }

    /// A moment: something changes, somebody hears of something, something is written or fails.
    mutating func goOn() throws {
        for _ in 0..<cluster.draw.number(0...3) { note(.pod(cluster.changePod())) }
        if cluster.draw.chance(15) { note(.namespace(cluster.changeNamespace())) }
        if cluster.draw.chance(20) { changeDocument() }
        if cluster.draw.chance(10) { startController() }
        if cluster.draw.chance(10) { meddle() }
        noteClaims()
        try hear(60)
        finishWrites(isWell: false)
        plan.take(.tick)
        writes += plan.takeWrites(atMost: cluster.draw.number(0...4))
    }

    /// Until everything is written and heard; false: it never is.
    mutating func settle() throws -> Bool {
        for _ in 0..<200 {
            try hear(100)
            finishWrites(isWell: true)
            plan.take(.tick)
            writes = plan.takeWrites(atMost: 4)
            guard writes.isEmpty, controllerNews.isEmpty, sliced.news.isEmpty, whole.news.isEmpty else { continue }
            claims = []
            noteClaims()
            return plan.isComplete && plan.backlog == 0
        }
        return false
    }

    private mutating func noteClaims() {
        for (key, pod) in cluster.pods {
            for address in pod.addresses { claims.insert(Stranger(key: key.description, address: address)) }
        }
    }

    private mutating func note(_ news: News) {
        controllerNews.insert(news)
        sliced.news.insert(news)
        if case .slice = news { return }
        whole.news.insert(news)
    }

    private mutating func changeDocument() {
        guard let (kind, key, text) = cluster.document() else { return }
        let isGone = documents[kind]?.contains(key) == true && cluster.draw.chance(40)
        if isGone { documents[kind]?.remove(key) } else { documents[kind, default: []].insert(key) }
        whole.take(.documents(kind, isGone ? .removed(key) : .upserted(key, ClusterText(bytes: text))))
        sliced.take(.documents(kind, isGone ? .removed(key) : .upserted(key, ClusterText(bytes: text))))
    }

    /// Another one leads: it begins with what is there, and what the one before it was writing may come late.
    private mutating func startController() {
        plan = SlicePlan(filter: LabelFilter(), workloadsMax: cluster.draw.pick([2, 3, 5]))
        controllerNews = []
        plan.take(.slices(.replaced(Self.keyed(api), keeping: [])))
        plan.take(.namespaces(.replaced(cluster.namespaces, keeping: [])))
        plan.take(.pods(.replaced(cluster.pods, keeping: [])))
        for write in writes where cluster.draw.chance(70) { store(write.name, write.slice) }
        writes = []
    }

    /// Somebody deletes a slice, writes one that nobody can read, or everything is listed once more.
    private mutating func meddle() {
        guard !api.isEmpty else { return }
        let name = cluster.draw.pick(api.keys.sorted())
        switch cluster.draw.number(1...3) {
        case 1: store(name, nil)
        case 2:
            plan.take(.slices(.status(.unreadable([ObjectKey(name: name): "odd"]))))
            sliced.take(.slices(.status(.unreadable([ObjectKey(name: name): "odd"]))))
        default:
            sliced.take(.slices(.replaced(Self.keyed(api), keeping: [])))
            sliced.news = sliced.news.filter { if case .slice = $0 { false } else { true } }
        }
    }

    private static func keyed(_ slices: [String: WorkloadSlice]) -> [ObjectKey: WorkloadSlice] {
        Dictionary(uniqueKeysWithValues: slices.map { (ObjectKey(name: $0.key), $0.value) })
    }

    private mutating func store(_ name: String, _ slice: WorkloadSlice?) {
        api[name] = slice
        note(.slice(name))
    }

    /// Writes come to an end in any order; one that fails may have been done all the same.
    private mutating func finishWrites(isWell: Bool) {
        for write in writes {
            if !isWell, cluster.draw.chance(30) { continue }
            writes.removeAll { $0 == write }
            let isRefused = !isWell && cluster.draw.chance(30)
            if !isRefused { store(write.name, write.slice) }
            if isRefused || (!isWell && cluster.draw.chance(20)) { plan.fail(write) } else { plan.settle(write) }
        }
    }

    // MARK: - Hearing

    private mutating func hear(_ percent: Int) throws {
        for news in picked(from: \.whole.news, percent) { whole.take(step(news, isLocal: false)) }
        for news in picked(from: \.sliced.news, percent) {
            if case .slice(let name) = news {
                let slice = try api[name].map { try Self.sent($0, name) }
                sliced.take(.slices(change(ObjectKey(name: name), slice)))
            } else {
                sliced.take(step(news, isLocal: true))
            }
        }
        for news in picked(from: \.controllerNews, percent) {
            switch news {
            case .pod(let key): plan.take(.pods(change(key, cluster.pods[key])))
            case .namespace(let key): plan.take(.namespaces(change(key, cluster.namespaces[key])))
            case .slice(let name): plan.take(.slices(change(ObjectKey(name: name), api[name])))
            }
        }
    }

    private mutating func picked(
        from place: WritableKeyPath<TwoModes, Set<News>>, _ percent: Int
    ) -> [News] {
        var rest = self[keyPath: place].sorted { "\($0)" < "\($1)" }
        var picked: [News] = []
        for _ in rest.indices where cluster.draw.chance(percent) {
            picked.append(rest.remove(at: cluster.draw.number(0...rest.count - 1)))
        }
        self[keyPath: place] = Set(rest)
        return picked
    }

    /// `isLocal`: of pods on this node alone, as a field selector of the API has it.
    private func step(_ news: News, isLocal: Bool) -> KubernetesAssembly.Step {
        switch news {
        case .pod(let key):
            let pod = cluster.pods[key]
            return .pods(change(key, isLocal && pod?.node != RandomPods.node ? nil : pod))
        case .namespace(let key): return .namespaces(change(key, cluster.namespaces[key]))
        case .slice(let name): return .slices(change(ObjectKey(name: name), api[name]))
        }
    }

    private func change<Object>(_ key: ObjectKey, _ object: Object?) -> InformerChange<Object> {
        object.map { .upserted(key, $0) } ?? .removed(key)
    }

    /// As it comes out of the API.
    private static func sent(_ slice: WorkloadSlice, _ name: String) throws -> WorkloadSlice {
        let object = WorkloadSliceRecord(slice).object(name: name)
        return try WorkloadSlice(RawObject(meta: ObjectMeta(name: name), text: object.bytes))
    }
}
