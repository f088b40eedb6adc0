// SPDX-License-Identifier: Apache-2.0

import BPFRuntime
import CDatapathABI

/// Ours: client and server are endpoints, each judged by both programs on the router's side of its link.
///
/// A reader drains the events, on the other CPU, as the agent would.
final class BulkheadContender: Contender {
    let name: String
    private let topology: Topology
    private let state: BenchState
    private let links: [UInt32]
    private let flows: Int
    private var inForce: InForce?

    /// `onlyClient`: the server is somewhere else, so that one endpoint's programs judge each packet.
    init(topology: Topology, rules: RuleSet, onlyClient: Bool = false, flows: Int = 524_288) {
        self.topology = topology
        links = onlyClient ? [topology.clientLink] : [topology.clientLink, topology.serverLink]
        self.flows = flows
        state = BenchState(policyEntries: rules.count, ipcacheEntries: rules.count)
        name = "bulkhead \(rules.count)\(onlyClient ? ", one endpoint" : "")"
    }

    func load() throws {
        let topology = topology, links = links
        let workloads = BenchState.workloads(client: topology.clientLink, server: topology.serverLink)
        let fixture = try DatapathFixture(state: state.state, workloads: workloads, flows: flows)
        let attachments = try BenchThread.run(in: .named(topology.router)) {
            try links.flatMap { link in
                [
                    try Attachment(fixture.fromEndpoint, to: link, at: .ingress),
                    try Attachment(fixture.toEndpoint, to: link, at: .egress),
                ]
            }
        }
        // The reader's thread inherits the CPU of the thread that starts it.
        let reader = try BenchThread.run(cpu: BenchThread.helperCPU) {
            try RingBufferReader(
                fixture.events, handler: RingBufferHandler(record: { _ in }, batchEnd: { _ in })
            )
        }
        inForce = InForce(fixture: fixture, attachments: attachments, reader: reader)
    }

    func changeOne() {}

    func clear() {
        inForce?.reader.stop()
        inForce = nil
    }

    /// Drops so far, for telling why a measurement failed.
    private final class InForce {
        let fixture: DatapathFixture
        let attachments: [Attachment]
        let reader: RingBufferReader

        init(fixture: DatapathFixture, attachments: [Attachment], reader: RingBufferReader) {
            self.fixture = fixture
            self.attachments = attachments
            self.reader = reader
        }
    }
}
