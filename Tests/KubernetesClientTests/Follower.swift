// SPDX-License-Identifier: Apache-2.0

import KubernetesClient
import KubernetesDouble
import Synchronization
import Testing

/// Follows a kind into a store, as an agent would.
final class Follower: Sendable {
    struct Seen: Sendable {
        /// The label `app` of each object.
        var objects: [String: String] = [:]
        var lists = 0
        var statuses: [InformerStatus] = []
    }

    private struct Unreadable: Error, CustomStringConvertible {
        var description: String { "it says that it is unreadable" }
    }

    private let record = Mutex(Seen())
    private let client: KubernetesClient
    private let task = Mutex<Task<Void, Never>?>(nil)

    convenience init(
        _ double: KubernetesDouble, kind: ResourceKind = .pods, tokenFile: String? = nil, namespace: String? = nil,
        fieldSelector: String? = nil, silence: Duration = .seconds(240)
    ) {
        var patience = KubernetesClient.Patience()
        patience.silence = silence
        patience.absence = .milliseconds(100)
        let client = KubernetesClient(
            KubernetesConfiguration(server: double.url, token: tokenFile.map { .file($0) }), patience: patience)
        self.init(client: client, kind: kind, namespace: namespace, fieldSelector: fieldSelector)
    }

    init(client: KubernetesClient, kind: ResourceKind, namespace: String? = nil, fieldSelector: String? = nil) {
        self.client = client
        let informer = Informer(kind, client, namespace: namespace, fieldSelector: fieldSelector) { object in
            guard object.meta.labels?["unreadable"] == nil else { throw Unreadable() }
            return object.meta.labels?["app"] ?? ""
        }
        let work = Task { [weak self] in
            for await change in informer.changes() { self?.take(change) }
        }
        task.withLock { $0 = work }
    }

    func end() async {
        let work = task.withLock { $0 }
        work?.cancel()
        await work?.value
        await client.shutDown()
    }

    var seen: Seen { record.withLock { $0 } }

    private func take(_ change: InformerChange<String>) {
        record.withLock { seen in
            switch change {
            case .replaced(let all, let keeping):
                seen.lists += 1
                let kept = seen.objects.filter { key, _ in keeping.contains { $0.description == key } }
                seen.objects = Dictionary(all.map { ($0.key.description, $0.value) }) { $1 }.merging(kept) { $1 }
            case .upserted(let key, let app): seen.objects[key.description] = app
            case .removed(let key): seen.objects[key.description] = nil
            case .status(let status): seen.statuses.append(status)
            }
        }
    }

    /// Waits until what was seen is as it should be.
    func wait(
        _ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation, for condition: (Seen) -> Bool
    ) async {
        for _ in 0..<9000 {
            if condition(seen) { return }
            try? await Task.sleep(for: .milliseconds(10))
        }
        let seen = seen
        Issue.record(
            "\(comment?.description ?? "") not seen; seen: \(seen.objects.count) objects, \(seen.lists) lists, \(seen.statuses)",
            sourceLocation: sourceLocation)
    }
}

extension KubernetesDouble {
    /// One whose bookmarks come often, so that tests need not wait for them.
    static func startForFollowers() async throws -> KubernetesDouble {
        var options = DoubleOptions()
        options.bookmarkMilliseconds = 200
        return try await start(options)
    }

    func setPod(
        _ name: String, _ app: String, labels: [String: String] = [:], node: String = "n1", padding: Int = 0
    ) throws {
        var object: JSON = [
            "metadata": ["labels": JSON(labels.merging(["app": app]) { $1 })], "spec": ["nodeName": .string(node)],
        ]
        if padding > 0 { object["padding"] = .string(String(repeating: "x", count: padding)) }
        try store.set("api/v1/namespaces/shop/pods/\(name)", object)
    }

    func removePod(_ name: String) { store.remove(.pods, namespace: "shop", name: name) }

    /// Lists that were asked for: those that are no watches.
    var listRequests: Int { counters.requests(.list).count }
}
