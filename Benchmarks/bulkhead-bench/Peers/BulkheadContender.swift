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
    private let flows: Int
    private var inForce: InForce?

    init(topology: Topology, rules: RuleSet, flows: Int = 524_288) {
        self.topology = topology
        self.flows = flows
        state = BenchState(policyEntries: rules.count, ipcacheEntries: rules.count)
        name = "bulkhead \(rules.count)"
    }

    func load() throws {
        let topology = topology
        let workloads = BenchState.workloads(client: topology.clientLink, server: topology.serverLink)
        let fixture = try DatapathFixture(state: state.state, workloads: workloads, flows: flows)
        inForce = try BenchThread.run(in: .named(topology.router)) {
            let attachments = try [topology.clientLink, topology.serverLink].flatMap { link in
                [
                    try Attachment(fixture.fromEndpoint, to: link, at: .ingress),
                    try Attachment(fixture.toEndpoint, to: link, at: .egress),
                ]
            }
            let reader = try RingBufferReader(
                fixture.events, name: "events_ringbuf", handler: RingBufferHandler(record: { _ in }, batchEnd: { _ in })
            )
            return InForce(fixture: fixture, attachments: attachments, reader: reader)
        }
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
