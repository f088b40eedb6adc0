// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import IdentityModel
import NetworkModel
import TableEncoding
import Testing

extension DatapathTests {
    /// Who has to make room in the tables of names, and who never has to.
    @Suite struct NameRoomTests {
        private let fixture: Fixture

        init() throws {
            fixture = try Fixture.fresh()
            try fixture.readNames(["**.x.test": 1]) {
                $0.allow(.egress, .ports(.tcp, 443), peer: Fixture.name(1), rule: 31)
            }
        }

        private var config: fqdn_config {
            var config = fqdn_config()
            Fixture.nameHash.store(in: &config)
            return config
        }

        /// Gives endpoints addresses by the rules of both sides, as if learnt.
        private func note(_ number: UInt32, _ address: IPAddress, endpoint: UInt32, expires: UInt32, now: UInt32) {
            var fact = fqdn_fact(address: address.kernelAddress, what: UInt64(Fixture.name(number).rawValue))
            let place = unsafe withUnsafePointer(to: config) {
                unsafe fqdn_scatter($0, endpoint, address.high.bigEndian, address.low.bigEndian, 0)
            }
            let bucket = Int(fqdn_bucket(place, UInt32(FQDN_NUMBER_BUCKETS)))
            unsafe fixture.maps.names.numbers.withElement(bucket, as: fqdn_fact_bucket.self) {
                #expect(unsafe fqdn_note_fact($0, &fact, fqdn_tag(place, endpoint), expires, now) != 0)
            }
        }

        @Test func `an endpoint that learns without end pushes out only its own`() throws {
            let (now, later): (UInt32, UInt32) = (1000, 2_000_000_000)
            let others = (0..<2000).map { Family.v6.outside(UInt16($0)) }
            for (number, address) in others.enumerated() {
                note(1, address, endpoint: 100 + UInt32(number % 50), expires: later, now: now)
            }
            for number in 0..<400_000 {
                note(1, IPAddress(v4: 0xc000_0000 | UInt32(number)), endpoint: 8, expires: later, now: now)
            }
            let numbers = fixture.maps.names.numbers.byteCount / fixture.maps.names.numbers.elementStride
            let held = (100..<150).reduce(0) { $0 + NameMaps.count(fixture.maps.names.numbers, of: UInt16($1)) }
            #expect(held == others.count)
            // It has all the rest.
            #expect(NameMaps.count(fixture.maps.names.numbers, of: 8) == numbers * Int(FQDN_WAYS) - others.count)
        }

        @Test func `in a full table the endpoint that comes late gets its part`() throws {
            for number in 0..<400_000 {
                note(1, IPAddress(v4: 0xc000_0000 | UInt32(number)), endpoint: 8, expires: 2_000_000_000, now: 1)
            }
            for number in 0..<200 {
                let address = Family.v4.outside(UInt16(number))
                try fixture.resolve("a.x.test", [address], id: UInt16(number))
            }
            for number in 0..<200 {
                #expect(try fixture.opens(Family.v4.outside(UInt16(number))), "\(number)")
            }
        }

        @Test func `what has expired goes first, then what came first`() throws {
            let later: UInt32 = 2_000_000_000
            // One address, so one bucket; numbers as many as it has room for, and more.
            let address = Family.v4.outside(1)
            note(100, address, endpoint: 7, expires: 5, now: 1)
            for number in 0..<15 { note(UInt32(number), address, endpoint: 7, expires: later, now: 1) }
            note(50, address, endpoint: 7, expires: later, now: 10)
            #expect(try numbers(of: address) == Set((0..<15).map { $0 } + [50]))
            note(51, address, endpoint: 7, expires: later, now: 10)
            note(52, address, endpoint: 7, expires: later, now: 10)
            let left = try numbers(of: address)
            #expect(left.count == 16 && left.isSuperset(of: [51, 52]))
            // Known already: nothing goes.
            note(52, address, endpoint: 7, expires: later + 1, now: 10)
            #expect(try numbers(of: address) == left)
        }

        private func numbers(of address: IPAddress) throws -> Set<UInt32> {
            Set(try fixture.numbers(of: address).map { $0 - Fixture.name(0).rawValue })
        }

        private func fill(_ table: borrowing MappedArray, with mark: UInt64) {
            for bucket in stride(from: 0, to: table.byteCount, by: table.elementStride) {
                for way in 0..<Int(FQDN_WAYS) { table.write(mark, at: bucket + 8 * way) }
            }
        }

        @Test func `questions without answers make room for questions`() throws {
            // Every place is taken by questions of this endpoint that nobody answers.
            let mark = UInt64(UInt32.max / 2) << 32 | UInt64(Fixture.endpoint) << 16 | 1
            fill(fixture.maps.names.queries, with: mark)
            let address = Family.v4.outside(1)
            try fixture.resolve("a.x.test", [address])
            #expect(try fixture.opens(address))
        }
    }
}
