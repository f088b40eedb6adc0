// SPDX-License-Identifier: Apache-2.0

package import DetectionModel
import NetworkModel

/// A workload whose peers were always the same contacts somebody new.
package struct FirstContact: Detector {
    static let learning = Threshold(
        "learning", 86_400, "seconds", in: 60...1e8, "time for which a workload's peers are learnt without a word")
    static let settled = Threshold(
        "settled", 21_600, "seconds", in: 0...1e8, "time without a new peer after which a workload counts as settled")
    static let peers = Threshold(
        "peers", 64, "peers", in: 1...128, "a workload with more peers is not judged: it talks to everybody")
    static let perHour = Threshold(
        "perHour", 4, "findings", in: 1...1000, "findings of one workload in an hour, at most")
    static let capacity = 2048

    package static let guide = DetectorGuide(
        name: "first-contact", title: "First contact", technique: "T1021", techniqueName: "Remote Services",
        severity: "info outside; low inside; medium inside on a login port",
        about:
            "A workload that has talked to the same peers all the time opens a connection to somebody it never touched before.",
        method: """
            For each workload the set of its peers is learnt: for an inside server address and port, for others the network (/24, \
            /48) and port. For `learning` nothing is said. After that a new peer of a workload that had no new peer for `settled`, and \
            has no more than `peers`, is a first contact. It is learnt at once, so that it is said once.
            """,
        sources: [
            "P. McDaniel et al., Enterprise Security: A Community of Interest Based Approach, NDSS 2006: each host keeps to the peers of a training period",
            "MITRE ATT&CK TA0008, Lateral Movement",
        ],
        thresholds: [learning, settled, peers, perHour],
        evidence: [
            ("known_peers", "peers of the workload so far"), ("learnt_seconds", "time the workload was watched"),
            ("quiet_seconds", "time since its last new peer"),
        ],
        nearMisses: [
            "Crawlers, browsers, resolvers: they are never settled, or have too many peers.",
            "Content networks that change addresses: often the same /24; else never settled.",
            "A new version that needs another service: a first contact, and worth an info.",
        ],
        limits: [
            "What a workload does in its learning time is taken for good.",
            "What a killed agent learnt since it last wrote it down, five minutes at most, it learns anew.",
        ],
        capacity: capacity)

    private struct Peer: Hashable, Sendable {
        var network: IPAddress
        var port: UInt16
    }

    private struct Workload: Remembered {
        var touched: UInt64
        var weight: Double { Double(peers.count) }
        var begin: UInt64
        var peers: [Peer: UInt64] = [:]
        var lastNew: UInt64
        var isOpen = false
        /// Of before the agent's start: how long it was watched, and how long ago the last new peer came.
        var watchedBefore: UInt64 = 0
        var calmBefore: UInt64 = 0
        var hour: UInt64 = 0
        var said = 0
    }

    private let thresholds: Thresholds
    private var workloads = BoundedTable<IPAddress, Workload>(capacity: capacity, lifetime: 30 * 86_400_000_000_000)
    private var announcer = Announcer()

    package init(_ thresholds: Thresholds) { self.thresholds = thresholds }

    package var forgotten: UInt64 { workloads.forgotten &+ announcer.forgotten }

    package mutating func consider(_ activity: Activity) -> [Finding] {
        guard case .pair(let pair) = activity, pair.isClientInside, pair.connections > 0 else { return [] }
        let peer = Peer(network: pair.isServerInside ? pair.server : pair.server.neighborhood, port: pair.port)
        let thresholds = thresholds
        let news = workloads.update(
            pair.client, at: pair.time,
            initial: { Workload(touched: pair.time, begin: pair.time, lastNew: pair.time) },
            { workload -> [Evidence]? in
                workload.touched = pair.time
                guard !workload.isOpen, workload.peers.updateValue(pair.time, forKey: peer) == nil else { return nil }
                return FirstContact.judge(&workload, at: pair.time, thresholds)
            })
        guard let news else { return [] }
        let isLogin = ServicePorts.logins[pair.port] != nil
        var finding = Self.finding(
            pair.time, since: pair.since, pair.isServerInside ? (isLogin ? .medium : .low) : .info,
            "\(pair.client) contacted \(pair.server) port \(pair.port) for the first time.", news)
        (finding.source, finding.target, finding.port) = (pair.client, pair.server, pair.port)
        finding.sourceLength = pair.client.isIPv4 ? 32 : 128
        finding.ipProtocol = pair.ipProtocol
        return announcer.announce(finding, weight: 1)
    }

    package func note(_ learnt: inout LearntState, at time: UInt64) {
        learnt.peers = workloads.latest(LearntState.workloadsMax).map { address, workload in
            LearntState.Peers(
                workload: address, watched: workload.begin.distance(before: time) &+ workload.watchedBefore,
                calm: workload.lastNew.distance(before: time) &+ workload.calmBefore, isOpen: workload.isOpen,
                peers: workload.peers.keys.map { LearntState.Peer(address: $0.network, port: $0.port) }
                    .sorted { ($0.port, $0.address) < ($1.port, $1.address) })
        }
    }

    package mutating func recall(_ learnt: LearntState, at time: UInt64) {
        for known in learnt.peers.reversed() {
            var workload = Workload(touched: time, begin: time, lastNew: time)
            (workload.watchedBefore, workload.calmBefore, workload.isOpen) = (known.watched, known.calm, known.isOpen)
            let room = max(0, Int(thresholds[Self.peers]))
            for peer in known.peers.prefix(room) {
                workload.peers[Peer(network: peer.address, port: peer.port)] = time
            }
            workloads.update(known.workload, at: time, initial: { workload }) { $0 = workload }
        }
    }

    /// What to say of a peer that was just added, or nil.
    private static func judge(_ workload: inout Workload, at time: UInt64, _ thresholds: Thresholds) -> [Evidence]? {
        let quiet = workload.lastNew.distance(before: time) &+ workload.calmBefore
        let watched = workload.begin.distance(before: time) &+ workload.watchedBefore
        (workload.lastNew, workload.calmBefore) = (time, 0)
        guard Double(workload.peers.count) <= thresholds[Self.peers] else {
            // Who has so many is not learnt any further, and gives the memory back.
            workload.isOpen = true
            workload.peers = [:]
            return nil
        }
        guard watched >= thresholds.nanoseconds(Self.learning) else { return nil }
        let hour = time / 3_600_000_000_000
        if workload.hour != hour { (workload.hour, workload.said) = (hour, 0) }
        // The second new peer of an incident comes soon after the first one: it counts as long as the hour has room.
        guard quiet >= thresholds.nanoseconds(Self.settled) || workload.said > 0,
            Double(workload.said) < thresholds[Self.perHour]
        else { return nil }
        workload.said += 1
        return [
            .number("known_peers", workload.peers.count - 1), .number("learnt_seconds", watched / 1_000_000_000),
            .number("quiet_seconds", quiet / 1_000_000_000),
        ]
    }
}
