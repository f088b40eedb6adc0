// SPDX-License-Identifier: Apache-2.0

import IdentityAllocation
import IdentityModel
import NetworkModel
import PolicyCompiler
import PolicyModel
import PolicyReading
import TableEncoding

/// A test's cluster and policies as the agent of one node has them: compiled by the product's own compiler into the
/// product's own tables, and looked up there with the probes the kernel makes.
struct ClusterView {
    private var allocator = IdentityAllocator()
    private let tables: ShadowTables
    private let rules: [UInt32: RuleDescription]

    /// Throws a `TableError` or `IdentityError` if a test is larger than the tables can ever be.
    init(of test: PolicyTest, policies: [Policy], node: String) throws {
        for policy in policies {
            for use in policy.prefixes {
                try allocator.usePrefix(use.prefix, includesWorkloads: use.includesWorkloads)
            }
        }
        for workload in test.workloads where !workload.isHostNetwork {
            try allocator.setEndpoint(
                workload.key,
                .init(labels: workload.labels, addresses: workload.addresses, namedPorts: workload.ports))
        }
        try ClusterView.addNodes(of: test, own: node, to: &allocator)
        _ = try allocator.settle()
        var registry = RuleRegistry()
        var output = RuleCompiler.compile(
            CompileInput(
                subjects: allocator.subjects.map { slot, key in
                    CompileSubject(
                        slot: slot, identity: .any, labels: key.labels, isHost: key.isHost, namedPorts: key.namedPorts)
                },
                peers: Array(allocator.records.values), policies: policies), registry: &registry)
        output.state.ipcache = allocator.mappings
        tables = try ClusterView.tables(holding: output.state)
        rules = output.state.rules
    }

    /// What an end's policies say about its peer.
    func judge(
        _ workload: PolicyTest.Workload, peer: IPAddress, _ direction: Direction, proto: IPProtocol, port: UInt16
    ) -> ProbeOutcome.Side {
        let name = workload.isHostNetwork ? ClusterView.hostName : workload.key
        // Slots are given to every workload in `init`; an open verdict would hide a mistake there.
        guard let subject = allocator.assignments[name]?.subject,
            let decision = tables.decide(
                subject: subject, peer: peer, direction: direction, proto: proto,
                port: proto.hasPorts || proto == .icmp || proto == .icmpv6 ? port : nil)
        else { return .init(direction: direction, verdict: .deny, cause: .builtin("unknown subject")) }
        let verdict: PolicyTest.Expectation =
            switch decision.verdict {
            case .allow: .allow
            case .deny: .deny
            case .audit: .audit
            }
        return .init(direction: direction, verdict: verdict, cause: rules[decision.rule])
    }

    private static let hostName = "node"

    /// The own node is the host; what runs in the network of another node is a remote node.
    private static func addNodes(
        of test: PolicyTest, own node: String, to allocator: inout IdentityAllocator
    ) throws {
        let onNodes = test.workloads.filter(\.isHostNetwork)
        let own = Set(onNodes.filter { $0.node == node }.flatMap(\.addresses))
        let hostname = Label(source: LabelSource.kubernetes, key: "kubernetes.io/hostname", value: node)
        let labels = [Label(source: LabelSource.reserved, key: "host")] + (node.isEmpty ? [] : [hostname])
        allocator.setHost(labels: labels, addresses: own.sorted())
        try allocator.setEndpoint(hostName, .init(labels: LabelSet(labels), addresses: [], isHost: true))
        let others = Set(onNodes.filter { $0.node != node }.flatMap(\.addresses)).subtracting(own)
        guard !others.isEmpty else { return }
        let remote = LabelSet([Label(source: LabelSource.reserved, key: "remote-node")])
        try allocator.setEndpoint("remote nodes", .init(labels: remote, addresses: others.sorted()))
    }

    /// Tables as large as the state needs: tests are many and small.
    private static func tables(holding state: MapState) throws(TableError) -> ShadowTables {
        var capacity = ShadowTables.Capacity(policyBuckets: 1024, policyEntries: 32_768, ipcacheChunks: 4)
        while true {
            let tables = ShadowTables(capacity: capacity)
            do {
                try tables.rebuild(state)
                return tables
            } catch {
                guard capacity.policyEntries < 1 << 23 else { throw error }
                capacity.policyBuckets *= 4
                capacity.policyEntries *= 4
                capacity.ipcacheChunks *= 4
            }
        }
    }
}
