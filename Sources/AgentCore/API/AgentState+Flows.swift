// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import FlowAggregation

extension AgentState {
    func flows(_ query: FlowQuery) async throws(APIError) -> AsyncStream<[UInt8]> {
        let filter = try FlowFilter(query)
        let last = min(query.last ?? 20, configuration.flowCapacity)
        let aggregator = self.aggregator
        guard query.follow else {
            let flows = aggregator.last(last, matching: filter)
            return AsyncStream { continuation in
                for flow in flows { continuation.yield(FlowLines.line(FlowRecord(flow))) }
                continuation.finish()
            }
        }
        return FlowLines.follow(aggregator.follow(last: last, matching: filter))
    }
}

/// Flows as lines of NDJSON.
enum FlowLines {
    /// Lines that wait for a reader; beyond them flows are lost to this reader, and counted.
    private static let waitingLinesMax = 1024

    static func line(_ value: some Encodable) -> [UInt8] {
        ((try? APICoding.encode(value)) ?? Array("{}".utf8)) + [0x0a]
    }

    /// Each new flow as a line, and a line with the number of flows lost whenever that has grown.
    static func follow(_ follower: FlowFollower) -> AsyncStream<[UInt8]> {
        let (stream, continuation) = AsyncStream<[UInt8]>.makeStream(bufferingPolicy: .bufferingOldest(waitingLinesMax))
        let task = Task {
            var unsent: UInt64 = 0
            var reported: UInt64 = 0
            for await flow in follower.flows {
                let lost = follower.lost + unsent
                if lost > reported, case .enqueued = continuation.yield(line(FlowLoss(lost: lost))) { reported = lost }
                if case .dropped = continuation.yield(line(FlowRecord(flow))) { unsent += 1 }
            }
            continuation.finish()
        }
        continuation.onTermination = { _ in
            task.cancel()
            follower.cancel()
        }
        return stream
    }
}
