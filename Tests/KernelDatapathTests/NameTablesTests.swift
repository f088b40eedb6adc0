// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import Glibc
import IdentityModel
import KernelTesting
import NetworkModel
import PolicyCompiler
import Testing

@testable import KernelDatapath

extension DatapathKernelTests {
    /// The agent's part of names: numbers that come late, go, and come back for another name.
    @Suite struct NameTablesTests {
        private static let resolver = IPAddress(v4: 0x0acb_0701)

        /// A datapath that reads a resolver's answers, and the programs that read them.
        private final class Field {
            let datapath: Datapath
            let pins: PinnedObjects
            let context: PacketContext

            init(_ bench: Workbench) throws {
                let datapath = try bench.datapath()
                try datapath.attach(bench.endpoint())
                try datapath.replace(with: .open)
                try datapath.configureNames(NameSettings(resolvers: [resolver]))
                // Assigned last: what holds what cannot be copied is built whole or not at all.
                self.datapath = datapath
                pins = PinnedObjects(directory: bench.directory)
                context = PacketContext(ifindex: bench.endpoint().interface)
            }

            /// The endpoint asks, and gets these addresses.
            func resolve(_ name: String, _ addresses: [IPAddress], id: UInt16 = 1) throws {
                var question: [UInt8] = []
                for label in name.split(separator: ".") {
                    question.append(UInt8(label.utf8.count))
                    question.append(contentsOf: label.utf8)
                }
                question += [0, 0, 1, 0, 1]
                var query: [UInt8] = bytes(id)
                query += [1, 0, 0, 1, 0, 0, 0, 0, 0, 0]
                query += question
                var answer: [UInt8] = bytes(id)
                answer += [0x81, 0x80, 0, 1, 0, UInt8(addresses.count), 0, 0, 0, 0]
                answer += question
                for address in addresses {
                    answer += [0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4]
                    answer += words(address.v4Bits)
                }
                let asked = datagram(from: 0x0acb_0702, 40053, to: 0x0acb_0701, 53, query)
                let told = datagram(from: 0x0acb_0701, 53, to: 0x0acb_0702, 40053, answer)
                _ = try pins.program("tc_dns_query").testRun(packet: asked, context: context)
                _ = try pins.program("tc_dns_answer").testRun(packet: told, context: context)
            }

            private func bytes(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xff)] }

            private func words(_ value: UInt32) -> [UInt8] {
                bytes(UInt16(value >> 16)) + bytes(UInt16(truncatingIfNeeded: value))
            }

            private func datagram(
                from source: UInt32, _ sourcePort: UInt16, to destination: UInt32, _ port: UInt16, _ message: [UInt8]
            ) -> [UInt8] {
                let length = UInt16(8 + message.count)
                var packet = [UInt8](repeating: 2, count: 12)
                packet += [8, 0, 0x45, 0]
                packet += bytes(20 + length)
                packet += [0, 0, 0, 0, 64, 17, 0, 0]
                packet += words(source) + words(destination)
                packet += bytes(sourcePort) + bytes(port)
                packet += bytes(length) + [0, 0]
                return packet + message
            }

            /// The addresses that have each number.
            func numbered() throws -> [UInt32: Set<IPAddress>] {
                let table = try NameTable(pins.mapDescriptor(MapName.nameNumbers), MapName.nameNumbers)
                var found: [UInt32: Set<IPAddress>] = [:]
                table.forEachMark { mark, place in
                    guard let fact = table.value(at: place, whileMarked: mark, as: fqdn_fact.self) else { return }
                    found[UInt32(fact.what), default: []].insert(IPAddress(fact.address))
                }
                return found
            }

            func setNames(_ names: [String: UInt32]) throws {
                var numbers: [NameSelector: NumericIdentity] = [:]
                for (text, number) in names {
                    numbers[try #require(NameSelector(text))] = NumericIdentity(rawValue: Field.first + number)
                }
                try datapath.setNames(numbers)
            }

            static let first = NumericIdentity.nameRange.lowerBound
        }

        private func addresses(_ range: Range<UInt32>) -> [IPAddress] { range.map { IPAddress(v4: 0xc633_0000 | $0) } }

        @Test func `a name that comes late knows what it would have known from the beginning`() async throws {
            try await Workbench.run { bench in
                let field = try Field(bench)
                try field.setNames(["*.early.test": 1])
                // As many as an answer holds, of several answers, and of names that share addresses.
                for (id, first) in [0, 60, 120].enumerated() {
                    let all = addresses(UInt32(first)..<UInt32(first + 64))
                    try field.resolve("a.early.test", all, id: UInt16(id))
                    try field.resolve("a.late.test", all, id: UInt16(id + 100))
                }
                try field.resolve("b.late.test", addresses(500..<510))
                try field.setNames(["*.early.test": 1, "*.late.test": 2, "b.late.test": 3])
                let found = try field.numbered()
                #expect(found[Field.first + 1] == Set(addresses(0..<184)))
                #expect(found[Field.first + 2] == Set(addresses(0..<184) + addresses(500..<510)))
                #expect(found[Field.first + 3] == Set(addresses(500..<510)))
                let listed = try field.datapath.learntNames()
                #expect(listed.first { $0.name == DomainName("a.late.test") }?.addresses.count == 184)
            }
        }

        @Test func `patterns with a star inside come and go, and outlive their agent`() async throws {
            try await Workbench.run { bench in
                do {
                    let field = try Field(bench)
                    try field.setNames(["api-*.test": 1, "*cdn.test": 2, "*.test": 3])
                    try field.resolve("api-1.test", addresses(0..<1))
                    try field.setNames(["api-*.test": 1, "*.b-*.test": 4])
                    try field.resolve("api-2.test", addresses(1..<2))
                    try field.resolve("xcdn.test", addresses(2..<3))
                }
                let field = try Field(bench)
                // The same again: nothing is lost by it, and what was there before is known.
                try field.setNames(["api-*.test": 1, "*.b-*.test": 4])
                try field.resolve("api-3.test", addresses(3..<4))
                try field.resolve("a.b-.test", addresses(4..<5))
                try field.setNames(["api-*.test": 1, "*cdn.test": 5])
                let found = try field.numbered()
                #expect(found[Field.first + 1] == Set(addresses(0..<2) + addresses(3..<4)))
                #expect(found[Field.first + 4] == Set(addresses(4..<5)))
                #expect(found[Field.first + 5] == Set(addresses(2..<3)))
                let globs: BPFMap<fqdn_glob_key, fqdn_glob> = try field.pins.map(MapName.nameGlobs)
                try field.setNames(["a.test": 1])
                var left = 0
                try globs.forEach { _, _ in left += 1 }
                #expect(left == 0)
            }
        }

        @Test func `names that did not fit leave nothing behind`() async throws {
            try await Workbench.run { bench in
                let field = try Field(bench)
                let crowd = (0..<UInt32(66_000)).map { ("n\($0).test", $0) }
                #expect(throws: DatapathError.self) { try field.setNames(Dictionary(uniqueKeysWithValues: crowd)) }
                try field.setNames(["new.test": 1])
                for name in ["n0.test", "n1.test", "n2.test", "n65999.test"] {
                    try field.resolve(name, addresses(0..<4))
                }
                try field.resolve("new.test", addresses(8..<9), id: 2)
                #expect(try field.numbered() == [Field.first + 1: Set(addresses(8..<9))])
                let selectors: BPFMap<fqdn_selector_key, fqdn_selector> = try field.pins.map(MapName.nameSelectors)
                var left = 0
                try selectors.forEach { _, _ in left += 1 }
                #expect(left == 1)
            }
        }

        @Test func `a number that another name had opens nothing of it`() async throws {
            try await Workbench.run { bench in
                let field = try Field(bench)
                try field.setNames(["old.test": 1])
                try field.resolve("old.test", addresses(0..<4))
                try field.setNames([:])
                try field.resolve("new.test", addresses(8..<9))
                try field.setNames(["new.test": 1])
                #expect(try field.numbered() == [Field.first + 1: Set(addresses(8..<9))])
                // And at once, without a moment in between.
                try field.setNames(["old.test": 1])
                #expect(try field.numbered() == [Field.first + 1: Set(addresses(0..<4))])
            }
        }

        @Test func `a late name is taken in where the table of addresses is full`() async throws {
            try await Workbench.run { bench in
                let field = try Field(bench)
                try field.resolve("late.test", addresses(0..<30))
                var config = fqdn_config()
                let settings: BPFMap<UInt32, fqdn_config> = try field.pins.map(MapName.nameConfig)
                config = try #require(try settings.value(for: 0))
                do {
                    let table = try NameTable(field.pins.mapDescriptor(MapName.nameNumbers), MapName.nameNumbers)
                    for number in 0..<400_000 {
                        let address = IPAddress(v4: 0x0b00_0000 | UInt32(number))
                        table.note(
                            .init(endpoint: 9, address: address, number: Field.first + 7, expires: .max / 2), config,
                            now: 1)
                    }
                }
                try field.setNames(["late.test": 1])
                #expect(try field.numbered()[Field.first + 1] == Set(addresses(0..<30)))
                // What no endpoint holds any more goes with the sweep.
                try field.datapath.sweepNames()
                #expect(Set(try field.numbered().keys) == [Field.first + 1])
            }
        }

        @Test func `what was asked of a resolver that is listed no longer is not believed`() async throws {
            try await Workbench.run { bench in
                let field = try Field(bench)
                try field.setNames(["a.test": 1])
                try field.resolve("a.test", addresses(0..<1))
                try field.datapath.configureNames(NameSettings(resolvers: [IPAddress(v4: 1)]))
                try field.resolve("a.test", addresses(1..<2))
                #expect(try field.numbered() == [Field.first + 1: Set(addresses(0..<1))])
            }
        }

        @Test func `a start makes room of a place that a killed agent had taken and not filled`() async throws {
            try await Workbench.run { bench in
                do { _ = try Field(bench) }
                let pins = PinnedObjects(directory: bench.directory)
                let numbers = try MappedArray(pins.mapDescriptor(MapName.nameNumbers), name: MapName.nameNumbers)
                let offset = 5 * numbers.elementStride + 3 * MemoryLayout<UInt64>.stride
                numbers.write(UInt64(0xffff_ffff) << 32 | 1 << 16, at: offset)
                _ = try bench.datapath()
                #expect(numbers.value(at: offset, as: UInt64.self) == 0)
            }
        }

        @Test func `a start puts the readers back where they were taken out`() async throws {
            try await Workbench.run { bench in
                do { _ = try Field(bench) }
                let pins = PinnedObjects(directory: bench.directory)
                let readers: BPFMap<UInt32, UInt32> = try pins.map("dns_programs_map")
                for direction: UInt32 in [0, 1] { #expect(try readers.remove(direction)) }
                #expect(try readers.value(for: 1) == nil)
                _ = try bench.datapath()
                for direction: UInt32 in [0, 1] { #expect(try readers.value(for: direction) != nil) }
            }
        }
    }
}
