// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import EventModel
import NetworkModel
import Synchronization
import Testing

/// Opens flows without end on a thread of its own.
private final class Opener: Sendable {
    private let maps: KernelMaps
    private let stopping = Atomic<Bool>(false)
    private let stopped = Atomic<Bool>(false)
    let packets = Atomic<Int>(0)

    init(_ maps: KernelMaps) { self.maps = maps }

    func start(ports: [UInt16]) throws {
        try startThread(named: "opener") { [self] in
            let frames = ports.map { FlowTableSupport.packet(port: $0).bytes }
            while !stopping.load(ordering: .relaxed) {
                for frame in frames { _ = try? maps.program(.fromEndpoint, frame, PacketContext(ifindex: 1)) }
                packets.add(frames.count, ordering: .relaxed)
            }
            stopped.store(true, ordering: .releasing)
        }
    }

    func stop() async throws {
        stopping.store(true, ordering: .relaxed)
        while !stopped.load(ordering: .acquiring) { try await Task.sleep(for: .milliseconds(1)) }
    }
}

private enum FlowTableSupport {
    static func packet(port: UInt16) -> Packet { Packet.ip(Family.v4.own, to: Family.v4.peer).udp(port, 53) }
}

extension DatapathTests {
    /// The table of flows itself: chains, room, and who takes what out.
    @Suite struct FlowTableTests {
        private let fixture: Fixture
        private let capacity = Fixture.conntrackSize

        init() throws { fixture = try Fixture.fresh() }

        /// Opens flows of consecutive ports until one is refused or there are `limit`; returns how many passed.
        private func open(from port: UInt16, limit: Int) throws -> Int {
            for index in 0..<limit {
                let packet = FlowTableSupport.packet(port: port + UInt16(index))
                if try fixture.run(packet.bytes, .fromEndpoint) == 2 { return index }
            }
            return limit
        }

        @Test(arguments: Family.allCases) func `flows in one chain are told apart`(family: Family) throws {
            fixture.maps.conntrack.clear(bucketCountMax: 1)
            let ports = UInt16(1)...40
            for port in ports { try fixture.udp(.client(family, port: port), .egress).expectPass(state: .new) }
            for port in ports { try fixture.udp(.client(family, port: port), .ingress).expectPass(state: nil) }
            let flows = try fixture.flows()
            #expect(flows.count == 40)
            #expect(flows.allSatisfy { $0.entry.packets == (1, 1) && $0.state == CONNTRACK_REPLIED })
        }

        @Test func `a chain has an end: one more flow is refused as by a full table`() throws {
            fixture.maps.conntrack.clear(bucketCountMax: 1)
            #expect(try open(from: 1, limit: 200) == Int(CONNTRACK_CHAIN_MAX))
            fixture.forgetCounters()
            try fixture.send(FlowTableSupport.packet(port: 300)).expectDrop(DROP_CONNTRACK_FULL)
            try fixture.forgetFlows()
            try fixture.send(FlowTableSupport.packet(port: 300)).expectPass(state: .new)
        }

        @Test(arguments: Family.allCases)
        func `flows between two addresses whose ports have one sum do not share a chain`(family: Family) throws {
            let count: UInt16 = 200
            for number in 1...count {
                let packet = Packet.ip(family.own, to: family.peer).udp(number.bigEndian, (1000 - number).bigEndian)
                try fixture.send(packet).expectPass(state: .new)
            }
            #expect(try fixture.flows().count == Int(count))
        }

        @Test func `what is removed makes room, to the last flow`() throws {
            #expect(try open(from: 1, limit: 2 * capacity) == capacity)
            var removed = 0
            for remainder: UInt16 in [0, 2, 1] {
                removed += fixture.maps.conntrack.remove { key, _ in
                    UInt16(bigEndian: key.local_port) % 3 == remainder
                }
                #expect(try open(from: 10_000 + UInt16(removed), limit: removed) == removed)
                #expect(try open(from: 30_000, limit: 1) == 0, "full again")
                fixture.maps.conntrack.remove { key, _ in UInt16(bigEndian: key.local_port) >= 10_000 }
            }
            #expect(removed == capacity)
            #expect(try fixture.flows().isEmpty)
        }

        @Test func `an agent killed while it removed flows leaves no hole for the next one`() throws {
            #expect(try open(from: 1, limit: capacity) == capacity)
            fixture.maps.conntrack.remove(breakingOff: true) { key, _ in UInt16(bigEndian: key.local_port) % 2 == 0 }
            #expect(try fixture.flows().count == capacity / 2)
            #expect(try open(from: 10_000, limit: 1) == 0, "unlinked, but not yet free")
            #expect(fixture.maps.conntrack.reclaimLost() == capacity / 2)
            #expect(fixture.maps.conntrack.reclaimLost() == 0)
            #expect(try open(from: 10_000, limit: capacity) == capacity / 2)
            #expect(try fixture.flows().count == capacity)
        }

        @Test func `flows opened on several CPUs while others are removed: none twice, no room lost`() async throws {
            let openers = (0..<3).map { _ in Opener(fixture.maps) }
            // The second and third meet the same flows, the first others in the same chains.
            try openers[0].start(ports: Array(1...400))
            try openers[1].start(ports: Array(300...800))
            try openers[2].start(ports: Array(300...800))
            var removed = 0
            for round in 0..<400 {
                let parity = UInt16(round % 2)
                removed += fixture.maps.conntrack.remove { key, _ in
                    UInt16(bigEndian: key.local_port) % 2 == parity
                }
                #expect(fixture.maps.conntrack.reclaimLost() == 0)
            }
            for opener in openers { try await opener.stop() }
            #expect(removed > 1000 && openers.allSatisfy { $0.packets.load(ordering: .relaxed) > 0 })
            var keys: [UInt16: Int] = [:]
            fixture.maps.conntrack.forEach { key, _ in keys[key.local_port, default: 0] += 1 }
            #expect(keys.values.allSatisfy { $0 == 1 })
            try fixture.forgetFlows()
            #expect(try open(from: 2000, limit: 2 * capacity) == capacity)
        }
    }
}
