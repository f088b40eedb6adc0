// SPDX-License-Identifier: Apache-2.0

import ContainerRuntimes
import IdentityAllocation
import IdentityModel
import NetworkModel
import PolicyModel
import PolicyOracle
import TableEncoding
import Testing

@testable import AgentCore

/// A node that reads slices judges every packet as one that reads every pod.
@Suite struct SliceVerdictTests {
    @Test(arguments: 1...16) func `slices and pods lead to the same verdicts`(seed: UInt64) async throws {
        let scratch = try Scratch()
        var modes = TwoModes(seed: seed)
        let whole = try await Self.agent("\(scratch.path)/whole")
        let sliced = try await Self.agent("\(scratch.path)/sliced")
        var seen: Set<String> = []
        for round in 0..<6 {
            for _ in 0..<12 {
                try modes.goOn()
                try #require(modes.strangers.isEmpty, "seed \(seed), round \(round): \(modes.strangers)")
                // Agents take over what has come in whenever they find the time.
                if modes.cluster.draw.chance(30) { await whole.take(&modes.whole) }
                if modes.cluster.draw.chance(30) { await sliced.take(&modes.sliced) }
            }
            try #require(try modes.settle(), "seed \(seed), round \(round): the writer does not come to an end")
            await whole.take(&modes.whole)
            await sliced.take(&modes.sliced)
            let expected = try await whole.verdicts()
            let found = try await sliced.verdicts()
            seen.formUnion(expected.values)
            let others = expected.keys.filter { found[$0] != expected[$0] }.sorted().prefix(5).map {
                "\($0): pods say \(expected[$0] ?? ""), slices say \(found[$0] ?? "nothing")"
            }
            try #require(others.isEmpty && found.count == expected.count, "seed \(seed), round \(round): \(others)")
        }
        #expect(seen.count > 1, "nobody was kept out")
    }

    private static func agent(_ path: String) async throws -> AgentState {
        let state = try await AgentState.adopted(in: path) { $0.nodeName = RandomPods.node }
        await state.join(PodSource.name, remembered: nil)
        return state
    }
}

extension AgentState {
    /// Takes over what has come in of the cluster, and the pods of this node.
    fileprivate func take(_ reader: inout TwoModes.Reader) {
        update(cluster: reader.letters)
        reader.letters = ClusterMailbox.Letters()
        guard let records = reader.assembly.takeRecords() else { return }
        let workloads = records.values.filter { !$0.isHostNetwork }.sorted { $0.uid < $1.uid }.map { record in
            let ports = record.namedPorts.map { port in
                (IdentityModel.NamedPort(proto: port.transport, name: port.name), Set([port.port]))
            }
            return Workload(
                key: "pod:\(record.uid)", name: record.name, source: "test",
                labels: LabelFilter().identityLabels(of: record.labels), addresses: Set(record.addresses),
                interfaces: [], namedPorts: NamedPorts(Dictionary(ports) { $0.union($1) }))
        }
        update(source: "test", workloads: workloads, state: "ok", location: "")
    }

    /// What the tables say of every pair of one of this node's pods and any address, by direction and port.
    fileprivate func verdicts() throws -> [String: String] {
        let tables = ShadowTables(capacity: .init(policyBuckets: 16_384, policyEntries: 65_536, ipcacheChunks: 4))
        try tables.rebuild(engine.completeState())
        let outsiders = ["192.0.2.7", "10.1.0.200", "198.51.100.1", "2001:db8::7", "fd00:1::c8", "192.0.2.1"]
        let addresses = RandomPods.addresses + outsiders.compactMap { IPAddress($0) }
        let probes: [(proto: IPProtocol, port: UInt16)] = [
            (.tcp, 80), (.tcp, 8080), (.tcp, 443), (.udp, 53), (.sctp, 80), (.icmp, 8 << 8),
        ]
        var verdicts: [String: String] = [:]
        for workload in engine.input.workloads.values {
            let subject = try #require(engine.allocator.assignments[workload.key]?.subject)
            for address in addresses {
                for direction in Direction.allCases {
                    for (proto, port) in probes {
                        let decision = tables.decide(
                            subject: subject, peer: address, direction: direction, proto: proto, port: port)
                        verdicts["\(workload.key) \(direction) \(address) \(proto)/\(port)"] =
                            decision?.verdict.rawValue
                    }
                }
            }
        }
        return verdicts
    }
}
