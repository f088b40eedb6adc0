// SPDX-License-Identifier: Apache-2.0

import IdentityAllocation
package import IdentityModel
package import NetworkModel
package import PolicyCompiler
package import PolicyModel
package import PolicyReading
package import TableEncoding

/// The policies of a test are in more tiers than the tables have room for.
package struct TierProblem: Error, CustomStringConvertible {
    package let description: String
}

/// A test's cluster and policies as the agent of one node has them: compiled by the product's own compiler into the
/// product's own tables.
package struct ClusterView {
    /// A workload of this node, or the node itself, as the datapath has it.
    package struct Endpoint: Hashable {
        /// Tells endpoints of one view apart; all workloads of the node's own network are one endpoint.
        package var name: String
        /// Slot in the subject table.
        package var subject: UInt16
        package var identity: NumericIdentity
        package var addresses: [IPAddress]
        package var isHost: Bool
        /// A service of the host, which is judged at its sockets.
        package var isService = false
    }

    /// Workloads have the labels that documents give them.
    package let test: PolicyTest
    /// The labels and port names of the node itself.
    package let host: EndpointGrants.Belongings
    /// Everything in force in the test.
    package let policies: [Policy]
    /// The tiers of the policies.
    package let line: TierLine
    package let node: String
    private var allocator = IdentityAllocator()
    private let hostAddresses: [IPAddress]
    /// The image that the kernel gets; written once, so that `takeWrites` yields all of it.
    package let tables: ShadowTables
    private let rules: [UInt32: RuleDescription]

    /// Throws a `TableError` or `IdentityError` if a test is larger than the tables can ever be.
    init(of written: PolicyTest, policies: [Policy], node: String) throws {
        let grants = EndpointGrants(of: policies, node: node)
        var test = written
        for index in test.workloads.indices where !test.workloads[index].isHostNetwork {
            let given = grants.applied(
                labels: test.workloads[index].labels, ports: test.workloads[index].ports, isHost: false)
            (test.workloads[index].labels, test.workloads[index].ports) = (given.labels, given.ports)
        }
        host = grants.applied(labels: ClusterView.ownHostLabels(node), isHost: true)
        self.test = test
        self.policies = policies
        line = TierLine(of: policies)
        if let problem = line.problem { throw TierProblem(description: problem) }
        self.node = node
        for policy in policies {
            // In order, so that the same policies get the same numbers.
            for use in policy.prefixes.sorted(by: <) {
                try allocator.usePrefix(use.prefix, includesWorkloads: use.includesWorkloads)
            }
            if let group = policy.prefixGroup { allocator.useGroup(group) }
            for name in policy.names.sorted() { try allocator.useName(name) }
        }
        for workload in test.workloads where !workload.isHostNetwork {
            try allocator.setEndpoint(
                workload.key,
                .init(labels: workload.labels, addresses: workload.addresses, namedPorts: workload.ports))
        }
        hostAddresses = try ClusterView.addNodes(of: test, own: node, host, to: &allocator)
        for stage in HostStage.allCases where policies.contains(where: { $0.stages.contains(stage) }) {
            let labels = LabelSet(host.labels.labels + [stage.marker])
            try allocator.setEndpoint(
                ClusterView.name(of: stage), .init(labels: labels, addresses: [], isHost: true))
        }
        _ = try allocator.settle()
        var registry = RuleRegistry()
        var output = RuleCompiler.compile(
            CompileInput(
                subjects: ClusterView.subjects(of: allocator), peers: Array(allocator.records.values),
                policies: policies), registry: &registry)
        output.state.ipcache = allocator.mappings
        tables = try ClusterView.tables(holding: output.state)
        rules = output.state.rules
    }

    private var subjects: [CompileSubject] { ClusterView.subjects(of: allocator) }

    private static func subjects(of allocator: IdentityAllocator) -> [CompileSubject] {
        allocator.subjects.map { slot, key in
            CompileSubject(
                slot: slot, identity: .any, labels: key.labels, isHost: key.isHost, namedPorts: key.namedPorts)
        }
    }

    /// Nil only for a workload that is not of this test.
    package func endpoint(of workload: PolicyTest.Workload) -> Endpoint? {
        let name = ClusterView.name(of: workload)
        return allocator.assignments[name].map { assignment in
            Endpoint(
                name: name, subject: assignment.subject, identity: assignment.identity,
                addresses: workload.isHostNetwork ? hostAddresses : workload.addresses, isHost: workload.isHostNetwork,
                isService: workload.isService)
        }
    }

    /// Slot of the subject that judges there; nil: no policy is about that stage of the node.
    package func subject(of end: ProbeEnd) -> UInt16? {
        guard let stage = end.stage else { return endpoint(of: end.workload)?.subject }
        return subject(of: stage)
    }

    /// Slot of the subject that judges the packets of an end at the host's devices, ahead of flows; nil: nobody does.
    package func untrackedSubject(of end: ProbeEnd) -> UInt16? {
        end.workload.isHostNetwork && end.crossesHostDevice ? subject(of: .untracked) : nil
    }

    private func subject(of stage: HostStage) -> UInt16? {
        allocator.assignments[ClusterView.name(of: stage)]?.subject
    }

    /// The numbers that an address has because of its names.
    package func nameNumbers(of address: IPAddress) -> [NumericIdentity] {
        guard !test.names.isEmpty, !address.isNeverOpenedByName else { return [] }
        let own = test.names.filter { $0.value.contains(address) }.keys
        return allocator.nameNumbers.filter { selector, _ in own.contains(where: selector.matches) }.values.sorted()
    }

    /// What a rule slot stands for; nil for slot 0: no policy selects the endpoint in this direction.
    package func cause(ofRule slot: UInt32) -> RuleDescription? { rules[slot] ?? RuleRegistry.builtins[slot] }

    /// What the tables hold, as lines of text after a legend of their numbers: the same lines for the same cluster and
    /// policies.
    package func lines() -> [String] {
        var state = MapState(ipcache: allocator.mappings, rules: rules)
        for (key, value) in tables.policy.contents() { state.policy[key] = value }
        for slot in tables.subjects.slots { state.subjects[slot] = tables.subjects.state(of: slot) }
        let legend = MapLegend(state).lines(
            subjects: subjects, identities: Array(allocator.records.values), names: NameWording(policies))
        return legend + state.lines()
    }

    private static let hostName = "node"

    /// Behind the node's, whose labels are those of its identity.
    private static func name(of stage: HostStage) -> String { "\(hostName) stage \(stage.rawValue)" }

    /// What runs in the node's network is the node, or with labels of a process a service of it.
    private static func name(of workload: PolicyTest.Workload) -> String {
        guard workload.isHostNetwork else { return workload.key }
        return workload.isService ? "service \(workload.key)" : hostName
    }

    /// Room for nearly every test.
    package static let smallestCapacity = ShadowTables.Capacity(
        policyBuckets: 1024, policyEntries: 32_768, ipcacheChunks: 4)

    /// The own node is the host; what runs in the network of another node is a remote node.
    ///
    /// Returns the own node's addresses.
    private static func addNodes(
        of test: PolicyTest, own node: String, _ host: EndpointGrants.Belongings, to allocator: inout IdentityAllocator
    ) throws -> [IPAddress] {
        let onNodes = test.workloads.filter(\.isHostNetwork)
        let own = Set(onNodes.filter { $0.node == node }.flatMap(\.addresses))
        allocator.setHost(labels: host.labels.labels, addresses: own.sorted())
        try allocator.setEndpoint(
            hostName, .init(labels: host.labels, addresses: [], namedPorts: host.ports, isHost: true))
        for workload in onNodes where workload.node == node && workload.isService {
            let more = LabelSet(host.labels.labels + workload.processLabels)
            try allocator.setEndpoint(
                name(of: workload), .init(labels: more, addresses: [], namedPorts: host.ports, isHost: true))
        }
        let others = Set(onNodes.filter { $0.node != node }.flatMap(\.addresses)).subtracting(own)
        guard !others.isEmpty else { return own.sorted() }
        let remote = LabelSet([Label(source: LabelSource.reserved, key: "remote-node")])
        try allocator.setEndpoint("remote nodes", .init(labels: remote, addresses: others.sorted()))
        return own.sorted()
    }

    private static func ownHostLabels(_ node: String) -> LabelSet {
        let hostname = Label(source: LabelSource.kubernetes, key: "kubernetes.io/hostname", value: node)
        return LabelSet([Label(source: LabelSource.reserved, key: "host")] + (node.isEmpty ? [] : [hostname]))
    }

    /// Tables as large as the state needs: tests are many and small.
    private static func tables(holding state: MapState) throws(TableError) -> ShadowTables {
        var capacity = smallestCapacity
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

extension PolicyTest.Workload {
    /// A service of its node, told apart by its process.
    var isService: Bool { isHostNetwork && !processLabels.isEmpty }

    /// Those that tell processes of the host apart.
    fileprivate var processLabels: [Label] { labels.labels.filter { $0.source == LabelSource.process } }
}
