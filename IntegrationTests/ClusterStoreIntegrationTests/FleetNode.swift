// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import ClusterStore
import IdentityModel
import Logging
import NetworkModel
import Synchronization
import TestBed

/// A node of the fleet, as its agent would use the store.
final class FleetNode: Sendable {
    private struct Heard {
        var content = ClusterContent()
        var hasSnapshot = false
        var statuses: [ClusterFeedStatus] = []
        /// When a document came, by name.
        var arrivals: [String: ContinuousClock.Instant] = [:]
        /// Policies that were gone at any time.
        var lostDocuments: Set<String> = []
        /// Workloads that were gone at any time.
        var lost: Set<String> = []
    }

    let cluster: EtcdCluster
    let name: String
    private let heard = Mutex(Heard())
    private let task = Mutex<Task<Void, Never>?>(nil)

    init(_ name: String, _ configuration: EtcdConfiguration) throws {
        self.name = name
        cluster = try EtcdCluster(
            configuration: configuration, node: name, logger: Logger(label: name) { _ in SwiftLogNoOpLogHandler() })
    }

    /// With workloads `shop/w0` and so on.
    static func started(_ name: String, _ configuration: EtcdConfiguration, workloads: Int = 1) throws -> FleetNode {
        let node = try FleetNode(name, configuration)
        node.start()
        node.publish(workloads)
        return node
    }

    func start() {
        let changes = cluster.changes()
        task.withLock { $0 = Task { [weak self] in for await change in changes { self?.take(change) } } }
    }

    /// Falls silent: nothing is taken back from the store.
    func stop() { task.withLock { $0 }?.cancel() }

    deinit { stop() }

    func publish(_ count: Int, app: String = "web") {
        let workloads = (0..<count).map { ("shop/w\($0)", FleetNode.workload(name, $0, app: app)) }
        cluster.publish(workloads: Dictionary(uniqueKeysWithValues: workloads))
    }

    static func workload(_ node: String, _ number: Int, app: String = "web") -> ClusterWorkload {
        ClusterWorkload(
            node: node, labels: LabelSet([Label(source: LabelSource.kubernetes, key: "app", value: app)]),
            addresses: [IPAddress(v4: 0x0a00_0000 + UInt32(number))])
    }

    var content: ClusterContent { heard.withLock { $0.content } }
    var status: ClusterFeedStatus? { heard.withLock { $0.statuses.last } }
    var statuses: [ClusterFeedStatus] { heard.withLock { $0.statuses } }
    var lost: Set<String> { heard.withLock { $0.lost } }
    var lostDocuments: Set<String> { heard.withLock { $0.lostDocuments } }

    func arrival(of document: String) -> ContinuousClock.Instant? { heard.withLock { $0.arrivals[document] } }

    /// Waits for a state of what this node knows.
    func knows(
        _ what: String, within limit: Duration = .seconds(30), _ condition: (ClusterContent) -> Bool
    ) async throws {
        try await eventually("\(name): \(what)", within: limit) { condition(content) }
    }

    /// Waits for a state of the feed.
    func says(
        _ what: String, within limit: Duration = .seconds(30), _ condition: (ClusterFeedStatus) -> Bool
    ) async throws {
        do {
            try await eventually("\(name) says \(what)", within: limit) { status.map(condition) ?? false }
        } catch {
            throw TestBedError("\(error); it says \(String(describing: status))")
        }
    }

    private func take(_ change: ClusterChange) {
        heard.withLock { heard in
            let before = heard.content.workloads.keys
            let documents = heard.content.documents.keys
            defer { heard.lostDocuments.formUnion(documents.filter { heard.content.documents[$0] == nil }) }
            switch change {
            case .snapshot(let content): (heard.content, heard.hasSnapshot) = (content, true)
            case .delta(let delta):
                for name in delta.documents.keys { heard.arrivals[name] = .now }
                heard.content.apply(delta)
                for (name, workload) in delta.workloads where workload == nil { heard.lost.insert(name) }
                return
            case .status(let status):
                heard.statuses.append(status)
                return
            }
            heard.lost.formUnion(before.filter { heard.content.workloads[$0] == nil })
        }
    }
}
