// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import NetworkModel

extension IPAddress {
    /// As the kernel's tables have it.
    var kernelAddress: ip_address { ip_address(bytes: networkBytes) }

    /// Membership of this address in an endpoint.
    func endpointKey(_ endpoint: UInt16) -> endpoint_address_key {
        endpoint_address_key(address: kernelAddress, endpoint: UInt32(endpoint))
    }
}

/// What tests look at of a conntrack entry.
struct TrackedFlow: Sendable {
    var entry: conntrack_entry
    var state: Int { Int(entry.state) }
    var isOpenedByPeer: Bool { has(CONNTRACK_OPENED_INGRESS) }
    var isDenied: Bool { has(CONNTRACK_DENIED) }
    var isAudited: Bool { has(CONNTRACK_AUDITED) }

    func has(_ flag: Int) -> Bool { Int(entry.flags) & flag != 0 }
}

extension Fixture {
    /// Every tracked flow.
    func flows() throws -> [TrackedFlow] {
        var flows: [TrackedFlow] = []
        maps.conntrack.forEach { _, entry in flows.append(TrackedFlow(entry: entry)) }
        return flows
    }

    /// The only tracked flow; nil if there is none or more than one.
    func onlyFlow() throws -> TrackedFlow? {
        let all = try flows()
        return all.count == 1 ? all[0] : nil
    }

    /// The state of the only flow, or -1.
    func state() throws -> Int { try onlyFlow()?.state ?? -1 }

    /// Lets every flow look as if its last packet had come so many ticks earlier.
    func age(byTicks ticks: UInt32) throws {
        maps.conntrack.updateEach { entry in
            entry.last_seen &-= ticks
            entry.last_report &-= ticks
        }
    }

    /// The same for fragments.
    func ageFragments(byTicks ticks: UInt32) throws {
        var found: [(fragment_key, fragment_entry)] = []
        try maps.fragments.forEach { found.append(($0, $1)) }
        for (key, entry) in found {
            var older = entry
            older.last_seen &-= ticks
            try maps.fragments.update(key, to: older)
        }
    }

    func forgetFlows() throws {
        maps.conntrack.remove(whileNothingRuns: true) { _, _ in true }
    }
}

/// Two ends of a flow as the endpoint sees them.
struct Talk: Sendable {
    var family: Family
    var local: IPAddress
    var remote: IPAddress
    var localPort: UInt16
    var remotePort: UInt16

    /// The endpoint is the client of a peer's server.
    static func client(_ family: Family, of remote: IPAddress? = nil, port: UInt16 = 443) -> Talk {
        Talk(
            family: family, local: family.own, remote: remote ?? family.peer, localPort: 40000, remotePort: port)
    }

    /// A peer is the client of the endpoint's server.
    static func server(_ family: Family, of remote: IPAddress? = nil, port: UInt16 = 80) -> Talk {
        Talk(
            family: family, local: family.own, remote: remote ?? family.peer, localPort: port, remotePort: 50000)
    }

    private func ip(_ direction: Direction) -> Packet {
        direction == .egress ? .ip(local, to: remote) : .ip(remote, to: local)
    }

    private func ports(_ direction: Direction) -> (UInt16, UInt16) {
        direction == .egress ? (localPort, remotePort) : (remotePort, localPort)
    }

    func tcp(_ direction: Direction, _ flags: TCPFlags, payload: Int = 0) -> Packet {
        let (from, to) = ports(direction)
        return ip(direction).tcp(from, to, flags, payload: payload)
    }

    func udp(_ direction: Direction, payload: Int = 8) -> Packet {
        let (from, to) = ports(direction)
        return ip(direction).udp(from, to, payload: payload)
    }

    func sctp(_ direction: Direction, _ chunk: SCTPChunk) -> Packet {
        let (from, to) = ports(direction)
        return ip(direction).sctp(from, to, chunk)
    }

    func echoRequest(_ direction: Direction, id: UInt16 = 77) -> Packet { ip(direction).echoRequest(id) }
    func echoReply(_ direction: Direction, id: UInt16 = 77) -> Packet { ip(direction).echoReply(id) }
}

extension Fixture {
    /// A TCP segment of a talk through the workload's hook of its direction.
    @discardableResult
    func tcp(_ talk: Talk, _ direction: Direction, _ flags: TCPFlags, payload: Int = 0) throws -> Outcome {
        try send(talk.tcp(direction, flags, payload: payload), Hook(direction))
    }

    @discardableResult
    func udp(_ talk: Talk, _ direction: Direction) throws -> Outcome { try send(talk.udp(direction), Hook(direction)) }

    @discardableResult
    func sctp(_ talk: Talk, _ direction: Direction, _ chunk: SCTPChunk) throws -> Outcome {
        try send(talk.sctp(direction, chunk), Hook(direction))
    }

    /// SYN, SYN+ACK, ACK.
    func establish(_ talk: Talk, openedBy direction: Direction) throws {
        try tcp(talk, direction, .syn)
        try tcp(talk, direction.opposite, .synAck)
        try tcp(talk, direction, .ack)
    }
}
