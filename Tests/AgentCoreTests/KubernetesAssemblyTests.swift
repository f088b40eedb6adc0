// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import IdentityModel
import KubernetesClient
import NetworkModel
import Testing

@testable import AgentCore

/// When the kinds of a cluster are told, and what of them.
@Suite struct KubernetesAssemblyTests {
    private static let kinds: [ResourceKind] = [.networkPolicies, .services]
    private var assembly = make()

    private static func make(remembered: ClusterContent = ClusterContent()) -> KubernetesAssembly {
        KubernetesAssembly(
            server: "https://api:6443", node: "here", kinds: kinds, filter: LabelFilter(), remembered: remembered)
    }

    private func pod(_ name: String, _ number: UInt32, node: String = "there", app: String? = nil) -> PodFacts {
        PodFacts(
            template: PodTemplate(
                namespace: "shop", labels: [Label(source: LabelSource.kubernetes, key: "app", value: app ?? name)],
                serviceAccount: "", namedPorts: NamedPorts()),
            node: node, addresses: [IPAddress(v4: 0x0acb_0000 + number)], createdAt: 0,
            own: node == "here" ? .init(uid: "uid-\(name)", image: nil) : nil)
    }

    private func key(_ name: String, _ namespace: String = "shop") -> ObjectKey {
        ObjectKey(namespace: namespace, name: name)
    }

    private func content(_ changes: [ClusterChange]) -> ClusterContent? {
        changes.lazy.compactMap { if case .snapshot(let content) = $0 { content } else { nil } }.first
    }

    private func delta(_ changes: [ClusterChange]) -> ClusterDelta? {
        changes.lazy.compactMap { if case .delta(let delta) = $0 { delta } else { nil } }.first
    }

    private func status(_ changes: [ClusterChange]) -> ClusterFeedStatus? {
        changes.lazy.compactMap { if case .status(let status) = $0 { status } else { nil } }.last
    }

    /// All but the policies.
    private mutating func tellTheRest() {
        _ = assembly.take(.namespaces(.replaced([key("shop", ""): [:]], keeping: [])))
        _ = assembly.take(.namespaces(.status(.connected)))
        _ = assembly.take(
            .pods(.replaced([key("web"): pod("web", 1), key("own"): pod("own", 2, node: "here")], keeping: [])))
        _ = assembly.take(.pods(.status(.connected)))
        _ = assembly.take(.documents(.services, .replaced([key("db"): [7]], keeping: [])))
        _ = assembly.take(.documents(.services, .status(.connected)))
    }

    @Test mutating func `nothing is told before every kind is known whole`() {
        tellTheRest()
        #expect(!assembly.isOpen && assembly.records == nil)
        // What comes before the list is complete is no list.
        #expect(content(assembly.take(.documents(.networkPolicies, .upserted(key("x"), [9])))) == nil)
        let changes = assembly.take(.documents(.networkPolicies, .replaced([key("p"): [1]], keeping: [])))
        let all = content(changes)
        #expect(all?.documents == ["services/shop/db": [7], "networkpolicies.networking.k8s.io/shop/p": [1]])
        #expect(all?.workloads.keys.sorted() == ["shop/own", "shop/web"])
        #expect(assembly.records?.keys.sorted() == ["uid-own"])
        #expect(status(assembly.take(.documents(.networkPolicies, .status(.connected))))?.isConnected == true)
        // From now on what changes.
        let next = delta(assembly.take(.pods(.removed(key("web")))))
        #expect(next?.workloads == ["shop/web": nil] && next?.documents == [:])
        let gone = delta(assembly.take(.documents(.networkPolicies, .replaced([key("q"): [2]], keeping: []))))
        #expect(
            gone?.documents == [
                "networkpolicies.networking.k8s.io/shop/p": nil, "networkpolicies.networking.k8s.io/shop/q": [2],
            ])
        #expect(assembly.take(.pods(.status(.connected))).isEmpty)
    }

    @Test mutating func `a kind that is not installed is known, one that goes leaves its policies in force`() {
        tellTheRest()
        let changes = assembly.take(.documents(.networkPolicies, .status(.notInstalled("404"))))
        #expect(content(changes)?.documents == ["services/shop/db": [7]])
        #expect(status(changes)?.isConnected == true && status(changes)?.problems.isEmpty == true)
        let lost = assembly.take(.documents(.services, .status(.notInstalled("no services"))))
        #expect(delta(lost) == nil)
        #expect(status(lost)?.problems["services"]?.hasPrefix("no services; what was told") == true)
        #expect(
            delta(assembly.take(.documents(.services, .replaced([:], keeping: []))))?.documents == [
                "services/shop/db": nil
            ])
        #expect(status(assembly.take(.documents(.services, .status(.connected))))?.problems.isEmpty == true)
    }

    @Test mutating func `of a kind that nobody may see what was remembered stands`() {
        assembly = Self.make(
            remembered: ClusterContent(
                documents: ["networkpolicies.networking.k8s.io/shop/p": [1], "services/shop/old": [2]]))
        tellTheRest()
        let changes = assembly.take(.documents(.networkPolicies, .status(.forbidden("403"))))
        #expect(
            content(changes)?.documents == ["networkpolicies.networking.k8s.io/shop/p": [1], "services/shop/db": [7]])
        #expect(status(changes)?.problems["networkpolicies.networking.k8s.io"] == "403")
        // Once it may be seen, what is not there any more goes.
        let seen = assembly.take(.documents(.networkPolicies, .replaced([:], keeping: [])))
        #expect(delta(seen)?.documents == ["networkpolicies.networking.k8s.io/shop/p": nil])
    }

    @Test mutating func `a kind that fails for long holds up nobody, and is said`() {
        tellTheRest()
        var changes = assembly.take(.documents(.networkPolicies, .status(.retrying("the server answers 500"))))
        #expect(content(changes) == nil)
        for _ in 0..<5 { #expect(content(assembly.take(.tick)) == nil) }
        changes = assembly.take(.tick)
        #expect(content(changes)?.documents == ["services/shop/db": [7]])
        #expect(!assembly.take(.tick).contains { if case .snapshot = $0 { true } else { false } })
        let status = status(assembly.take(.pods(.status(.retrying("x")))))
        #expect(status?.isConnected == false)
        #expect(status?.message.hasSuffix("does not tell of networkpolicies.networking.k8s.io, pods") == true)
    }

    @Test mutating func `ticks before pods and namespaces are known do not count`() {
        for _ in 0..<50 { _ = assembly.take(.tick) }
        tellTheRest()
        #expect(!assembly.isOpen)
    }

    /// Whoever watches every pod and whoever watches slices of them know the same workloads after any changes.
    @Test(arguments: 0..<10) func `slices tell the same as every pod`(seed: UInt64) throws {
        var random = SplitMix64(state: seed)
        var whole = KubernetesAssembly(server: "", node: "here", kinds: [], filter: LabelFilter())
        var sliced = KubernetesAssembly(server: "", node: "here", isSliced: true, kinds: [], filter: LabelFilter())
        var writer = PodCatalogue(filter: LabelFilter(), node: "")
        var packer = SlicePacker(workloadsMax: 4)
        var (one, other) = (ClusterContent(), ClusterContent())
        func take(_ changes: [ClusterChange], _ content: inout ClusterContent) {
            for change in changes {
                switch change {
                case .snapshot(let all): content = all
                case .delta(let delta): content.apply(delta)
                case .status: break
                }
            }
        }
        let namespaces = [key("shop", ""): ["team": "a"]]
        take(whole.take(.namespaces(.replaced(namespaces, keeping: []))), &one)
        take(sliced.take(.namespaces(.replaced(namespaces, keeping: []))), &other)
        writer.replaceNamespaces(["shop": ["team": "a"]])
        take(whole.take(.pods(.replaced([:], keeping: []))), &one)
        take(sliced.take(.pods(.replaced([:], keeping: []))), &other)
        let marker = [key(WorkloadSlice.marker, ""): WorkloadSlice()]
        take(sliced.take(.slices(.replaced(marker, keeping: []))), &other)
        for round in 0..<150 {
            let name = "p\(Int.random(in: 0..<25, using: &random))"
            // Addresses are taken again soon, sometimes before who had them is gone.
            var next = pod(
                name, UInt32.random(in: 1..<15, using: &random), app: ["web", "db"].randomElement(using: &random))
            next.createdAt = Int64(10 + round % 50)
            next.isTerminating = Bool.random(using: &random)
            let pod = Int.random(in: 0..<4, using: &random) == 0 ? nil : next
            take(whole.take(.pods(pod.map { .upserted(key(name), $0) } ?? .removed(key(name)))), &one)
            writer.set(key(name), pod)
            packer.apply(writer.takeChanges())
            for (slice, content) in packer.takeChanges() {
                let read = try content.map { try WorkloadSliceRecord($0).slice() }
                take(
                    sliced.take(.slices(read.map { .upserted(key(slice, ""), $0) } ?? .removed(key(slice, "")))), &other
                )
            }
            #expect(one == other)
        }
        #expect(!one.workloads.isEmpty)
        // Who comes later reads all slices at once.
        var late = KubernetesAssembly(server: "", node: "here", isSliced: true, kinds: [], filter: LabelFilter())
        var third = ClusterContent()
        take(late.take(.namespaces(.replaced(namespaces, keeping: []))), &third)
        take(late.take(.pods(.replaced([:], keeping: []))), &third)
        let written = SlicePacker(packer.slices).slices
        take(
            late.take(
                .slices(
                    .replaced(
                        marker.merging(written.map { (key($0.key, ""), $0.value) }) { $1 }, keeping: []))),
            &third)
        #expect(third == one)
    }

    @Test mutating func `without slices a node of a large cluster is told nothing`() {
        assembly = KubernetesAssembly(
            server: "", node: "here", isSliced: true, kinds: Self.kinds, filter: LabelFilter())
        tellTheRest()
        _ = assembly.take(.documents(.networkPolicies, .replaced([:], keeping: [])))
        #expect(!assembly.isOpen)
        let status = status(assembly.take(.slices(.status(.notInstalled("404 workloadslices")))))
        #expect(status?.isConnected == false && status?.problems["workloadslices.bulkhead.dev"] == "404 workloadslices")
        let workload = ClusterWorkload(node: "n9", labels: .empty, addresses: [IPAddress(v4: 1)])
        let slices = [key("s", ""): WorkloadSlice(["x/y": workload])]
        #expect(content(assembly.take(.slices(.replaced(slices, keeping: [])))) == nil, "more may follow")
        _ = assembly.take(.slices(.status(.connected)))
        let waiting = self.status(assembly.take(.tick))
        let changes = assembly.take(.slices(.upserted(key(WorkloadSlice.marker, ""), WorkloadSlice())))
        #expect(waiting == nil || waiting?.message.contains("not all") == true)
        #expect(content(changes)?.workloads == ["x/y": workload])
        // This node's own pods are its own affair all the same.
        #expect(assembly.records?.keys.sorted() == ["uid-own"])
    }

    /// Written by a controller of another version, say.
    @Test mutating func `of slices that cannot be read what was known stands`() {
        func workload(_ number: UInt32) -> ClusterWorkload {
            ClusterWorkload(node: "n9", labels: .empty, addresses: [IPAddress(v4: number)])
        }
        let known = ["x/a": workload(1), "x/b": workload(2), "x/c": workload(3), "x/d": workload(4)]
        assembly = KubernetesAssembly(
            server: "", node: "here", isSliced: true, kinds: [], filter: LabelFilter(),
            remembered: ClusterContent(documents: ["services/shop/old": [2]], workloads: known))
        tellTheRest()
        // One is known anew, another one's address is somebody else's by now.
        let marker = key(WorkloadSlice.marker, "")
        let all = content(
            assembly.take(
                .slices(
                    .replaced(
                        [
                            marker: WorkloadSlice(),
                            key("s1", ""): WorkloadSlice(["x/a": workload(9), "x/n": workload(2)]),
                        ],
                        keeping: [key("s2", "")]))))
        #expect(
            all?.workloads == ["x/a": workload(9), "x/n": workload(2), "x/c": workload(3), "x/d": workload(4)])
        let news = key("s2", "")
        let status = status(assembly.take(.slices(.status(.unreadable([news: "it is of version 2"])))))
        #expect(
            status?.problems["workloadslices.bulkhead.dev/s2"]
                == "it cannot be read: it is of version 2; what it said before stays")
        // Whoever comes takes the address of one who was known, and it does not come back.
        let come = delta(assembly.take(.slices(.upserted(key("s3", ""), WorkloadSlice(["x/m": workload(3)])))))
        #expect(come?.workloads == ["x/m": workload(3), "x/c": nil])
        let gone = delta(assembly.take(.slices(.removed(key("s3", "")))))
        #expect(gone?.workloads == ["x/m": nil])
        // Listed once more, and at last all can be read.
        let again = [marker: WorkloadSlice(), key("s1", ""): WorkloadSlice(["x/a": workload(9), "x/n": workload(2)])]
        #expect(delta(assembly.take(.slices(.replaced(again, keeping: [news])))) == nil)
        #expect(
            delta(assembly.take(.slices(.upserted(news, WorkloadSlice(["x/e": workload(5)])))))?.workloads
                == ["x/e": workload(5), "x/d": nil])
        // Of one that was read once, what it said stays.
        #expect(delta(assembly.take(.slices(.status(.unreadable([news: "odd"]))))) == nil)
        #expect(delta(assembly.take(.slices(.replaced(again, keeping: [news])))) == nil)
        #expect(delta(assembly.take(.slices(.replaced(again, keeping: []))))?.workloads == ["x/e": nil])
    }

    @Test func `a slice of another version is not read, whatever else it says`() {
        func fault(_ spec: String) -> String {
            do {
                let object = RawObject(meta: ObjectMeta(name: "s"), text: Array(#"{"spec":\#(spec)}"#.utf8))
                return "read: \(try WorkloadSlice(object))"
            } catch { return "\(error)" }
        }
        let text = "it is of version 2, this agent reads version 1: update this agent"
        #expect(fault(#"{"version":2,"labelSets":[],"workloads":[]}"#) == text)
        #expect(fault(#"{"version":2,"everything":{"is":"otherwise"},"workloads":7}"#) == text)
        #expect(fault(#"{"labelSets":[],"workloads":[]}"#) == "it says no version")
        #expect(fault(#"{"version":1,"labelSets":[],"workloads":[]}"#).hasPrefix("read: "))
    }

    @Test mutating func `a pod that cannot be read any more stays as it was`() {
        tellTheRest()
        _ = assembly.take(.documents(.networkPolicies, .replaced([:], keeping: [])))
        let changes = assembly.take(.pods(.replaced([:], keeping: [key("web"), key("never")])))
        #expect(delta(changes)?.workloads == ["shop/own": nil])
        let status = status(assembly.take(.pods(.status(.unreadable([key("web"): "odd"])))))
        #expect(status?.problems["pods/shop/web"] == "it cannot be read: odd; what it said before stays")
    }

    @Test func `a document says what matters, and nothing that changes by itself`() throws {
        let object = """
            {"metadata":{"name":"n1","uid":"u","resourceVersion":"5","labels":{"a":"b"},"managedFields":[{"x":"}"}],
            "annotations":{"k":"v","kubectl.kubernetes.io/last-applied-configuration":"{\\"kind\\":1}"}},
            "spec":{"podCIDR":"10.0.0.0/24"},
            "status":{"images":[{"names":["a,b"]}],"addresses":[{"type":"InternalIP","address":"10.0.0.1"}]}}
            """
        var meta = ObjectMeta(name: "n1")
        meta.uid = "u"
        let raw = RawObject(meta: meta, text: Array(object.utf8))
        let node = try #require(ClusterDocument.text(raw, .nodes))
        #expect(
            String(decoding: node, as: UTF8.self)
                == #"{"apiVersion":"v1","kind":"Node","metadata":{"name":"n1","labels":{"a":"b"},"#
                + #""annotations":{"k":"v"}},"status":{"addresses":[{"type":"InternalIP","address":"10.0.0.1"}]}}"#)
        let policy = try #require(ClusterDocument.text(raw, .networkPolicies))
        #expect(
            String(decoding: policy, as: UTF8.self)
                == #"{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"n1","labels":{"a":"b"},"#
                + #""annotations":{"k":"v"}},"spec":{"podCIDR":"10.0.0.0/24"}}"#)
        #expect(ClusterDocument.text(RawObject(meta: meta, text: Array("[1]".utf8)), .nodes) == nil)
    }
}

struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

extension ClusterText: ExpressibleByArrayLiteral {
    /// Without a mark: nobody asks.
    public init(arrayLiteral elements: UInt8...) { self.init(bytes: elements) }
}
