// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import IdentityModel
import NetworkModel
import Testing

extension DatapathTests {
    /// Which answers are believed: the one that was asked for, whole, and nothing else.
    @Suite struct NameBeliefTests {
        private let fixture: Fixture
        private let name = "api.x.test"

        init() throws {
            fixture = try Fixture.fresh()
            try fixture.readNames(["api.x.test": 1, "**.deep.test": 1]) {
                $0.allow(.egress, .ports(.tcp, 443), peer: Fixture.name(1), rule: 31)
            }
        }

        private func answer(_ id: UInt16, _ address: IPAddress) -> DNSMessage { .answer(name, id: id, [address]) }

        /// Asks for `name`, has the answer changed, and says whether its address opens.
        private func learns(_ number: UInt16, _ change: (inout DNSMessage) -> Void) throws -> Bool {
            let address = Family.v4.outside(number)
            try fixture.ask(name, id: number)
            var message = answer(number, address)
            change(&message)
            #expect(try fixture.reply(message.bytes).passed)
            return try fixture.opens(address)
        }

        @Test func `what a resolver may send is read`() throws {
            #expect(try learns(1) { $0.hasOption = false })
            #expect(try learns(2) { $0.answers[0].owner = DNSMessage.wire("api.x.test") })
            #expect(try learns(3) { $0.flags |= 0x0200 })
            #expect(try learns(4) { $0.question = DNSMessage.wire("aPi.X.tEsT") })
            // A chain of aliases, with a record of a kind that is not read in between.
            #expect(
                try learns(5) { message in
                    let alias = DNSMessage.Record(type: 5, data: DNSMessage.wire("edge.cdn.test"))
                    let signature = DNSMessage.Record(type: 46, data: [UInt8](repeating: 9, count: 90))
                    message.answers = [alias, signature, message.answers[0]]
                    message.answers[2].owner = DNSMessage.wire("edge.cdn.test")
                })
            // A pointer that leads to itself ends an owner's name; nobody follows it.
            #expect(try learns(6) { $0.answers[0].owner = [1, 0x61, 0xc0, 0x1c] })
        }

        @Test func `an answer with two hundred addresses opens them all`() throws {
            let addresses = (0..<200).map { Family.v4.outside(1000 + $0) }
            let outcome = try fixture.resolve(name, addresses)
            #expect(outcome.count(METRIC_DNS_LEARNED) == 200)
            #expect(try addresses.allSatisfy { try fixture.opens($0) })
        }

        @Test func `errors, queries and other operations teach nothing`() throws {
            #expect(try !learns(1) { $0.flags = 0x8183 })
            #expect(try !learns(2) { $0.flags = 0x0100 })
            #expect(try !learns(3) { $0.flags = 0x9180 })
            #expect(try !learns(4) { $0.type = 28 })
            #expect(try !learns(5) { $0.question = DNSMessage.wire("a.deep.test") })
            #expect(try !learns(6) { $0.id ^= 0x4000 })
            #expect(try !learns(7) { $0.question = [0xc0, 0x0c, 0, 0] })
            #expect(try !learns(8) { $0.answers[0].owner = [0x41] })
            #expect(try !learns(9) { $0.answers[0].type = 65 })
        }

        @Test func `nobody asked, another resolver, another port: nothing is learned`() throws {
            let address = Family.v4.outside(1)
            #expect(try fixture.reply(answer(1, address).bytes).count(METRIC_DNS_UNASKED) == 1)
            try fixture.ask(name, id: 2)
            #expect(try fixture.reply(answer(2, address).bytes, port: 40054).count(METRIC_DNS_UNASKED) == 1)
            #expect(try fixture.reply(answer(2, address).bytes, resolver: Family.v4.stranger).metrics[138] == nil)
            // One whom nobody allowed is not listened to, also when asked.
            try fixture.ask(name, id: 3, resolver: Family.v4.stranger)
            try fixture.reply(answer(3, address).bytes, resolver: Family.v4.stranger)
            #expect(try !fixture.opens(address))
        }

        @Test func `one query, one answer`() throws {
            let (first, second) = (Family.v4.outside(1), Family.v4.outside(2))
            try fixture.ask(name, id: 9)
            try fixture.reply(answer(9, first).bytes)
            #expect(try fixture.reply(answer(9, second).bytes).count(METRIC_DNS_UNASKED) == 1)
            #expect(try fixture.opens(first))
            #expect(try !fixture.opens(second))
        }

        @Test func `a late answer is not believed`() throws {
            let address = Family.v4.outside(1)
            try fixture.ask(name, id: 9)
            #expect(NameMaps.count(fixture.maps.names.queries) == 1)
            NameMaps.changeMarks(of: fixture.maps.names.queries) { $0 - 11 << 32 }
            #expect(try fixture.reply(answer(9, address).bytes).count(METRIC_DNS_UNASKED) == 1)
            #expect(try !fixture.opens(address))
        }

        @Test func `no beginning of an answer teaches anything`() throws {
            let address = Family.v4.outside(1)
            var message = answer(9, address)
            message.hasOption = false
            let bytes = message.bytes
            for count in 0..<bytes.count {
                try fixture.ask(name, id: 9)
                try fixture.reply(Array(bytes.prefix(count)))
            }
            #expect(NameMaps.count(fixture.maps.names.numbers) == 0)
            #expect(NameMaps.count(fixture.maps.names.history) == 0)
        }

        @Test func `twenty thousand damaged answers, and the next one is read`() throws {
            var generator = SeededGenerator(seed: 7)
            let good = answer(9, Family.v4.outside(1)).bytes
            for _ in 0..<20_000 {
                var bytes = good
                for _ in 0..<(1 + Int(generator.next() % 6)) {
                    let word = generator.next()
                    let interesting: [UInt8] = [0, 1, 63, 64, 192, 255, UInt8(truncatingIfNeeded: word >> 32)]
                    bytes[2 + Int(word % UInt64(bytes.count - 2))] = interesting[Int(word >> 16) % interesting.count]
                }
                let query = DNSMessage.query(name, id: 9).bytes
                _ = try fixture.run(
                    Packet.ip(Family.v4.own, to: Family.v4.peer).udp(40053, 53, bytes: query).bytes, .fromEndpoint)
                _ = try fixture.run(
                    Packet.ip(Family.v4.peer, to: Family.v4.own).udp(53, 40053, bytes: bytes).bytes, .toEndpoint)
            }
            fixture.forgetCounters()
            #expect(try learns(10) { _ in })
        }

        @Test func `what a workload sends in the resolver's name is not believed`() throws {
            let address = Family.v4.outside(1)
            // Another endpoint, whose source is not checked.
            let other = endpoint_entry(
                ifindex: 2, subject: 0, identity: 3000, endpoint: 8, flags: UInt16(ENDPOINT_NO_SOURCE_CHECK))
            try fixture.maps.endpoints.update(2, to: other)
            defer { try? fixture.maps.endpoints.update(2, to: endpoint_entry()) }
            try fixture.ask(name, id: 9)
            try fixture.reply(answer(9, address).bytes, cameFrom: 2)
            #expect(try !fixture.opens(address))
            // The resolver is a workload: its own address is its own.
            try fixture.maps.addresses.update(Family.v4.peer.endpointKey(8), to: 1)
            try fixture.reply(answer(9, address).bytes, cameFrom: 2)
            #expect(try fixture.opens(address))
        }

        @Test(arguments: Family.allCases)
        func `what it sends by the way of the gateway is not believed either, and the resolver's own answer is`(
            _ family: Family
        ) throws {
            let forger = endpoint_entry(
                ifindex: 1, subject: UInt32(Fixture.subject), identity: 3000, endpoint: 8,
                flags: UInt16(ENDPOINT_NO_SOURCE_CHECK))
            let own = endpoint_entry(
                ifindex: 1, subject: UInt32(Fixture.subject), identity: Fixture.identity, endpoint: Fixture.endpoint,
                flags: 0)
            defer { try? fixture.maps.endpoints.update(1, to: own) }
            // It is let through, as that of a router would be, and arrives by another device.
            func forge(_ message: DNSMessage) throws {
                try fixture.maps.endpoints.update(1, to: forger)
                let packet = Packet.ip(family.peer, to: family.own).udp(53, Fixture.clientPort, bytes: message.bytes)
                #expect(try fixture.run(packet.bytes, .fromEndpoint) != 2)
                try fixture.maps.endpoints.update(1, to: own)
            }
            let (bad, good) = (family.outside(1), family.outside(2))
            try fixture.commitNames { policy in
                policy.allow(.egress, .ports(.tcp, 443), peer: Fixture.name(1), rule: 31).allow(
                    .egress, .everything, peer: NumericIdentity(rawValue: Fixture.identity), rule: 32)
            }
            try fixture.ask(name, id: 9, family: family)
            try forge(answer(9, bad))
            #expect(try fixture.reply(answer(9, bad).bytes, family: family).count(METRIC_DNS_UNASKED) == 1)
            #expect(try !fixture.opens(bad))
            // Another question is not spoilt by that.
            try fixture.ask(name, id: 10, family: family)
            try fixture.reply(answer(10, good).bytes, family: family)
            #expect(try fixture.opens(good))
        }

        @Test func `merged datagrams are read one by one`() throws {
            for id: UInt16 in [1, 2, 3] { try fixture.ask(name, id: id) }
            let messages = (1...3).map { answer(UInt16($0), Family.v4.outside(UInt16($0))).bytes }
            #expect(Set(messages.map(\.count)).count == 1)
            // The last of several may be shorter.
            let bytes = messages[0] + messages[1] + messages[2].dropLast(11)
            var context = PacketContext(ifindex: 1)
            (context.segmentSize, context.segmentCount) = (UInt32(messages[0].count), 3)
            var frame = Packet.ip(Family.v4.peer, to: Family.v4.own).udp(53, Fixture.clientPort, bytes: bytes).bytes
            // Of the last message the count of its additional records.
            frame[14 + 20 + 8 + 2 * messages[0].count + 11] = 0
            #expect(try fixture.maps.program(.toEndpoint, frame, context) == .max)
            for number: UInt16 in 1...3 { #expect(try fixture.opens(Family.v4.outside(number)), "\(number)") }
        }

        @Test(arguments: ["tc_dns_query", "tc_dns_answer"])
        func `whatever the readers are given passes`(_ name: String) throws {
            let reader = try #require(fixture.maps.names.readers[name])
            for bytes in [
                [UInt8](repeating: 0, count: 60), Packet.ip(Family.v6.peer, to: Family.v6.own).udp(53, 9).bytes,
            ] {
                #expect(try reader(bytes) == .max)
            }
        }
    }
}
