// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import ClusterSchema
import Logging
import TestBed
import Testing

@testable import ClusterStore

/// Figures of a fleet at one store; each is printed.
@Suite(.serialized) struct FleetScaleTests {
    private static let nodes = 50
    /// Those of them that read too: each reads all, and elsewhere has a machine of its own for it.
    private static let readers = 10
    private static let workloads = 100
    private static let policies = 100

    private func configuration(_ etcd: TestEtcd, _ name: String) throws -> EtcdConfiguration {
        var configuration = try etcd.configuration("instance-\(name)")
        configuration.leaseTime = .seconds(60)
        configuration.requestTimeout = .seconds(20)
        configuration.silenceLimit = .seconds(60)
        return configuration
    }

    @Test(.timeLimit(.minutes(4))) func `50 nodes with 100 workloads each register at once`() async throws {
        try await withTestBed(subnet: subnet) { bed in
            let etcd = try await TestEtcd(bed, members: 3)
            let all = Self.nodes * Self.workloads
            let begin = ContinuousClock.now
            let readers = try (0..<Self.readers).map {
                try FleetNode.started("r\($0)", configuration(etcd, "r\($0)"), workloads: Self.workloads)
            }
            let writers = try (Self.readers..<Self.nodes).map {
                try WritingNode("w\($0)", configuration(etcd, "w\($0)"), workloads: Self.workloads)
            }
            for reader in readers {
                try await reader.knows("all workloads", within: .seconds(60)) { $0.workloads.count == all }
            }
            let time = ContinuousClock.now - begin
            for writer in writers { writer.stop() }
            print("\(Self.nodes) nodes x \(Self.workloads) workloads: \(Self.readers) readers know all after \(time)")
            print("the store then: \(try await etcd.control("endpoint", "status").checked().text)")
            #expect(time < .seconds(10))
            try await spread(readers)
        }
    }

    /// From the call that applies a policy until each node is told.
    private func spread(_ nodes: [FleetNode]) async throws {
        var times: [Duration] = []
        for number in 0..<Self.policies {
            let name = "networkpolicies/shop/p\(number)"
            let start = ContinuousClock.now
            try await nodes[number % nodes.count].cluster.apply(documents: [name: Array("p".utf8)], author: "test")
            for node in nodes { try await eventually("it arrives") { node.arrival(of: name) != nil } }
            times += nodes.compactMap { $0.arrival(of: name).map { $0 - start } }
        }
        times.sort()
        let (median, p99) = (times[times.count / 2], times[times.count * 99 / 100])
        print("a policy to \(nodes.count) nodes: median \(median), p99 \(p99)")
        #expect(times.count == Self.policies * nodes.count)
        #expect(p99 < .milliseconds(200))
    }
}

/// A node that registers and publishes, and does not read what others do.
private final class WritingNode: Sendable {
    private let task: Task<Void, Never>

    init(_ name: String, _ configuration: EtcdConfiguration, workloads: Int) throws {
        let layout = StoreLayout(prefix: configuration.prefix)
        let logger = Logger(label: name) { _ in SwiftLogNoOpLogHandler() }
        let desk = try PublicationDesk(layout: layout, node: name)
        let all = (0..<workloads).map { ("shop/w\($0)", FleetNode.workload(name, $0)) }
        _ = desk.tell(Dictionary(uniqueKeysWithValues: all))
        let registrar = Registrar(
            client: try EtcdClient(configuration, logger: logger), configuration: configuration, node: name,
            key: layout.text(.node(name)) ?? "", desk: desk, board: StatusBoard { _ in }, logger: logger)
        task = Task { await registrar.run() }
    }

    func stop() { task.cancel() }
}
