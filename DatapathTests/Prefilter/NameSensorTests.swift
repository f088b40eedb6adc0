// SPDX-License-Identifier: Apache-2.0

import BPFRuntime
import CDatapathABI
import DetectionModel
import KernelDatapath
import KernelPrograms
import NetworkModel
import Sensing
import Testing

/// Questions about names through the real programs: of the host, of its clients, of workloads.
extension DatapathTests {
    @Suite struct NameSensorTests {
        /// The last that was said of each client and zone, but for the clock.
        private func zones(_ activities: [Activity]) -> [String: ZoneActivity] {
            var zones: [String: ZoneActivity] = [:]
            for case .zone(var zone) in activities {
                (zone.since, zone.time) = (0, 0)
                zones["\(zone.client) \(zone.zone)"] = zone
            }
            return zones
        }

        private func name(_ number: Int, _ length: Int = 40) -> String {
            let letters = Array("abcdefghijklmnopqrstuvwxyz234567")
            var generator = SeededGenerator(seed: UInt64(number + 1))
            return String((0..<length).map { _ in letters[Int.random(in: 0..<32, using: &generator)] })
        }

        @Test(arguments: Family.allCases)
        func `questions of the host and their answers are the same to the kernel as over plain memory`(_ family: Family)
            throws
        {
            let both = try SensorPair()
            for number in 0..<64 {
                let id = UInt16(number + 1), port = UInt16(30_000 + number)
                let name = "\(name(number)).T.Tunnel.example"
                let query = DNSMessage.query(name, id: id, type: 16).bytes
                try both.leave(Packet.ip(family.own, to: family.peer).udp(port, 53, bytes: query).bytes)
                guard number % 4 < 2 else { continue }
                var answer = DNSMessage.answer(name, id: id, type: 16, [])
                if number % 4 == 1 { answer.flags |= 3 }
                try both.arrive(Packet.ip(family.peer, to: family.own).udp(53, port, bytes: answer.bytes).bytes)
            }
            let (kernel, native) = both.reports()
            #expect(zones(kernel) == zones(native))
            let seen = try #require(zones(kernel)["\(family.own) tunnel.example"])
            #expect(seen.isClientInside && seen.queries >= 56 && seen.bulkyQueries == seen.queries)
            #expect(seen.longestLabel == 40 && seen.nameBytes == 41 * UInt64(seen.queries))
            #expect((420...490).contains(seen.entropy), "\(seen.entropy)")
            #expect(abs(Int(seen.distinctNames) - Int(seen.queries)) <= 6)
            #expect((12...16).contains(seen.notFound) && seen.answerBytes > 24 * 60)
        }

        @Test func `questions of clients outside are their own, and a question seen twice counts once`() throws {
            let both = try SensorPair()
            let family = Family.v4
            for number in 0..<12 {
                let query = DNSMessage.query("\(name(number)).c.example", id: UInt16(number + 1)).bytes
                let frame = Packet.ip(family.stranger, to: family.own).udp(UInt16(31_000 + number), 53, bytes: query)
                    .bytes
                try both.arrive(frame)
                try both.arrive(frame)
            }
            let (kernel, native) = both.reports()
            #expect(zones(kernel) == zones(native))
            let seen = try #require(zones(kernel)["\(family.stranger) c.example"])
            #expect(!seen.isClientInside && seen.queries == 12)
        }

        @Test func `answers to nobody's question make no record, and forged ones are never more than the questions`()
            throws
        {
            let both = try SensorPair()
            let family = Family.v4
            func answer(_ id: UInt16, _ zone: String) -> [UInt8] {
                var message = DNSMessage.answer("www.\(zone)", id: id, [])
                message.flags |= 3
                return Packet.ip(family.peer, to: family.own).udp(53, 33_000, bytes: message.bytes).bytes
            }
            let query = DNSMessage.query("www.asked.example", id: 1).bytes
            try both.leave(Packet.ip(family.own, to: family.peer).udp(33_000, 53, bytes: query).bytes)
            for id in UInt16(1)...40 {
                try both.arrive(answer(id, "asked.example"))
                try both.arrive(answer(id, "other\(id).example"))
            }
            // So that what was counted meanwhile is said.
            for id in UInt16(100)..<164 {
                let query = DNSMessage.query("www.asked.example", id: id).bytes
                try both.leave(Packet.ip(family.own, to: family.peer).udp(33_000, 53, bytes: query).bytes)
            }
            let (kernel, native) = both.reports()
            #expect(zones(kernel) == zones(native))
            #expect(Set(zones(kernel).keys) == ["\(family.own) asked.example"])
            let seen = try #require(zones(kernel)["\(family.own) asked.example"])
            #expect(seen.queries > 40 && seen.notFound == 1)
        }

        @Test func `malformed messages are read alike, and count for nothing that they do not ask`() throws {
            let both = try SensorPair()
            let family = Family.v4
            var generator = SeededGenerator(seed: 4)
            for number in 0..<600 {
                var message = DNSMessage.query("a\(number % 9).\(name(number % 3, 12)).org.uk", id: UInt16(number + 1))
                    .bytes
                for _ in 0..<Int.random(in: 0...4, using: &generator) {
                    message[Int.random(in: 2..<message.count, using: &generator)] = .random(
                        in: 0...255, using: &generator)
                }
                if Bool.random(using: &generator) {
                    message.removeLast(Int.random(in: 0..<message.count, using: &generator))
                }
                let packet = Packet.ip(family.own, to: family.peer).udp(UInt16(34_000 + number), 53, bytes: message)
                try both.leave(packet.bytes)
            }
            for message in DNSMessage.hostile {
                try both.leave(Packet.ip(family.own, to: family.peer).udp(35_000, 53, bytes: message).bytes)
            }
            let (kernel, native) = both.reports()
            #expect(zones(kernel) == zones(native))
            let count = both.native.count(Int(SENSE_COUNT_ZONES))
            #expect(try both.kernel.count(Int(SENSE_COUNT_ZONES)) == count && count > 50, "\(count)")
            #expect(
                zones(kernel).values.allSatisfy {
                    $0.zone.utf8.count <= Int(SENSE_ZONE_NAME_BYTES) && $0.longestLabel <= 63
                })
            #expect(zones(kernel).values.reduce(0) { $0 + $1.queries } < 600)
        }

        @Test(arguments: [true, false])
        func `a workload's questions reach the sensors by way of the programs that judge them`(readsNames: Bool) throws
        {
            let fixture = try Fixture.fresh()
            let object = try BPFObject(.prefilter)
            try object.keep(programs: Set(ShieldSensors.programs))
            try object.load()
            var sensors = try ShieldSensors(object)
            sensors.switchOn(hasEndpoints: true, key: SensorPair.key, sampleMask: 0, budget: 0)
            try fixture.maps.fillSensePrograms(object)
            defer { #expect(throws: Never.self) { try fixture.maps.emptySensePrograms() } }
            if readsNames {
                try fixture.readNames(["*": 1]) { $0 }
            } else {
                try fixture.commitNames { $0 }
            }
            for number in 0..<24 {
                let question = "\(name(number)).w.example", id = UInt16(number + 1)
                #expect(try fixture.ask(question, id: id).passed)
                var answer = DNSMessage.answer(question, id: id, [])
                if number % 2 == 0 { answer.flags |= 3 }
                #expect(try fixture.reply(answer.bytes).passed)
            }
            // Denied, so never asked; and sensed as what it is.
            for port in UInt16(1)...12 {
                try fixture.connect(Family.v4.stranger, port).expectDrop(
                    DROP_POLICY_DEFAULT_DENY, rule: Fixture.defaultDenyRule)
            }
            let activities = sensors.poll(now: ShieldSensors.now() + 3_000_000_000)
            let seen = try #require(zones(activities)["\(Family.v4.own) w.example"], "\(activities)")
            #expect(seen.isClientInside && seen.queries >= 20 && abs(Int(seen.notFound) - Int(seen.queries) / 2) <= 1)
            let source = activities.reduce(nil as SourceActivity?) { found, activity in
                if case .source(let source) = activity, source.source == Family.v4.own { source } else { found }
            }
            #expect((source?.denied ?? 0) >= 10 && (source?.probes.udp ?? 0) == 1, "\(activities)")
        }
    }
}

extension DNSMessage {
    /// Questions that no resolver sends: the longest names there are and longer ones, pointers, no end, too many questions.
    fileprivate static let hostile: [[UInt8]] = {
        func message(_ question: [UInt8], count: UInt8 = 1, flags: UInt8 = 1) -> [UInt8] {
            [0x7a, 1, flags, 0, 0, count, 0, 0, 0, 0, 0, 0] + question
        }
        let label = [63] + [UInt8](repeating: 0x61, count: 63), end: [UInt8] = [0, 0, 1, 0, 1]
        return [
            message(end), message([1, 0x61] + end), message([UInt8](repeating: 1, count: 252) + end),
            message((0..<127).flatMap { _ in [1, 0x62] as [UInt8] } + end), message(label + label + label + end),
            message(label + label + label + label + end), message([0xc0, 12, 0, 1, 0, 1]), message(label),
            message([5, 0x61] + end, count: 2), message([1, 0x63, 1, 0x64] + end, flags: 0x79),
            message([64] + [UInt8](repeating: 0x61, count: 64) + end),
            message([2, 0x55, 0x4b, 2, 0x43, 0x6f, 2, 0x75, 0x4b] + end),
        ]
    }()
}
