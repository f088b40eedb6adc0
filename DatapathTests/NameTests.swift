// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import EventModel
import IdentityModel
import NetworkModel
import Testing

extension DatapathTests {
    /// Names as peers: what an answer opens, for whom, how long, and what of it is never believed.
    @Suite struct NameTests {
        private let fixture: Fixture
        private let address = Family.v4.outside(1)

        init() throws { fixture = try Fixture.fresh() }

        private func allow443(_ policy: TestPolicy) -> TestPolicy {
            policy.allow(.egress, .ports(.tcp, 443), peer: Fixture.name(1), rule: 31)
        }

        @Test(arguments: Family.allCases)
        func `an answer opens its addresses before it is delivered, on the rule's ports alone`(_ family: Family) throws
        {
            try fixture.readNames(["api.example.org": 1], allow443)
            let address = family.outside(1)
            try fixture.connect(address).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: Fixture.defaultDenyRule)
            let answer = try fixture.resolve("API.example.ORG", [address], family: family)
            #expect(answer.passed && answer.count(METRIC_DNS_LEARNED) == 1)
            try fixture.connect(address).expectPass(rule: 31, state: .new)
            try fixture.connect(address, 80).expectDrop(DROP_POLICY_DEFAULT_DENY, rule: Fixture.defaultDenyRule)
            #expect(try !fixture.opens(family.outside(2)))
        }

        @Test func `patterns stand for exactly the names they say`() throws {
            let longest = (0..<121).map { _ in "a" }.joined(separator: ".") + ".deep.test"
            let cases: [(String, Bool)] = [
                ("api.x.test", true), ("a.api.x.test", false), ("pi.x.test", false), ("a.one.test", true),
                ("b.a.one.test", false), ("one.test", false), ("deep.test", false), ("a.deep.test", true),
                ("a.b.c.deep.test", true), ("xdeep.test", false), ("a.deep.test.evil", false),
                (String(repeating: "l", count: 63) + ".deep.test", true), (longest, true),
            ]
            try fixture.readNames(["api.x.test": 1, "*.one.test": 1, "**.deep.test": 1], allow443)
            for (number, (name, opens)) in cases.enumerated() {
                let address = Family.v4.outside(UInt16(100 + number))
                try fixture.resolve(name, [address], id: UInt16(number))
                #expect(try fixture.opens(address) == opens, "\(name)")
            }
        }

        @Test func `the pattern for every name stands for every name`() throws {
            try fixture.readNames(["*": 1], allow443)
            try fixture.resolve("any.thing.at.all", [address])
            #expect(try fixture.opens(address))
        }

        @Test func `a deny by name beats an allow by name, and the other way round by priority`() throws {
            try fixture.readNames(["**.example.org": 1, "bad.example.org": 2]) {
                allow443($0).deny(.egress, .everything, peer: Fixture.name(2), rule: 32)
            }
            let bad = Family.v4.outside(2)
            try fixture.resolve("good.example.org", [address])
            try fixture.resolve("bad.example.org", [bad])
            try fixture.connect(address).expectPass(rule: 31, state: .new)
            try fixture.connect(bad).expectDrop(DROP_POLICY_DENY, rule: 32)
            // A shared address: what the forbidden name has is forbidden.
            try fixture.resolve("bad.example.org", [address])
            try fixture.connect(address).expectDrop(DROP_POLICY_DENY, rule: 32)
        }

        @Test func `a rule of another tier asks for names as well`() throws {
            try fixture.readNames(["api.example.org": 1]) {
                TestPolicy(tier: 1).deny(.egress, .ports(.tcp, 443), peer: Fixture.name(1), rule: 33)
                    .then($0.allow(.egress, .everything, rule: 34))
            }
            try fixture.connect(address).expectPass(rule: 34, state: .new)
            try fixture.resolve("api.example.org", [address])
            try fixture.connect(address).expectDrop(DROP_POLICY_DENY, rule: 33)
        }

        @Test func `an address of two names keeps each name's own expiry`() throws {
            try fixture.readNames(["a.test": 1, "b.test": 2], grace: 0) {
                allow443($0).allow(.egress, .ports(.tcp, 80), peer: Fixture.name(2), rule: 32)
            }
            try fixture.resolve("a.test", [address], ttl: 1)
            try fixture.resolve("b.test", [address], ttl: 300)
            #expect(try fixture.connect(address).passed)
            try fixture.ageNames(bySeconds: 2)
            #expect(try !fixture.connect(address).passed)
            #expect(try fixture.connect(address, 80).passed)
        }

        @Test func `time to live and grace are kept, and a shorter answer takes nothing away`() throws {
            try fixture.readNames(["a.test": 1], grace: 5, ttlMin: 0, allow443)
            try fixture.resolve("a.test", [address], ttl: 0)
            #expect(try fixture.opens(address))
            try fixture.ageNames(bySeconds: 6)
            #expect(try !fixture.opens(address))
            try fixture.resolve("a.test", [address], ttl: 300)
            try fixture.resolve("a.test", [address], ttl: 1)
            try fixture.ageNames(bySeconds: 200)
            #expect(try fixture.opens(address))
            // The top bit set means zero (RFC 2181).
            let other = Family.v4.outside(2)
            try fixture.resolve("a.test", [other], ttl: 0x8000_0e10)
            try fixture.ageNames(bySeconds: 10)
            #expect(try !fixture.opens(other))
        }

        @Test func `an open connection outlives the name, also when policy changes`() throws {
            try fixture.readNames(["a.test": 1], grace: 0, allow443)
            try fixture.resolve("a.test", [address], ttl: 1)
            try fixture.forgetFlows()
            let packet = Packet.ip(Family.v4.own, to: address)
            #expect(try fixture.send(packet.tcp(41000, 443, .syn)).passed)
            try fixture.ageNames(bySeconds: 60)
            try fixture.commitNames { allow443($0).allow(.egress, .ports(.tcp, 1), rule: 35) }
            let later = try fixture.send(packet.tcp(41000, 443, .ack))
            #expect(later.passed && later.count(METRIC_REEVALUATED) == 1)
            #expect(try fixture.send(packet.tcp(41001, 443, .syn)).action == 2)
            try fixture.commitNames { $0.allow(.egress, .ports(.tcp, 1), rule: 35) }
            try fixture.send(packet.tcp(41000, 443, .ack))
                .expectDrop(DROP_POLICY_DEFAULT_DENY, rule: Fixture.defaultDenyRule)
        }

        @Test func `names open no workload, no host, no link, no metadata service`() throws {
            try fixture.readNames(["a.test": 1], allow443)
            let never = [
                "127.0.0.1", "0.0.0.0", "169.254.169.254", "224.0.0.5", "255.255.255.255", "100.100.100.200",
                "168.63.129.16", "::1", "::", "fe80::1", "ff02::1", "fd00:ec2::254", "64:ff9b::a9fe:a9fe",
                "::ffff:127.0.0.1",
            ].compactMap { IPAddress($0) }
            #expect(never.count == 14)
            let outcome = try fixture.resolve("a.test", never)
            #expect(outcome.count(METRIC_DNS_FORBIDDEN) == 14 && outcome.count(METRIC_DNS_LEARNED) == 0)
            // Workloads are known by identity, at the moment of the connection.
            try fixture.resolve("a.test", [Family.v4.stranger, Family.v6.stranger])
            for family in Family.allCases { #expect(try !fixture.opens(family.stranger)) }
            // A private address that is nobody's is the world.
            let mine = try #require(IPAddress("10.77.1.1"))
            try fixture.resolve("a.test", [mine])
            #expect(try fixture.opens(mine))
        }
    }
}

extension Fixture {
    /// Lets everything that was learnt look so much older.
    func ageNames(bySeconds seconds: UInt32) throws {
        NameMaps.changeMarks(of: maps.names.numbers) { $0 - UInt64(seconds) << 32 }
        NameMaps.changeMarks(of: maps.names.history) { $0 - UInt64(seconds) << 32 }
    }
}
