// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import NetworkModel
import Testing

@testable import Detectors

/// Counts saturate and records are read while they change: no figure may end the agent.
@Suite struct ExtremeTests {
    /// Few addresses, so that records meet again; figures at the ends of their ranges, small ones, and anything.
    private struct Source: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ state >> 33
        }

        mutating func number<Number: FixedWidthInteger & UnsignedInteger>() -> Number {
            switch next() % 6 {
            case 0: 0
            case 1: Number.max
            case 2: Number.max / 2 + 1
            case 3: Number(truncatingIfNeeded: next() % 64)
            case 4: Number.max - Number(truncatingIfNeeded: next() % 64)
            default: Number(truncatingIfNeeded: next())
            }
        }

        /// As the records of targets have them, with 32 bits.
        mutating func count() -> UInt64 { UInt64(number() as UInt32) }

        mutating func address() -> IPAddress {
            let number = UInt32(next() % 6)
            return next() % 3 == 0
                ? IPAddress(networkBytes: (0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, UInt8(number)))
                : IPAddress(v4: 0xc633_6400 + number)
        }

        mutating func bool() -> Bool { next() % 2 == 0 }

        mutating func port() -> UInt16 { [22, 23, 53, 80, 443, 3389, number()][Int(next() % 7)] }
    }

    private static func activity(_ random: inout Source, time: UInt64) -> Activity {
        let since = random.next() % 4 == 0 ? random.number() : time - min(time, random.next() % 120_000_000_000)
        switch random.next() % 4 {
        case 0:
            var source = SourceActivity(
                source: random.address(), length: 32, isInside: random.bool(), since: since, time: time)
            (source.packets, source.bytes) = (random.number(), random.number())
            (source.probes.syn, source.probes.fin, source.probes.null) = (
                random.number(), random.number(), random.number()
            )
            (source.probes.xmas, source.probes.ack, source.probes.udp) = (
                random.number(), random.number(), random.number()
            )
            (source.probes.oddFlags, source.probes.icmp, source.probes.arp) = (
                random.number(), random.number(), random.number()
            )
            (source.answered, source.refused, source.denied) = (random.number(), random.number(), random.number())
            (source.unanswered, source.established) = (random.number(), random.number())
            (source.distinctPorts, source.distinctHosts) = (random.number(), random.number())
            (source.distinctPairs, source.distinctFailures) = (random.number(), random.number())
            return .source(source)
        case 1:
            var target = TargetActivity(
                target: random.address(), isInside: random.bool(), since: since, time: time, isWhole: random.bool())
            (target.packets, target.bytes, target.syn) = (random.number(), random.number(), random.count())
            (target.established, target.udp, target.udpAnswered) = (random.count(), random.count(), random.count())
            (target.icmp, target.fragments, target.reflected) = (random.count(), random.count(), random.count())
            (target.reflectedBytes, target.strayTCP) = (random.number(), random.count())
            (target.distinctSources, target.distinctPorts) = (random.number(), random.number())
            (target.distinctProbers, target.failedProbes) = (random.number(), random.number())
            (target.topPort, target.reflectorPort) = (random.port(), random.port())
            return .target(target)
        case 2:
            var pair = PairActivity(
                client: random.address(), server: random.address(), port: random.port(),
                ipProtocol: IPProtocol(rawValue: random.bool() ? 6 : 17), isClientInside: random.bool(),
                isServerInside: random.bool(), since: since, time: time)
            (pair.connections, pair.failed, pair.short) = (random.number(), random.number(), random.number())
            (pair.connectionsPerMinute, pair.intervals) = (random.number(), random.number())
            (pair.bytesSent, pair.bytesReceived) = (random.number(), random.number())
            (pair.intervalMean, pair.intervalDeviation) = (random.number(), random.number())
            (pair.sizeMean, pair.sizeDeviation) = (random.number(), random.number())
            return .pair(pair)
        default:
            var zone = ZoneActivity(
                client: random.address(), isClientInside: random.bool(), zone: "z\(random.next() % 5).example",
                since: since, time: time)
            (zone.queries, zone.bulkyQueries, zone.notFound) = (random.number(), random.number(), random.number())
            (zone.distinctNames, zone.nameBytes) = (random.number(), random.number())
            (zone.longestLabel, zone.entropy, zone.answerBytes) = (random.number(), random.number(), random.number())
            return .zone(zone)
        }
    }

    @Test(arguments: 1...8)
    func `no figures of sensors end the detectors, wherever the clock stands`(seed: Int) {
        var random = Source(state: UInt64(seed) &* 0x9e37_79b9_7f4a_7c15)
        var detectors = DetectorSet()
        var time: UInt64 = 1_000_000_000_000
        var findings = 0
        for _ in 0..<20_000 {
            switch random.next() % 200 {
            case 0: time = random.number()
            case 1: time = 1_000_000_000_000 + random.next() % 1_000_000_000_000
            default: time &+= random.next() % 2_000_000_000
            }
            findings += detectors.consider(ExtremeTests.activity(&random, time: time)).count
        }
        #expect(findings > 100)
        #expect(!detectors.learnt(at: time).isEmpty)
    }
}
