// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import NetworkModel
import Testing

extension DatapathTests {
    /// DNS over TCP: messages as the segments cut them.
    @Suite struct NameStreamTests {
        private let fixture: Fixture
        private let name = "api.x.test"
        private let there = Packet.ip(Family.v4.own, to: Family.v4.peer)
        private let back = Packet.ip(Family.v4.peer, to: Family.v4.own)

        init() throws {
            fixture = try Fixture.fresh()
            try fixture.readNames(["api.x.test": 1]) {
                $0.allow(.egress, .ports(.tcp, 443), peer: Fixture.name(1), rule: 31)
            }
        }

        /// A message with its length in front.
        private func framed(_ message: DNSMessage) -> [UInt8] {
            UInt16(message.bytes.count).networkOrder + message.bytes
        }

        private func framedAnswer(_ id: UInt16, _ addresses: [IPAddress]) -> [UInt8] {
            framed(.answer(name, id: id, addresses))
        }

        private func open(_ port: UInt16 = 40100) throws {
            try fixture.send(there.tcp(port, 53, .syn))
            try fixture.send(back.tcp(53, port, .synAck), .toEndpoint)
        }

        private func ask(_ ids: UInt16..., port: UInt16 = 40100) throws {
            for (number, id) in ids.enumerated() {
                let query = framed(.query(name, id: id))
                let outcome = try fixture.send(
                    there.tcp(port, 53, bytes: query, sequence: 1 + UInt32(number * query.count)))
                #expect(outcome.count(METRIC_DNS_QUERY) == 1)
            }
        }

        @discardableResult
        private func segment(_ bytes: some Sequence<UInt8>, at sequence: UInt32, port: UInt16 = 40100) throws -> Outcome
        {
            let outcome = try fixture.send(
                back.tcp(53, port, bytes: Array(bytes), sequence: sequence), .toEndpoint)
            #expect(outcome.passed)
            return outcome
        }

        @Test func `whole messages are read, also two of one segment`() throws {
            try open()
            let queries = framed(.query(name, id: 1)) + framed(.query(name, id: 2))
            #expect(try fixture.send(there.tcp(40100, 53, bytes: queries)).count(METRIC_DNS_QUERY) == 2)
            let answers = framedAnswer(1, [Family.v4.outside(1)]) + framedAnswer(2, [Family.v4.outside(2)])
            #expect(try segment(answers, at: 1).count(METRIC_DNS_ANSWER) == 2)
            #expect(try fixture.opens(Family.v4.outside(1)))
            #expect(try fixture.opens(Family.v4.outside(2)))
        }

        @Test func `an answer cut in two opens with its second half, wherever the cut is`() throws {
            let length = framedAnswer(0, [Family.v4.outside(0)]).count
            for cut in 1..<length {
                let (id, port, address) = (UInt16(cut), UInt16(41000 + cut), Family.v4.outside(UInt16(cut)))
                try open(port)
                try ask(id, port: port)
                let bytes = framedAnswer(id, [address])
                // Past the end of the number space, too.
                let start = UInt32.max - UInt32(cut % 7)
                #expect(try segment(bytes.prefix(cut), at: start, port: port).count(METRIC_DNS_ANSWER) == 0)
                #expect(try !fixture.opens(address))
                let rest = try segment(bytes.dropFirst(cut), at: start &+ UInt32(cut), port: port)
                #expect(rest.count(METRIC_DNS_ANSWER) == 1, "cut at \(cut)")
                #expect(try fixture.opens(address), "cut at \(cut)")
            }
        }

        @Test func `sixty addresses in segments of any size, and the next answer behind them`() throws {
            let addresses = (0..<60).map { Family.v6.outside(2000 + $0) }
            for (number, size) in [1, 7, 100, 536, 1400].enumerated() {
                let port = UInt16(42000 + number), ids = (UInt16(2 * number), UInt16(2 * number + 1))
                fixture.forgetNames()
                try open(port)
                try ask(ids.0, ids.1, port: port)
                let bytes = framedAnswer(ids.0, addresses) + framedAnswer(ids.1, [Family.v4.outside(9)])
                for start in stride(from: 0, to: bytes.count, by: size) {
                    try segment(bytes[start..<min(start + size, bytes.count)], at: 1 + UInt32(start), port: port)
                }
                #expect(try addresses.allSatisfy { try fixture.opens($0) }, "segments of \(size)")
                #expect(try fixture.opens(Family.v4.outside(9)), "segments of \(size)")
            }
        }

        @Test func `as many addresses as an answer over TCP has room for are opened`() throws {
            let addresses = (0..<250).map { Family.v4.outside(3000 + $0) }
            try open()
            try ask(1, port: 40100)
            let bytes = framedAnswer(1, addresses)
            for start in stride(from: 0, to: bytes.count, by: 1400) {
                try segment(bytes[start..<min(start + 1400, bytes.count)], at: 1 + UInt32(start), port: 40100)
            }
            #expect(bytes.count > 4000)
            #expect(try addresses.allSatisfy { try fixture.opens($0) })
        }

        @Test func `a query cut in two is noted with its second half`() throws {
            try open()
            let query = framed(.query(name, id: 3))
            try fixture.send(there.tcp(40100, 53, bytes: Array(query.prefix(2)), sequence: 1))
            #expect(
                try fixture.send(there.tcp(40100, 53, bytes: Array(query.dropFirst(2)), sequence: 3))
                    .count(METRIC_DNS_QUERY) == 1)
            try segment(framedAnswer(3, [Family.v4.outside(3)]), at: 1)
            #expect(try fixture.opens(Family.v4.outside(3)))
        }

        @Test func `what is sent again is not read again, and what overlaps is read from where it goes on`() throws {
            try open()
            try ask(1)
            let bytes = framedAnswer(1, [Family.v4.outside(1)])
            try segment(bytes.prefix(20), at: 1)
            try segment(bytes.prefix(20), at: 1)
            try segment(bytes.prefix(10), at: 1)
            #expect(try segment(bytes.dropFirst(10), at: 11).count(METRIC_DNS_ANSWER) == 1)
            #expect(try fixture.opens(Family.v4.outside(1)))
            // Also once it is complete; and the next one is read, with what was here before in front of it.
            try segment(bytes.dropFirst(10), at: 11)
            try ask(2)
            let next = framedAnswer(2, [Family.v4.outside(2)])
            #expect(
                try segment(bytes.suffix(5) + next, at: 1 + UInt32(bytes.count - 5)).count(METRIC_DNS_ANSWER) == 1)
            #expect(try fixture.opens(Family.v4.outside(2)))
        }

        @Test func `behind a gap nothing is put together`() throws {
            try open()
            try ask(1, 2)
            let bytes = framedAnswer(1, [Family.v4.outside(1)])
            try segment(bytes.prefix(20), at: 1)
            #expect(try segment(bytes.dropFirst(21), at: 22).count(METRIC_DNS_UNREAD) == 1)
            try segment(bytes.dropFirst(20), at: 21)
            #expect(try !fixture.opens(Family.v4.outside(1)))
        }

        @Test func `a message longer than is read is passed over, and the next one is read`() throws {
            try open()
            try ask(1, 2)
            var long = DNSMessage.answer(name, id: 1, [Family.v4.outside(1)])
            long.answers.append(DNSMessage.Record(type: 16, data: [UInt8](repeating: 7, count: 5000)))
            let bytes = framed(long) + framedAnswer(2, [Family.v4.outside(2)])
            for start in stride(from: 0, to: bytes.count, by: 1400) {
                try segment(bytes[start..<min(start + 1400, bytes.count)], at: 1 + UInt32(start))
            }
            #expect(try !fixture.opens(Family.v4.outside(1)))
            #expect(try fixture.opens(Family.v4.outside(2)))
        }

        @Test func `connections do not mix, and only a listed resolver's bytes are kept`() throws {
            for port: UInt16 in [40100, 40101] {
                try open(port)
                try ask(port, port: port)
            }
            let answers = [40100, 40101].map { framedAnswer($0, [Family.v4.outside($0)]) }
            try segment(answers[0].prefix(30), at: 1, port: 40100)
            try segment(answers[1].prefix(25), at: 1, port: 40101)
            #expect(NameMaps.count(fixture.maps.names.streams) == 2)
            try segment(answers[1].dropFirst(25), at: 26, port: 40101)
            try segment(answers[0].dropFirst(30), at: 31, port: 40100)
            for port: UInt16 in [40100, 40101] { #expect(try fixture.opens(Family.v4.outside(port))) }
            let stranger = Packet.ip(Family.v4.own, to: Family.v4.stranger)
            try fixture.send(stranger.tcp(40102, 53, .syn))
            let reply = Packet.ip(Family.v4.stranger, to: Family.v4.own)
            try fixture.send(reply.tcp(53, 40102, bytes: Array(answers[0].prefix(30))), .toEndpoint)
            #expect(NameMaps.count(fixture.maps.names.streams) == 2)
        }

        @Test func `many half messages make room for later ones`() throws {
            for number in 0..<1000 {
                let port = UInt16(20000 + number)
                try open(port)
                try segment(framedAnswer(1, [Family.v4.outside(1)]).prefix(30), at: 1, port: port)
            }
            #expect(NameMaps.count(fixture.maps.names.streams) <= Int(FQDN_STREAM_BUCKETS * FQDN_WAYS))
            try open()
            try ask(1)
            let bytes = framedAnswer(1, [Family.v4.outside(1)])
            try segment(bytes.prefix(30), at: 1)
            try segment(bytes.dropFirst(30), at: 31)
            #expect(try fixture.opens(Family.v4.outside(1)))
        }
    }
}

extension Fixture {
    /// Forgets what was learnt.
    func forgetNames() {
        NameMaps.changeMarks(of: maps.names.numbers) { _ in 0 }
        NameMaps.changeMarks(of: maps.names.history) { _ in 0 }
    }
}
