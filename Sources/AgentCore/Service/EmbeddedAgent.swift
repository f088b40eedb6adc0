// SPDX-License-Identifier: Apache-2.0

import FlowAggregation
import IdentityAllocation
package import KernelDatapath
package import LinuxHost
import Logging

/// The agent without sources and API: whoever owns it says what they would say.
///
/// For measurements.
package struct EmbeddedAgent: Sendable {
    /// How much is in force.
    package struct Size: Sendable {
        package var identities: Int
        package var mappings: Int
        package var policyEntries: Int
        /// Of the tables: moves with each commit.
        package var generation: UInt32
    }

    private let state: AgentState
    private let datapath: any DatapathWriting

    /// Reads the state directory; nothing is in force yet.
    package init(configuration: AgentConfiguration, datapath: any DatapathWriting) throws {
        var logger = Logger(label: "embedded")
        logger.logLevel = .critical
        self.datapath = datapath
        state = try AgentState(
            configuration: configuration, datapath: datapath,
            aggregator: FlowAggregator(capacity: configuration.flowCapacity), logger: logger)
    }

    /// Brings the policies found and these workloads of other hosts into force, then what `source` names.
    package func start(source: String, workloads: [Workload], remotes: RemoteDelta) async {
        await state.expect(sources: [source])
        await state.adopt(remotes: remotes)
        await update(source: source, workloads: workloads)
    }

    /// These are the workloads of this host.
    package func update(source: String, workloads: [Workload]) async {
        await state.update(source: source, workloads: workloads, state: "watching", location: "")
    }

    /// Some workloads of other hosts are others now.
    package func update(remotes: RemoteDelta) async { await state.update(remotes: remotes) }

    /// Files of the policy directory are others now.
    package func update(policyDirectory change: DirectoryChange) async {
        await state.update(policyDirectory: change)
    }

    package func size() async -> Size {
        let status = datapath.status()
        let (identities, mappings) = await state.sizes
        return Size(
            identities: identities, mappings: mappings, policyEntries: status.policyEntryCount,
            generation: status.generation)
    }

    /// What is not in force, and why.
    package func problems() async -> [String] { await state.problemTexts }
}

extension AgentState {
    fileprivate var sizes: (identities: Int, mappings: Int) {
        (engine.allocator.records.count, engine.allocator.mappings.count)
    }

    fileprivate var problemTexts: [String] {
        problems.values.map(\.message).sorted() + directory.problems.values.sorted()
    }
}
