// SPDX-License-Identifier: Apache-2.0

import CDatapathABI
import IdentityModel
import NetworkModel
import PolicyCompiler
import PolicyModel

/// The map state that contenders of ours load: the client may reach the server, beside many other permissions.
///
/// Permissions are of three shapes (a peer and a port, a peer and all ports, any peer and a port), so that a first
/// packet pays as many probes as a real installation makes it pay.
struct BenchState {
    static let clientIdentity: UInt32 = 1001
    static let serverIdentity: UInt32 = 1002
    static let clientSubject: UInt16 = 1
    static let serverSubject: UInt16 = 2
    static let clientIPv6 = IPAddress(high: 0xfdbb_0013_0000_0000, low: 0x0102)
    static let serverIPv6 = IPAddress(high: 0xfdbb_0013_0000_0001, low: 0x0202)

    private(set) var state = MapState()

    /// So many policy entries and, of each family, so many ipcache entries.
    init(policyEntries: Int, ipcacheEntries: Int) {
        addSubjects()
        addNeeded()
        addFiller(policyEntries: policyEntries)
        addAddresses(ipcacheEntries)
    }

    static func workloads(client: UInt32, server: UInt32) -> [DatapathFixture.Workload] {
        [
            DatapathFixture.Workload(
                interface: client, number: 1, subject: clientSubject, identity: clientIdentity,
                addresses: [IPAddress(v4: 0x0adb_0102), clientIPv6]),
            DatapathFixture.Workload(
                interface: server, number: 2, subject: serverSubject, identity: serverIdentity,
                addresses: [IPAddress(v4: 0x0adb_0202), serverIPv6]),
        ]
    }

    private mutating func addSubjects() {
        let exactPort: UInt32 = 1 << 16, everyPort: UInt32 = 1 << 0
        for subject in [Self.clientSubject, Self.serverSubject] {
            state.subjects[subject] = SubjectState(
                defaultDeny: [true, true], defaultDenyAll: [true, true],
                probeMask: [[exactPort | everyPort, exactPort], [exactPort | everyPort, exactPort]],
                defaultDenyRule: [20, 21])
        }
    }

    /// What lets the measured flows pass, at both ends.
    private mutating func addNeeded() {
        let ports = RuleSet.generatedPorts.map { (UInt8(17), $0) } + [(UInt8(6), RuleSet.probePort)]
        for (proto, port) in ports {
            add(subject: Self.clientSubject, peer: Self.serverIdentity, .egress, proto, port, length: 16)
            add(subject: Self.serverSubject, peer: Self.clientIdentity, .ingress, proto, port, length: 16)
        }
    }

    private mutating func addFiller(policyEntries: Int) {
        var index = 0
        while state.policy.count < policyEntries {
            let subject = index & 1 == 0 ? Self.clientSubject : Self.serverSubject
            let direction: Direction = index & 2 == 0 ? .egress : .ingress
            let peer = UInt32(2000 + index % 50_000), port = UInt16(1 + index / 50_000 + index % 6000)
            switch index % 16 {
            case 14: add(subject: subject, peer: peer, direction, 6, 0, length: 0)
            case 15: add(subject: subject, peer: 0, direction, 6, 10_000 + UInt16(index % 50_000), length: 16)
            default: add(subject: subject, peer: peer, direction, 6, port, length: 16)
            }
            index += 1
        }
    }

    private mutating func addAddresses(_ count: Int) {
        for workload in Self.workloads(client: 1, server: 2) {
            for address in workload.addresses {
                state.ipcache[CIDR(host: address)] = NumericIdentity(rawValue: workload.identity)
            }
        }
        for index in 0..<count {
            let identity = NumericIdentity(rawValue: UInt32(2000 + index % 50_000))
            state.ipcache[CIDR(host: IPAddress(v4: RuleSet.fillerAddress(index)))] = identity
            let low = UInt64(index) &* 0x9e37_79b9_7f4a_7c15
            let address = IPAddress(high: 0xfdbb_0013_0001_0000 | UInt64(index % 256), low: low)
            state.ipcache[CIDR(host: address)] = identity
        }
    }

    private mutating func add(
        subject: UInt16, peer: UInt32, _ direction: Direction, _ proto: UInt8, _ port: UInt16, length: UInt8
    ) {
        let key = PolicyKey(
            peer: NumericIdentity(rawValue: peer), subject: subject, port: port, proto: proto, direction: direction,
            prefixLength: length)
        let verdict = PolicyVerdict(precedence: 0xff80, rule: UInt32(32 + state.policy.count % 4096))
        state.policy[key] = PolicyValue(enforced: verdict, all: verdict)
    }
}
