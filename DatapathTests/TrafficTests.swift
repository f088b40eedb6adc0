// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import EventModel
import IdentityModel
import NetworkModel
import PolicyCompiler
import Synchronization
import Testing

/// A policy that can be told from every other by any part of an event.
private struct Signature {
    var generation: UInt32
    var isOpen: Bool { generation % 2 == 0 }
    var rule: UInt32 { 20 + generation % 8 }
    var peer: NumericIdentity { NumericIdentity(rawValue: 3000 + generation % 8) }

    var state: MapState {
        let policy =
            isOpen
            ? TestPolicy().allow(.ingress, .everything, peer: peer, rule: rule)
            : TestPolicy().deny(.ingress, .everything, peer: peer, rule: rule)
        var state = policy.mapState
        for family in Family.allCases { state.ipcache[CIDR(host: family.peer)] = peer }
        return state
    }

    func matches(_ event: FlowEvent) -> Bool {
        event.rule == rule && event.peerIdentity == peer && event.verdict == (isOpen ? .allow : .deny)
    }
}

/// Sends packets on a thread of its own and compares each one's event with the generation it names.
private final class Traffic: Sendable {
    private let maps: KernelMaps
    private let stopping = Atomic<Bool>(false)
    let stopped = Atomic<Bool>(false)
    let packets = Atomic<Int>(0)
    let mixtures = Mutex<[FlowEvent]>([])
    let generations = Mutex<Set<UInt32>>([])
    let failures = Mutex<[String]>([])

    init(_ maps: KernelMaps) { self.maps = maps }

    func start(_ family: Family) throws {
        try startThread(named: "traffic") { [self] in
            let stream = Talk.server(family).tcp(.ingress, .ack).bytes
            let datagrams = (0..<64).map { Talk.server(family, port: 1000 + $0).udp(.ingress).bytes }
            var number = 0
            while !stopping.load(ordering: .relaxed) {
                run(number % 2 == 0 ? stream : datagrams[number / 2 % 64])
                number += 1
            }
            stopped.store(true, ordering: .releasing)
        }
    }

    func stop() async throws {
        stopping.store(true, ordering: .relaxed)
        while !stopped.load(ordering: .acquiring) { try await Task.sleep(for: .milliseconds(1)) }
    }

    private func run(_ bytes: [UInt8]) {
        do {
            let action = try maps.program(.toEndpoint, bytes, PacketContext(ifindex: 1))
            let events = maps.drainEvents()
            packets.add(1, ordering: .relaxed)
            for event in events {
                let signature = Signature(generation: event.generation)
                _ = generations.withLock { $0.insert(event.generation) }
                if !signature.matches(event) || (action == 2) == signature.isOpen {
                    mixtures.withLock { $0.append(event) }
                }
            }
        } catch { failures.withLock { $0.append("\(error)") } }
    }
}

extension DatapathTests {
    /// Policies that change under packets of another CPU.
    @Suite struct TrafficTests {
        private let fixture: Fixture

        init() throws { fixture = try Fixture.fresh() }

        @Test(arguments: Family.allCases) func `a packet meets one generation whole: bank, identity, rule and verdict`(
            family: Family
        ) async throws {
            fixture.setReportInterval(ticks: 0)
            try fixture.commit(Signature(generation: 100).state, generation: 100)
            let traffic = Traffic(fixture.maps)
            try traffic.start(family)
            for generation: UInt32 in 101...180 {
                try fixture.commit(Signature(generation: generation).state, generation: generation, underTraffic: true)
                let seen = traffic.packets.load(ordering: .relaxed)
                while traffic.packets.load(ordering: .relaxed) < seen + 4 { await Task.yield() }
            }
            try await traffic.stop()
            #expect(traffic.failures.withLock { $0 } == [])
            #expect(traffic.mixtures.withLock { $0 }.isEmpty)
            #expect(traffic.generations.withLock { $0.isSuperset(of: 101...180) })
        }
    }
}
