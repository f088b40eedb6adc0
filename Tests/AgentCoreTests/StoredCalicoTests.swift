// SPDX-License-Identifier: Apache-2.0

import KubernetesClient
import KubernetesDouble
import Synchronization
import Testing

@testable import AgentCore

/// Calico's objects, told by its API server or as they are stored.
@Suite(.timeLimit(.minutes(2))) struct StoredCalicoTests {
    private static let sets = ResourceKind(
        group: "projectcalico.org", version: "v3", plural: "globalnetworksets", kind: "GlobalNetworkSet",
        isNamespaced: false)

    private func restored(_ metadata: String) throws -> String {
        let object = RawObject(
            meta: ObjectMeta(name: "s"), text: Array("{\"metadata\":\(metadata),\"spec\":{\"nets\":[]}}".utf8))
        return String(decoding: try StoredCalico.restored(object).text, as: UTF8.self)
    }

    @Test func `what people gave an object is found where everybody looks for it`() throws {
        let given = #"{\"uid\":\"u\",\"labels\":{\"a\":\"\\u00e9\\\"x\"},\"annotations\":{\"k\":\"v\"}}"#
        #expect(
            try restored(#"{"name":"s","labels":null,"annotations":{"projectcalico.org/metadata":"\#(given)"}}"#)
                == #"{"metadata":{"name":"s","labels":{"a":"\u00e9\"x"},"annotations":{"k":"v"}},"spec":{"nets":[]}}"#)
        // Labels that stand where they belong count where the annotation has none.
        #expect(
            try restored(#"{"name":"s","labels":{"b":"c"},"annotations":{"projectcalico.org/metadata":"{}","x":"y"}}"#)
                == #"{"metadata":{"name":"s","labels":{"b":"c"}},"spec":{"nets":[]}}"#)
        let plain = #"{"name":"s","labels":{"b":"c"},"annotations":{"x":"y"}}"#
        #expect(try restored(plain) == #"{"metadata":\#(plain),"spec":{"nets":[]}}"#)
    }

    @Test(arguments: ["\"[1]\"", "\"{\"", "7", "{}", "null", "\"\""])
    func `what cannot be read is no object without labels`(
        value: String
    ) {
        #expect(throws: StoredCalico.Unreadable.self) {
            try restored(#"{"name":"s","annotations":{"projectcalico.org/metadata":\#(value)}}"#)
        }
    }

    @Test func `kinds that Calico makes up are not looked for among what is stored`() {
        #expect(StoredCalico.form(of: Self.sets)?.description == "globalnetworksets.crd.projectcalico.org")
        let forms = ResourceKind.documents.compactMap { StoredCalico.form(of: $0) }
        #expect(forms.count == 9 && !forms.contains { $0.plural == "profiles" })
        #expect(StoredCalico.form(of: .networkPolicies) == nil)
    }

    @Test func `what is stored is read until Calico's API server is installed, and when it goes`() async throws {
        let double = try await KubernetesDouble.start()
        let stored = "apis/crd.projectcalico.org/v1/globalnetworksets/"
        let served = "apis/projectcalico.org/v3/globalnetworksets/"
        let heard = Heard(double, Self.sets)
        await heard.wait("neither is there") { $0.statuses.contains { $0.isAbsence } }
        try double.define("crd.projectcalico.org", version: "v1")
        try double.store.set(stored + "a", ["spec": ["nets": ["192.0.2.0/24"]]])
        await heard.wait("definitions are installed later") { $0.documents.keys.sorted() == ["a"] }
        #expect(heard.seen.documents["a"]?.contains(#""apiVersion":"projectcalico.org/v3""#) == true)
        try double.store.set(
            stored + "b",
            ["metadata": ["annotations": ["projectcalico.org/metadata": #"{"labels":{"team":"red"}}"#]], "spec": [:]])
        await heard.wait("labels are restored") { $0.documents["b"]?.contains(#""labels":{"team":"red"}"#) == true }
        try double.store.set(
            stored + "b", ["metadata": ["annotations": ["projectcalico.org/metadata": "?"]], "spec": [:]])
        await heard.wait("what cannot be read is named") {
            $0.statuses.last?.unreadable == ["b"] && $0.documents["b"]?.contains("team") == true
        }
        // The other form comes, and this one goes.
        try double.define("projectcalico.org", version: "v3")
        try double.store.set(served + "c", ["spec": [:]])
        try double.store.remove(
            "apis/apiextensions.k8s.io/v1/customresourcedefinitions/globalnetworksets.crd.projectcalico.org")
        await heard.wait("the other form is read") { $0.documents.keys.sorted() == ["c"] }
        #expect(!heard.seen.wasEmptied)
        await heard.end()
        await double.stop()
    }
}

/// Hears what becomes of the documents of a kind.
private final class Heard: Sendable {
    struct Seen {
        var documents: [String: String] = [:]
        var statuses: [InformerStatus] = []
        /// There were documents, and then none.
        var wasEmptied = false
    }

    private let record = Mutex(Seen())
    private let client: KubernetesClient
    private let task = Mutex<Task<Void, Never>?>(nil)

    init(_ double: KubernetesDouble, _ kind: ResourceKind) {
        var patience = KubernetesClient.Patience()
        patience.absence = .milliseconds(100)
        client = KubernetesClient(KubernetesConfiguration(server: double.url), patience: patience)
        let follower = DocumentFollower(kind: kind, client: client) { ClusterDocument.text($0, kind) }
        let work = Task { [weak self] in await follower.run { [weak self] in self?.take($0) } }
        task.withLock { $0 = work }
    }

    func end() async {
        let work = task.withLock { $0 }
        work?.cancel()
        await work?.value
        await client.shutDown()
    }

    var seen: Seen { record.withLock { $0 } }

    private func take(_ change: InformerChange<[UInt8]>) {
        record.withLock { seen in
            let before = seen.documents.count
            switch change {
            case .replaced(let all, let keeping):
                let kept = seen.documents.filter { name, _ in keeping.contains { $0.name == name } }
                seen.documents = Dictionary(all.map { ($0.key.name, String(decoding: $0.value, as: UTF8.self)) }) { $1 }
                    .merging(kept) { $1 }
            case .upserted(let key, let text): seen.documents[key.name] = String(decoding: text, as: UTF8.self)
            case .removed(let key): seen.documents[key.name] = nil
            case .status(let status): seen.statuses.append(status)
            }
            if before > 0, seen.documents.isEmpty { seen.wasEmptied = true }
        }
    }

    func wait(_ comment: String, for condition: (Seen) -> Bool) async {
        for _ in 0..<3000 {
            if condition(seen) { return }
            try? await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("\(comment): not seen; \(seen)")
    }
}

extension InformerStatus {
    fileprivate var isAbsence: Bool { if case .notInstalled = self { true } else { false } }

    fileprivate var unreadable: [String]? {
        if case .unreadable(let objects) = self { objects.keys.map(\.name).sorted() } else { nil }
    }
}

extension KubernetesDouble {
    fileprivate func define(_ group: String, version: String) throws {
        try store.set(
            "apis/apiextensions.k8s.io/v1/customresourcedefinitions/globalnetworksets.\(group)",
            [
                "spec": [
                    "group": .string(group), "scope": "Cluster",
                    "names": ["plural": "globalnetworksets", "kind": "GlobalNetworkSet"],
                    "versions": [["name": .string(version), "served": true, "storage": true]],
                ]
            ])
    }
}
