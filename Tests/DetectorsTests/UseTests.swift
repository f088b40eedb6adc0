// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import NetworkModel
import Testing

@testable import Detectors

@Suite struct UseTests {
    static let outside = Stage.address(198, 51, 100, 66)

    /// Reports of a pair whose connections open at `times` (seconds) and send `sizes` bytes.
    private func pair(
        client: IPAddress = Stage.workload, server: IPAddress = UseTests.outside, port: UInt16,
        ipProtocol: IPProtocol = .tcp, inside: (client: Bool, server: Bool) = (true, false), times: [Double],
        failed: Bool = false, stays: Bool = false, size: (Int) -> Double, received: Double = 800
    ) -> [Activity] {
        var activity = PairActivity(
            client: client, server: server, port: port, ipProtocol: ipProtocol, isClientInside: inside.client,
            isServerInside: inside.server, since: Stage.nanoseconds(times.first ?? 0), time: 0)
        var (mean, deviation, sizeMean, sizeDeviation) = (0.0, 0.0, 0.0, 0.0)
        return times.enumerated().map { index, time in
            activity.time = Stage.nanoseconds(time)
            activity.connections += 1
            if failed { activity.failed += 1 } else if !stays { activity.short += 1 }
            activity.connectionsPerMinute = UInt32(times[...index].reversed().prefix { $0 > time - 60 }.count)
            activity.bytesSent += UInt64(size(index))
            activity.bytesReceived += UInt64(received)
            if index > 0 {
                let interval = (time - times[index - 1]) * 1e6
                let weight = index == 1 ? 1 : 0.125
                deviation += index == 1 ? 0 : 0.125 * (abs(interval - mean) - deviation)
                mean += weight * (interval - mean)
                activity.intervals += 1
            }
            sizeDeviation += index == 0 ? 0 : 0.125 * (abs(size(index) - sizeMean) - sizeDeviation)
            sizeMean += (index == 0 ? 1 : 0.125) * (size(index) - sizeMean)
            (activity.intervalMean, activity.intervalDeviation) = (UInt64(mean), UInt64(deviation))
            (activity.sizeMean, activity.sizeDeviation) = (UInt32(sizeMean), UInt32(sizeDeviation))
            return .pair(activity)
        }
    }

    private func times(_ count: Int, every pause: Double, jitter: Double = 0, from begin: Double = 10) -> [Double] {
        var random = SystemlessRandom(seed: 42)
        var time = begin
        return (0..<count).map { _ in
            defer { time += pause * (1 + jitter * (2 * random.unit() - 1)) }
            return time
        }
    }

    @Test(arguments: [
        (22, 2900.0), (21, 900.0), (5900, 500.0), (3389, 4000.0), (445, 2500.0), (3306, 700.0), (5432, 600.0),
    ])
    func `guessing of passwords is found within two minutes`(port: Int, bytes: Double) throws {
        let attempts = pair(
            client: Stage.outsider, server: Stage.server, port: UInt16(port), inside: (false, true),
            times: times(60, every: 1.7, jitter: 0.3), size: { bytes + Double($0 % 5) * 12 }, received: bytes)
        let found = try #require(findings(attempts).first)
        #expect(found.detector == "password-guessing")
        #expect(found.technique == "T1110")
        #expect(found.time < 120 * Stage.second)
        #expect(found.source == Stage.outsider)
        #expect(found.port == UInt16(port))
    }

    @Test func `slow guessing is found in the end`() {
        let attempts = pair(
            client: Stage.outsider, server: Stage.server, port: 22, inside: (false, true),
            times: times(200, every: 13, jitter: 0.2), size: { 2900 + Double($0 % 3) * 40 }, received: 4000)
        #expect(findings(attempts).contains { $0.detector == "password-guessing" })
    }

    @Test func `applications without a connection pool, health checks, git and refused connections are no guessing`() {
        let pages = pair(
            server: Stage.server, port: 3306, inside: (true, true), times: times(3000, every: 0.2, jitter: 0.9),
            size: { 900 + Double($0 * 7919 % 13) * 700 }, received: 9000)
        let check = pair(
            server: Stage.server, port: 6379, inside: (true, true), times: times(300, every: 2, jitter: 0.005),
            size: { _ in 420 }, received: 300)
        let git = pair(
            client: Stage.outsider, server: Stage.server, port: 22, inside: (false, true),
            times: times(100, every: 4, jitter: 0.8), size: { 8000 + Double($0 * 31 % 7) * 3000 }, received: 90_000)
        let down = pair(
            server: Stage.server, port: 5432, inside: (true, true), times: times(300, every: 1.3, jitter: 0.3),
            failed: true,
            size: { _ in 60 }, received: 40)
        for traffic in [pages, check, git, down] { #expect(findings(traffic).isEmpty) }
    }

    @Test func `guessing on a clock from outside is no health check`() throws {
        let attempts = pair(
            client: Stage.outsider, server: Stage.server, port: 22, inside: (false, true), times: times(60, every: 1),
            size: { _ in 2929 }, received: 2800)
        #expect(try #require(findings(attempts).first).time < 60 * Stage.second)
    }

    @Test func `guessing that many sources share is found, and nobody is named`() throws {
        let attempts = (0..<12).flatMap { index in
            pair(
                client: Stage.host(index * 977), server: Stage.server, port: 22, inside: (false, true),
                times: times(5, every: 60, jitter: 0.4, from: 10 + Double(index) * 7), size: { _ in 1900 },
                received: 1800)
        }
        let found = findings(attempts)
        let first = try #require(found.first)
        #expect(found.allSatisfy { $0.detector == "password-guessing" && $0.source == nil })
        #expect(first.target == Stage.server && first.port == 22 && first.time < 600 * Stage.second)
    }

    @Test func `commands, copies and builds over SSH, pools, and mail of many are no guessing`() {
        let commands = pair(
            client: Stage.outsider, server: Stage.server, port: 22, inside: (false, true),
            times: times(120, every: 1.5, jitter: 0.4),
            size: { _ in 3673 }, received: 3561)
        // ansible and rsync: modules and files of all sizes; also from outside.
        let builds = pair(
            client: Stage.outsider, server: Stage.server, port: 22, inside: (false, true),
            times: times(200, every: 1.5, jitter: 0.6), size: { 3700 + Double($0 * 31 % 9) * 4000 }, received: 9000)
        let pool = pair(
            server: Stage.server, port: 5432, inside: (true, true), times: times(90, every: 0.5, jitter: 0.7),
            stays: true, size: { _ in 700 }, received: 900)
        let mail = (0..<200).flatMap { index in
            pair(
                client: Stage.host(index * 977), server: Stage.server, port: 993, inside: (false, true),
                times: times(6, every: 90, jitter: 0.4, from: Double(index)), size: { _ in 1200 }, received: 4000)
        }
        // Ten developers, of whom two mistype their passwords.
        let developers = (0..<10).flatMap { index in
            pair(
                client: Stage.host(index * 977), server: Stage.server, port: 22, inside: (false, true),
                times: times(6, every: 40, jitter: 0.4, from: Double(index)),
                size: { index < 2 ? 2900 : 9000 + Double($0 * 977 % 7) * 5000 }, received: 20_000)
        }
        for (index, traffic) in [commands, builds, pool, mail, developers].enumerated() {
            #expect(findings(traffic).isEmpty, "\(index): \(findings(traffic).map(\.summary))")
        }
    }

    @Test(arguments: [(60.0, 0.0), (60, 0.2), (30, 0.1), (300, 0.3)])
    func `beacons are found within their thirtieth call`(period: Double, jitter: Double) throws {
        let calls = pair(
            port: 443, times: times(30, every: period, jitter: jitter), size: { 900 + Double($0 % 4) * 20 })
        let found = try #require(findings(calls).first)
        #expect(found.detector == "beacon")
        #expect(found.technique == "T1071")
        #expect(found.target == UseTests.outside)
    }

    @Test func `checks inside, NTP, a person, and what all workloads call are no beacons`() {
        let inside = pair(
            server: Stage.server, port: 8080, inside: (true, true), times: times(300, every: 10), size: { _ in 300 })
        let probed = pair(
            client: UseTests.outside, server: Stage.server, port: 443, inside: (false, true),
            times: times(300, every: 10),
            size: { _ in 300 })
        let lan = pair(
            server: Stage.address(192, 168, 7, 7), port: 443, times: times(300, every: 10), size: { _ in 300 })
        let ntp = pair(port: 123, ipProtocol: .udp, times: times(300, every: 64), size: { _ in 76 })
        let person = pair(
            port: 443, times: times(200, every: 40, jitter: 0.95), size: { 500 + Double($0 * 977 % 50) * 100 })
        let starting = pair(port: 443, times: times(60, every: 10), size: { _ in 300 })
        for traffic in [inside, probed, lan, ntp, person, starting] { #expect(findings(traffic).isEmpty) }
        let everybody = (1...8).flatMap { index in
            pair(
                client: Stage.address(10, 0, 0, UInt32(index)), port: 443,
                times: times(60, every: 60, from: Double(index)),
                size: { _ in 700 })
        }
        #expect(findings(everybody).isEmpty)
    }

    /// A workload that sends `bytes` an hour, by the hour.
    private func hours(_ range: Range<Int>, server: IPAddress = UseTests.outside, bytes: (Int) -> UInt64) -> [Activity]
    {
        range.flatMap { hour in
            (0..<6).map { part in
                let time = UInt64(hour * 3600 + part * 600) * Stage.second
                var activity = PairActivity(
                    client: Stage.workload, server: server, port: 443, ipProtocol: .tcp, isClientInside: true,
                    isServerInside: false, since: time, time: time + Stage.second)
                activity.connections = 1
                activity.bytesSent = bytes(hour) / 6
                return .pair(activity)
            }
        }
    }

    @Test func `far more than ever before is unusual, a nightly backup is not`() throws {
        let usual = { (hour: Int) -> UInt64 in hour % 24 == 3 ? 12_000_000_000 : 30_000_000 }
        #expect(findings(hours(0..<72, bytes: usual)).isEmpty)
        let theft = hours(0..<50, bytes: usual) + hours(50..<51, server: Stage.host(9), bytes: { _ in 60_000_000_000 })
        let found = try #require(findings(theft).first { $0.detector == "volume-out" })
        #expect(found.source == Stage.workload)
        #expect(found.severity == .high)
        #expect(!findings(hours(0..<1, bytes: { _ in 900_000_000_000 })).contains { $0.detector == "volume-out" })
    }

    private func contact(_ server: IPAddress, _ port: UInt16, inside: Bool, at hour: Double) -> Activity {
        let time = Stage.nanoseconds(hour * 3600)
        var activity = PairActivity(
            client: Stage.workload, server: server, port: port, ipProtocol: .tcp, isClientInside: true,
            isServerInside: inside, since: time, time: time)
        activity.connections = 1
        return .pair(activity)
    }

    @Test func `a settled workload's first contact is said once, with what it was used to`() throws {
        let usual = (0..<30).map { contact(Stage.server, 5432, inside: true, at: Double($0)) }
        let ssh = Stage.address(10, 0, 0, 22)
        let found = findings(usual + [contact(ssh, 22, inside: true, at: 31), contact(ssh, 22, inside: true, at: 32)])
        #expect(found.map(\.detector) == ["first-contact"])
        #expect(found.first?.severity == .medium)
        #expect(found.first?.target == ssh)
        #expect(findings([contact(ssh, 22, inside: true, at: 1)]).isEmpty, "learning")
    }

    @Test func `workloads that always find new peers are never judged`() {
        let browser = (0..<4000).map { contact(Stage.host($0 * 256), 443, inside: false, at: Double($0) / 10) }
        #expect(findings(browser).isEmpty)
        let monthly = (0..<300).map { contact(Stage.host($0 / 4 * 256), 443, inside: false, at: Double($0)) }
        #expect(findings(monthly).isEmpty)
    }
}
