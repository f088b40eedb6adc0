// SPDX-License-Identifier: Apache-2.0

import EventModel
import FlowAggregation
import NetworkModel

/// Which denials pods are told of by Events, and which are only counted.
///
/// Of each pod one kind of denial is told at a time, that of which there was most since the last one, and of all pods of the
/// node together a few. Every denied packet is in the count of an Event, or in `untold`. Pure; times are since any moment.
struct DenialTally: Sendable {
    /// Packets with these in common are denied alike; a client takes another port for each try.
    struct Kind: Hashable, Sendable {
        var direction: Direction
        var ipProtocol: IPProtocol
        /// Nil: the protocol has none.
        var port: UInt16?
        /// A name where there is one, or else the address.
        var peer: String
        /// The rule, or what the packet was denied for.
        var cause: String

        init(_ flow: Flow) {
            let event = flow.event
            (direction, ipProtocol) = (event.direction, event.ipProtocol)
            port = event.ipProtocol.hasPorts ? event.destinationPort : nil
            peer = flow.peer?.name ?? event.peerAddress.description
            cause = flow.rule?.text ?? event.reason.name
        }
    }

    /// One Event that is to be written.
    struct Notice: Hashable, Sendable {
        /// `<namespace>/<name>`.
        var pod: String
        var kind: Kind
        /// Of a packet of this kind.
        var peerAddress: IPAddress
        /// Packets of this kind that were told of, these included.
        var count: UInt64
        /// Of these, how many are told for the first time.
        var news: UInt64
    }

    private struct Window: Sendable {
        var count: UInt64 = 0
        var told: UInt64 = 0
        var peerAddress: IPAddress
    }

    private struct Pod: Sendable {
        var windows: [Kind: Window] = [:]
        var allowance = EventAllowance(burst: 1, every: DenialTally.podInterval)

        var pending: UInt64 { windows.values.reduce(0) { $0 + $1.count } }

        /// Tells of the kind of which there was most, and begins anew.
        mutating func takeNotice(_ name: String) -> Notice? {
            guard let (kind, most) = windows.max(by: { $0.value.count < $1.value.count }) else { return nil }
            for (other, window) in windows {
                let told = window.told + (other == kind ? window.count : 0)
                // What was never told is forgotten; of what was, the count goes on.
                windows[other] = told > 0 ? Window(told: told, peerAddress: window.peerAddress) : nil
            }
            return Notice(
                pod: name, kind: kind, peerAddress: most.peerAddress, count: most.told + most.count, news: most.count)
        }
    }

    /// Between two Events about a pod.
    static let podInterval: Duration = .seconds(300)
    /// Between two Events of a node, once some were written.
    static let nodeInterval: Duration = .seconds(10)
    static let nodeBurst = 10
    /// Events that all nodes of a cluster write in a second at most, in the long run.
    private static let clusterPerSecond = 50
    private static let podsMax = 1024
    private static let kindsMax = 32

    /// Denied packets that are in no Event and will be in none.
    private(set) var untold: UInt64 = 0
    private var pods: [String: Pod] = [:]
    private var allowance = EventAllowance(burst: nodeBurst, every: nodeInterval)

    /// A packet was denied, or several of a flow.
    mutating func take(_ flow: Flow) {
        let count = UInt64(max(1, flow.event.packets))
        guard let name = flow.endpoint?.name, pods[name] != nil || pods.count < Self.podsMax else {
            return untold += count
        }
        let kind = Kind(flow)
        let known = pods[name]?.windows
        guard known?[kind] != nil || (known?.count ?? 0) < Self.kindsMax else { return untold += count }
        pods[name, default: Pod()].windows[kind, default: Window(peerAddress: flow.event.peerAddress)].count += count
    }

    /// Denied packets of which nothing is known but their number.
    mutating func countUntold(_ packets: UInt64) { untold += packets }

    /// The Events to write now; `fail` takes back those that could not be.
    ///
    /// `nodes`: how many there are in the cluster, which share what its server can take. `isPod`: nobody else has Events.
    mutating func due(nodes: Int, now: Duration, isPod: (String) -> Bool = { _ in true }) -> [Notice] {
        allowance.interval = max(Self.nodeInterval, .milliseconds(1000 * nodes / Self.clusterPerSecond))
        var notices: [Notice] = []
        for name in pods.keys {
            guard var pod = pods[name] else { continue }
            let pending = pod.pending
            guard pending > 0 else {
                if pod.allowance.isFull(now: now) { pods[name] = nil } else { pods[name] = pod }
                continue
            }
            guard isPod(name) else {
                untold += pending
                pods[name] = nil
                continue
            }
            guard pod.allowance.hasAny(now: now), allowance.take(now: now) else {
                pods[name] = pod
                continue
            }
            _ = pod.allowance.take(now: now)
            if let notice = pod.takeNotice(name) {
                notices.append(notice)
                untold += pending - notice.news
            }
            pods[name] = pod
        }
        return notices
    }

    /// It could not be written.
    mutating func fail(_ notice: Notice) { untold += notice.news }
}

extension DenialTally.Notice {
    /// For people.
    var text: String {
        let address = peerAddress.description
        let peer = kind.peer == address ? address : "\(kind.peer) (\(address))"
        let port = kind.port.map { "/\($0)" } ?? ""
        let way = kind.direction == .egress ? "to" : "from"
        return "denied: \(kind.direction) \(kind.ipProtocol)\(port) \(way) \(peer): \(kind.cause)"
    }

    /// The same for the same kind of denial of the same pod.
    func eventName(uid: String) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        let port = kind.port.map(String.init) ?? ""
        for part in [uid, "\(kind.direction)", "\(kind.ipProtocol)", port, kind.peer, kind.cause] {
            for byte in part.utf8 + [0xff] { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        }
        return "\(pod.split(separator: "/").last ?? "pod")".prefix(200) + ".denied.\(String(hash, radix: 16))"
    }
}
