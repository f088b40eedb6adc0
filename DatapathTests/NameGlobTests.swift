// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import EventModel
import IdentityModel
import NetworkModel
import TableEncoding
import Testing

extension DatapathTests {
    /// Patterns of names with a `*` inside, as the programs read them.
    @Suite struct NameGlobTests {
        private let fixture: Fixture

        init() throws { fixture = try Fixture.fresh() }

        private func allow443(_ policy: TestPolicy) -> TestPolicy {
            policy.allow(.egress, .ports(.tcp, 443), peer: Fixture.name(1), rule: 31)
        }

        @Test func `a star inside a label means what it says, in the case of whoever asks`() throws {
            let long = String(repeating: "x", count: 59)
            let cases: [(String, Bool)] = [
                ("api-1.a.test", true), ("API-EU.A.test", true), ("api-.a.test", true), ("api.a.test", false),
                ("x.api-1.a.test", false), ("api-1.b.a.test", false), ("api-1.test", false),
                ("api-\(long).a.test", true),
                ("w.sub-1.a.test", true), ("sub-1.a.test", false), ("v.w.sub-1.a.test", false), ("cdn.b.test", true),
                ("mycdn.b.test", true), ("my.cdn.b.test", false), ("cdnx.b.test", false), ("b.test", false),
                ("in.the.deep.a-z.c.test", true), ("a-z.c.test", false), ("x.y.c.test", false), ("one.two", true),
                ("one.two.three", false),
            ]
            try fixture.readNames(
                ["api-*.a.test": 1, "*.sub-*.a.test": 1, "*cdn.b.test": 1, "**.a*z.c.test": 1, "o*e.t*o": 1], allow443)
            for (number, (name, opens)) in cases.enumerated() {
                let address = Family.v4.outside(UInt16(100 + number))
                try fixture.resolve(name, [address], id: UInt16(number))
                #expect(try fixture.opens(address) == opens, "\(name)")
            }
        }

        @Test func `bytes that are none of names fit no star`() throws {
            try fixture.readNames(["a*.test": 1], allow443)
            for (number, byte) in [UInt8(ascii: "-"), 0, 32, 46, 64, 127, 200, 255].enumerated() {
                let address = Family.v4.outside(UInt16(number + 1)), id = UInt16(number + 1)
                // "ax.test" on the wire, with one byte for the x.
                func name(_ message: [UInt8]) -> [UInt8] {
                    message.enumerated().map { $0 == 14 ? byte : $1 }
                }
                let query = DNSMessage.query("ax.test", id: id, type: 1).bytes
                let answer = DNSMessage.answer("ax.test", id: id, [address], ttl: 300).bytes
                try fixture.send(
                    Packet.ip(Family.v4.own, to: Family.v4.peer).udp(Fixture.clientPort, 53, bytes: name(query)))
                let count = try fixture.reply(name(answer)).count(METRIC_DNS_ANSWER)
                #expect(count == 1)
                #expect(try fixture.opens(address) == (byte == UInt8(ascii: "-")), "\(byte)")
            }
        }

        @Test func `as many patterns as one name may have are all looked for`() throws {
            let texts = (0..<NameGlob.countMax).map { number in
                "n\(number)-" + String(repeating: "f", count: 50) + "*.test"
            }
            try fixture.readNames(Dictionary(uniqueKeysWithValues: texts.map { ($0, 1) }), allow443)
            for (number, text) in texts.enumerated() {
                let address = Family.v4.outside(UInt16(number + 1))
                try fixture.resolve(text.split(separator: "*").joined(separator: "ab"), [address], id: UInt16(number))
                #expect(try fixture.opens(address), "\(text)")
            }
        }

        /// Patterns and names of few letters, so that most nearly fit: against the model, whose tests are its own.
        @Test(arguments: 0..<8) func `random patterns mean to the kernel what they mean to the model`(seed: UInt64)
            throws
        {
            var numbers = SeededGenerator(seed: seed &+ 77)
            func text(_ length: ClosedRange<Int>, _ letters: [String]) -> String {
                (0..<Int.random(in: length, using: &numbers)).map { _ in letters.randomElement(using: &numbers) ?? "a" }
                    .joined()
            }
            var patterns: [String: NameSelector] = [:]
            while patterns.count < 24 {
                let labels = (0..<Int.random(in: 1...4, using: &numbers)).map { _ in
                    Int.random(in: 0..<6, using: &numbers) == 0 ? "**" : text(1...4, ["a", "b", "-", "*", "*", "7"])
                }
                let pattern = (labels + [["a.t", "b.t", "t", ""].randomElement(using: &numbers) ?? ""])
                    .filter { !$0.isEmpty }.joined(separator: ".")
                if let selector = NameSelector(pattern) { patterns[selector.description] = selector }
            }
            let texts = patterns.keys.sorted()
            try fixture.readNames(
                Dictionary(uniqueKeysWithValues: texts.enumerated().map { ($1, UInt32($0 % 12 + 1)) }), { $0 })
            var matched = 0
            for number in 0..<200 {
                let labels = (0..<Int.random(in: 1...4, using: &numbers)).map { _ in text(1...4, ["a", "b", "-", "7"]) }
                let name = (labels + [["a.t", "b.t", "t", "x"].randomElement(using: &numbers) ?? "t"])
                    .joined(separator: ".")
                let own = try #require(DomainName(name))
                let expected = Set(
                    texts.enumerated().filter { patterns[$1]?.matches(own) ?? false }.map { UInt32($0.offset % 12 + 1) }
                )
                let address = Family.v4.outside(UInt16(number + 1))
                try fixture.resolve(name, [address], id: UInt16(number))
                let found = Set(try fixture.numbers(of: address).map { $0 - Fixture.name(0).rawValue })
                #expect(found == expected, "\(name) \(texts)")
                if !expected.isEmpty { matched += 1 }
                if found != expected { return }
            }
            #expect(matched >= 20, "\(matched) of 200 names fit some pattern")
        }
    }
}

extension Fixture {
    /// The numbers of names that an address has for the endpoint: what the one bucket holds in which the kernel looks.
    func numbers(of address: IPAddress) throws -> Set<UInt32> {
        var config = fqdn_config()
        Fixture.nameHash.store(in: &config)
        let (high, low) = (address.high.bigEndian, address.low.bigEndian)
        let place = unsafe fqdn_scatter(&config, UInt32(Fixture.endpoint), high, low, 0)
        let own = address.kernelAddress
        var found: Set<UInt32> = []
        let bucket = Int(fqdn_bucket(place, UInt32(FQDN_NUMBER_BUCKETS)))
        unsafe maps.names.numbers.withElement(bucket, as: fqdn_fact_bucket.self) { bucket in
            for way in 0..<UInt32(FQDN_WAYS) {
                var fact = fqdn_fact()
                guard unsafe fqdn_read_fact(bucket, way, &fact) != 0 else { continue }
                var same = fqdn_fact(address: own, what: fact.what)
                if unsafe fqdn_is_same_fact(&same, &fact) != 0 { found.insert(UInt32(fact.what)) }
            }
        }
        return found
    }
}
