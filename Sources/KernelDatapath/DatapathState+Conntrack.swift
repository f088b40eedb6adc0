// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI

extension DatapathState {
    /// Removes what is expired (the programs ignore it anyway: this frees room) or nobody's.
    ///
    /// An entry that gets a packet between our look and our deletion was expired to the kernel too.
    func sweepConntrack() throws(BPFError) -> SweepReport {
        let now = try clock.now()
        let timeouts = tables.timeoutTicks
        let numbers = Set(attached.values.map(\.number))
        var report = SweepReport()
        var condemned: [conntrack_key] = []
        try objects.conntrack.forEach { key, entry in
            report.visited += 1
            // Signed: an entry may be younger than `now`.
            let idle = Int64(Int32(bitPattern: now &- entry.last_seen))
            if !numbers.contains(key.endpoint) {
                report.orphaned += 1
            } else if Int(entry.state) >= timeouts.count || idle > Int64(timeouts[Int(entry.state)]) {
                report.expired += 1
            } else {
                return
            }
            condemned.append(key)
        }
        try objects.conntrack.remove(condemned)
        return report
    }

    func conntrackCount() throws(BPFError) -> Int {
        var count = 0
        try objects.conntrack.forEach { _, _ in count += 1 }
        return count
    }

    func conntrackFlows(of endpoint: UInt16?) throws(BPFError) -> [ConntrackFlow] {
        let now = try clock.now()
        var flows: [ConntrackFlow] = []
        try objects.conntrack.forEach { key, entry in
            guard endpoint == nil || key.endpoint == endpoint,
                let flow = ConntrackFlow(key, entry, now: now, ticksPerSecond: clock.ticksPerSecond)
            else { return }
            flows.append(flow)
        }
        return flows
    }
}
