// SPDX-License-Identifier: Apache-2.0

/// A running subscription to flows.
package struct FlowFollower: Sendable {
    /// The matching flows in order.
    package let flows: AsyncStream<Flow>
    private let id: Int
    private let aggregator: FlowAggregator

    init(flows: AsyncStream<Flow>, id: Int, aggregator: FlowAggregator) {
        self.flows = flows
        self.id = id
        self.aggregator = aggregator
    }

    /// Flows not delivered because this follower was too slow.
    package var lost: UInt64 { aggregator.lost(id) }

    /// Ends the stream.
    package func cancel() { aggregator.endFollowing(id) }
}
