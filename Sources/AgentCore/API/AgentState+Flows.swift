// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import FlowAggregation

extension AgentState {
    func flows(_ query: FlowQuery) async throws(APIError) -> AsyncStream<[UInt8]> {
        let filter = try FlowFilter(query)
        let last = min(query.last ?? 20, configuration.flowCapacity)
        let lines = FlowLines(cache: nameCache, filter: try NameFilter(query))
        // Names are looked up when a flow is shown: which are the last can only be said then.
        let looked = lines.filter.isEmpty || last == 0 ? last : configuration.flowCapacity
        guard query.follow else { return lines.lines(aggregator.last(looked, matching: filter), last: last) }
        return lines.follow(aggregator.follow(last: last, matching: filter))
    }
}
