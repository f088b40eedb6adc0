// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import NetworkModel
import Testing

@testable import Detectors

/// Attacks packet by packet, through the native sensors: what is found, how soon, and that nothing else is said.
@Suite struct AttackTests {
    private let names = { (scene: Scene) in Set(scene.findings.map(\.detector)) }

    @Test(arguments: [(30_000, 1.0), (2000, 2.0)], [true, false])
    func `SYN floods are found in time, and named forged where they are`(
        rate: (perSecond: Int, bound: Double), isForged: Bool
    ) throws {
        var scene = Scene()
        for index in 0..<rate.perSecond * 3 {
            let source =
                isForged ? IPAddress(v4: UInt32(truncatingIfNeeded: scene.random.next()) | 1 << 31) : Stage.outsider
            let time = 0.3 + Double(index) / Double(rate.perSecond)
            scene.tcp(source, scene.port(), Stage.server, 443, Scene.syn, number: UInt32(index), at: time)
        }
        scene.play()
        let flood = try #require(scene.first("syn-flood"))
        #expect(flood.seconds - 0.3 <= rate.bound)
        #expect(flood.finding.target == Stage.server)
        #expect(flood.finding.source == nil)
        #expect((scene.first("spoofed-flood") != nil) == isForged)
        if !isForged { #expect(names(scene) == ["syn-flood"]) }
    }

    @Test(arguments: ["udp-flood", "icmp-flood", "fragment-flood", "amplification"])
    func `other floods are found within two seconds`(name: String) throws {
        var scene = Scene()
        for index in 0..<6000 {
            let time = 0.2 + Double(index) / 2000
            switch name {
            case "udp-flood": scene.udp(Stage.outsider, scene.port(), Stage.server, 9, payload: 400, at: time)
            case "icmp-flood":
                scene.ipv4(Stage.outsider, Stage.server, 1, [8, 0, 0, 0, 0, 1, 0, 1], payload: 900, at: time)
            case "fragment-flood":
                scene.ipv4(Stage.outsider, Stage.server, 17, [], payload: 1400, at: time, fragment: 0x2000 | 185)
            default: scene.udp(Stage.host(index % 300), 123, Stage.server, 41_000, payload: 440, at: time)
            }
        }
        scene.play()
        let flood = try #require(scene.first(name))
        #expect(flood.seconds <= 2.2)
        #expect(flood.finding.source == nil)
        #expect(names(scene).subtracting([name]).isSubset(of: ["spoofed-flood"]), "\(names(scene))")
    }

    @Test(arguments: ["sS", "sT", "sF", "sX", "sN", "sA", "sU"])
    func `scans of a thousand ports are found within a second by one detector`(kind: String) throws {
        var scene = Scene()
        let order = (1...1000).shuffled(using: &scene.random)
        for (index, port) in order.enumerated() {
            let time = 0.1 + Double(index) / 900
            let from: UInt16 = kind == "sT" ? scene.port() : 51_000
            switch kind {
            case "sU":
                scene.udp(Stage.outsider, from, Stage.server, UInt16(port), payload: 0, at: time)
                if index < 6 { scene.unreachable(Stage.outsider, from, Stage.server, UInt16(port), at: time + 0.001) }
            case "sS", "sT":
                scene.probe(Stage.outsider, from, Stage.server, UInt16(port), at: time, isRefused: port % 3 > 0)
            default:
                let flags: UInt8 = ["sF": 0x01, "sX": 0x29, "sN": 0, "sA": Scene.ack][kind] ?? 0
                scene.probe(Stage.outsider, from, Stage.server, UInt16(port), flags: flags, at: time)
            }
        }
        scene.play()
        let expected = ["sS", "sT", "sU"].contains(kind) ? "port-scan" : "stealth-scan"
        let scan = try #require(scene.first(expected), "\(scene.findings.map(\.summary))")
        #expect(scan.seconds - 0.1 <= 1)
        #expect(scan.finding.source == Stage.outsider)
        #expect(names(scene) == [expected], "\(scene.findings.map(\.summary))")
    }

    @Test(arguments: [true, false])
    func `a polite and a very slow scan are found in time`(isRefused: Bool) throws {
        var polite = Scene()
        for index in 0..<60 {
            polite.probe(
                Stage.outsider, 51_000, Stage.server, UInt16(20 + index), at: Double(index) * 0.4, isRefused: isRefused)
        }
        polite.play()
        #expect(try #require(polite.findings.first).time <= 5 * Stage.second)
        #expect(names(polite) == ["port-scan"])
        var slow = Scene()
        for (index, port) in [22, 80, 443, 3306, 8080, 25].enumerated() {
            slow.probe(Stage.outsider, 51_000, Stage.server, UInt16(port), at: Double(index) * 5, isRefused: isRefused)
        }
        slow.play()
        #expect(try #require(slow.findings.first).time <= 26 * Stage.second)
        #expect(names(slow) == ["slow-scan"])
    }

    @Test(arguments: [true, false])
    func `horizontal scans are found within a second`(isInside: Bool) throws {
        var scene = Scene()
        for index in 1...254 {
            let host = Stage.address(10, 0, 1, UInt32(index))
            scene.probe(isInside ? Stage.workload : Stage.outsider, 51_000, host, 22, at: 0.1 + Double(index) / 300)
        }
        scene.play()
        let scan = try #require(scene.first("network-scan"))
        #expect(scan.seconds - 0.1 <= 1)
        #expect(scan.finding.port == 22)
    }

    @Test func `ten hosts tried at once and then a pause are a scan within a second, with its hosts and its port`()
        throws
    {
        var scene = Scene()
        // Somebody answers a ping of his in the same moment.
        scene.echo(Stage.outsider, Stage.server, at: 0.1)
        for index in 1...30 {
            let time = 0.101 + Double(index) / 10_000 + Double((index - 1) / 10) * 1.1
            scene.probe(
                Stage.outsider, 51_000, Stage.address(10, 0, 1, UInt32(index)), 22, at: time, isRefused: false)
        }
        scene.play()
        let scan = try #require(scene.first("network-scan"))
        #expect(scan.seconds - 0.1 <= 1, "\(scan.seconds)")
        #expect(scan.finding.port == 22 && scan.finding.source == Stage.outsider)
        #expect(scan.finding.summary.contains("tried port 22 of "), "\(scan.finding.summary)")
        #expect(names(scene) == ["network-scan"], "\(scene.findings.map(\.summary))")
    }

    @Test(arguments: [true, false])
    func `fan-out of fifty hosts a second is found within two seconds`(isRefused: Bool) throws {
        var scene = Scene()
        for index in 0..<200 {
            scene.probe(
                Stage.workload, scene.port(), Stage.host(index * 311), 445, at: 0.1 + Double(index) / 50,
                isRefused: isRefused)
        }
        scene.play()
        let worm = try #require(scene.first("fan-out"))
        #expect(worm.seconds - 0.1 <= 2)
        #expect(worm.finding.source == Stage.workload)
    }

    @Test func `sweeps by ping and by ARP are found`() {
        var ping = Scene()
        for index in 1...200 {
            ping.echo(
                Stage.outsider, Stage.address(10, 0, 2, UInt32(index)), at: Double(index) / 100,
                isAnswered: index % 10 == 0)
        }
        ping.play()
        #expect(names(ping) == ["host-sweep"])
        var arp = Scene()
        for index in 1...200 {
            arp.arp(
                Stage.workload, Stage.address(10, 0, 0, UInt32(index)), at: Double(index) / 100,
                isAnswered: index % 10 == 0)
        }
        arp.play()
        #expect(names(arp) == ["host-sweep"])
    }

    @Test func `guessing of SSH passwords is found within two minutes`() throws {
        var scene = Scene()
        var time = 0.0
        for _ in 0..<60 {
            scene.connection(
                Stage.outsider, scene.port(), Stage.server, 22, at: time, sent: 700, received: 600, exchanges: 4,
                pause: 0.3)
            time += 1.5 + scene.random.unit()
        }
        scene.play()
        #expect(try #require(scene.first("password-guessing")).seconds < 120)
        #expect(names(scene) == ["password-guessing"])
    }

    @Test(arguments: [false, true])
    func `sixty guesses of 0.8 seconds, 40 a minute, are found, also where six go on side by side`(
        isParallel: Bool
    ) throws {
        var scene = Scene()
        for index in 0..<(isParallel ? 240 : 60) {
            scene.connection(
                Stage.outsider, scene.port(), Stage.server, 22, at: 1 + Double(index) * (isParallel ? 0.15 : 1.5),
                sent: 500, received: 450, exchanges: 6, pause: 0.12)
        }
        scene.play()
        #expect(try #require(scene.first("password-guessing")).seconds < 30)
        #expect(names(scene) == ["password-guessing"])
    }

    @Test func `a beacon is found within half an hour`() throws {
        var scene = Scene()
        var time = 5.0
        for _ in 0..<40 {
            scene.connection(Stage.workload, scene.port(), UseTests.outside, 443, at: time, sent: 400, received: 300)
            time += 60 * (0.9 + 0.2 * scene.random.unit())
        }
        scene.play()
        #expect(try #require(scene.first("beacon")).seconds < 1800)
        #expect(names(scene) == ["beacon"])
    }
}
