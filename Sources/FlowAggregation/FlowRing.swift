// SPDX-License-Identifier: Apache-2.0

/// The last `capacity` flows, oldest overwritten first.
struct FlowRing: Sendable {
    let capacity: Int
    private var flows: [Flow] = []
    private var next = 0

    /// `capacity` must be positive; memory grows as flows arrive.
    init(capacity: Int) {
        precondition(capacity > 0, "a flow ring holds at least one flow")
        self.capacity = capacity
    }

    var count: Int { flows.count }

    mutating func append(_ flow: Flow) {
        if flows.count < capacity {
            flows.append(flow)
        } else {
            flows[next] = flow
            next = next + 1 == capacity ? 0 : next + 1
        }
    }

    /// The newest `limit` flows that match, oldest first.
    func last(_ limit: Int, matching filter: FlowFilter) -> [Flow] {
        var found: [Flow] = []
        for offset in 0..<flows.count where found.count < limit {
            // `next` is the oldest once the ring is full and 0 before.
            let index = (next + flows.count - 1 - offset) % flows.count
            if filter.matches(flows[index]) { found.append(flows[index]) }
        }
        return found.reversed()
    }
}
