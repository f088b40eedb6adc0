// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI

/// What a sweep needs to know to condemn a flow.
struct SweepCriteria: Sendable {
    /// In jiffies.
    let now: UInt32
    let timeouts: [UInt32]
    /// Numbers of attached endpoints.
    let numbers: Set<UInt16>

    func isOrphaned(_ key: conntrack_key) -> Bool { !numbers.contains(key.endpoint) }

    func isExpired(_ entry: conntrack_entry) -> Bool {
        // Signed: an entry may be younger than `now`.
        let idle = Int64(Int32(bitPattern: now &- entry.last_seen))
        return Int(entry.state) >= timeouts.count || idle > Int64(timeouts[Int(entry.state)])
    }
}

/// The flows that a sweep found to be of no more use.
struct SweepFindings: Sendable {
    var visited = 0
    var expired: [conntrack_key] = []
    var orphaned: [conntrack_key] = []
    /// Flows before the sweep, by the endpoint's number.
    var held: [UInt16: Int] = [:]
    /// Of these, the ones to keep.
    var kept: [UInt16: Int] = [:]
}

extension BPFMap<conntrack_key, conntrack_entry> {
    /// Looks at every flow; takes long when there are many.
    func findSweepable(_ criteria: SweepCriteria) throws(BPFError) -> SweepFindings {
        var findings = SweepFindings()
        try forEach { key, entry in
            findings.visited += 1
            findings.held[key.endpoint, default: 0] += 1
            if criteria.isOrphaned(key) {
                findings.orphaned.append(key)
            } else if criteria.isExpired(entry) {
                findings.expired.append(key)
            } else {
                findings.kept[key.endpoint, default: 0] += 1
            }
        }
        return findings
    }
}

extension DatapathState {
    func sweepCriteria() throws(BPFError) -> SweepCriteria {
        SweepCriteria(now: try clock.now(), timeouts: tables.timeoutTicks, numbers: Set(attached.values.map(\.number)))
    }

    /// Tells the programs, which only count up, how many flows each endpoint holds.
    ///
    /// What they added while we looked is missing until the next sweep.
    func writeHeldFlows(_ findings: SweepFindings) throws(BPFError) {
        for number in Set(attached.values.map(\.number)).union(findings.held.keys) {
            try objects.endpointFlows.update(UInt32(number), to: UInt32(clamping: findings.kept[number] ?? 0))
        }
    }

    /// Removes flows of endpoints that are still not attached.
    func remove(orphaned keys: some Sequence<conntrack_key>) throws(BPFError) {
        let criteria = try sweepCriteria()
        try objects.conntrack.remove(keys.filter(criteria.isOrphaned))
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
