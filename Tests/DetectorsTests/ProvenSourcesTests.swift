// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import NetworkModel
import Testing

@testable import Detectors

@Suite struct ProvenSourcesTests {
    private static let second: UInt64 = 1_000_000_000

    private func source(
        _ text: String, length: UInt8 = 32, established: UInt32, probes: UInt32 = 0, at seconds: UInt64 = 1
    ) throws -> Activity {
        let time = seconds * ProvenSourcesTests.second
        var source = SourceActivity(
            source: try #require(IPAddress(text)), length: length, isInside: false, since: 0, time: time)
        source.established = established
        source.probes.syn = probes
        return .source(source)
    }

    private func pair(
        _ text: String, isInside: Bool = false, connections: UInt32 = 1, at seconds: UInt64 = 2
    ) throws -> Activity {
        var pair = PairActivity(
            client: try #require(IPAddress(text)), server: IPAddress(v4: 1), port: 22, ipProtocol: .tcp,
            isClientInside: isInside, isServerInside: true, since: 0, time: seconds * ProvenSourcesTests.second)
        pair.connections = connections
        return .pair(pair)
    }

    @Test func `handshakes prove a source for ten minutes`() throws {
        var proven = ProvenSources()
        proven.note(try source("192.0.2.1", established: 0))
        #expect(!proven.isProven(try pair("192.0.2.1")))
        proven.note(try source("192.0.2.1", established: 5))
        #expect(proven.isProven(try pair("192.0.2.1", connections: 20)))
        #expect(!proven.isProven(try pair("192.0.2.2")))
        #expect(!proven.isProven(try pair("192.0.2.1", at: 601)))
        #expect(proven.isProven(try pair("10.0.0.1", isInside: true)))
    }

    @Test func `who is named by forged SYNs besides using the host is not proven`() throws {
        var proven = ProvenSources()
        proven.note(try source("192.0.2.1", established: 5))
        #expect(!proven.isProven(try pair("192.0.2.1", connections: 21)))
        #expect(!proven.isProven(try source("192.0.2.1", established: 5, probes: 300)), "a scan in his name")
        #expect(proven.isProven(try source("192.0.2.1", established: 5, probes: 20)))
        #expect(!proven.isProven(try source("192.0.2.1", established: 0, probes: 300)))
    }

    @Test func `what shares a network of IPv6 is proven together`() throws {
        var proven = ProvenSources()
        proven.note(try source("2001:db8:1:2::", length: 64, established: 1))
        #expect(proven.isProven(try pair("2001:db8:1:2::7")))
        #expect(!proven.isProven(try pair("2001:db8:1:3::7")))
    }

    @Test func `a crowd of sources does not grow the memory without end`() throws {
        var proven = ProvenSources()
        let count = ProvenSources.capacity + 2
        for number in 0..<count {
            proven.note(
                try source("\(IPAddress(v4: 0xc000_0000 + UInt32(number)))", established: 1, at: UInt64(number)))
        }
        let last = IPAddress(v4: 0xc000_0000 + UInt32(count - 1))
        #expect(proven.isProven(try pair("\(last)", at: UInt64(count))))
        #expect(proven.count <= ProvenSources.capacity)
    }
}
