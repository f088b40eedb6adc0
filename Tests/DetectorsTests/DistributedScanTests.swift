// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import NetworkModel
import Testing

@testable import Detectors

/// Who probes together, and who only looks so because others are about.
@Suite struct DistributedScanTests {
    private static let name = "distributed-scan"

    private func told(_ scene: Scene) -> [String] {
        scene.findings.filter { $0.detector == Self.name }.map(\.summary)
    }

    /// One source tries the first `count` ports, and is refused.
    private func scan(_ scene: inout Scene, ports count: Int, from begin: Double, perSecond: Double = 900) {
        for (index, port) in (1...count).shuffled(using: &scene.random).enumerated() {
            scene.probe(
                Stage.outsider, 51_000, Stage.server, UInt16(port), at: begin + Double(index) / perSecond)
        }
    }

    /// `count` sources try `ports` ports each, all different, a round after the other within four seconds.
    private func share(_ scene: inout Scene, among count: Int, ports: Int, from begin: Double) {
        for round in 0..<ports {
            for index in 0..<count {
                let time = begin + 4 * (Double(round * count + index) / Double(ports * count))
                let port = UInt16(10_000 + round * count + index)
                scene.probe(Stage.host(index * 257), scene.port(), Stage.server, port, at: time)
            }
        }
    }

    @Test(arguments: [1000, 10_000])
    func `one scanner among clients that are answered is no distributed scan`(ports: Int) {
        var scene = Scene()
        scan(&scene, ports: ports, from: 1, perSecond: Double(ports))
        for index in 0..<60 {
            let client = Stage.host(index * 257)
            scene.connection(
                client, scene.port(), Stage.server, 443, at: Double(index) / 20, sent: 300, received: 3000)
        }
        scene.play()
        #expect(scene.first("port-scan") != nil)
        #expect(told(scene).isEmpty, "\(told(scene))")
    }

    @Test func `one scanner among many clients of a service that is down is no distributed scan`() {
        var scene = Scene()
        scan(&scene, ports: 1000, from: 1)
        for index in 0..<150 {
            scene.probe(Stage.host(index * 257), scene.port(), Stage.server, 8443, at: 0.5 + Double(index) / 40)
        }
        scene.play()
        #expect(told(scene).isEmpty, "\(told(scene))")
    }

    @Test(arguments: [0.5, 4.0], [true, false])
    func `a flood with forged sources on one port does not scan with a scanner beside it`(
        begin: Double, isRefused: Bool
    ) {
        var scene = Scene()
        scan(&scene, ports: 857, from: begin)
        for index in 0..<12_000 {
            let source = IPAddress(v4: UInt32(truncatingIfNeeded: scene.random.next()) | 1 << 31)
            scene.probe(
                source, scene.port(), Stage.server, 443, at: 2 + Double(index) / 2000, isRefused: isRefused)
        }
        scene.play()
        #expect(scene.first("spoofed-flood") != nil)
        #expect(told(scene).isEmpty, "\(told(scene))")
    }

    @Test func `a few scanners among clients do not become as many as the clients`() {
        var scene = Scene()
        for scanner in 0..<7 {
            for port in 0..<20 {
                let time = 1 + Double(port) / 4 + Double(scanner) / 100
                let source = Stage.address(198, 51, 100, UInt32(scanner))
                scene.probe(source, 51_000, Stage.server, UInt16(2000 + scanner * 20 + port), at: time)
            }
        }
        for index in 0..<40 {
            let client = Stage.host(index * 257)
            scene.connection(
                client, scene.port(), Stage.server, 443, at: Double(index) / 20, sent: 300, received: 3000)
        }
        scene.play()
        #expect(told(scene).isEmpty, "\(told(scene))")
    }

    @Test func `what a sensor under load holds of a scanner stands for all that he tried`() {
        var scanner = SourceActivity(
            source: Stage.outsider, length: 32, isInside: false, since: 0, time: Stage.second)
        (scanner.distinctPorts, scanner.distinctPairs, scanner.distinctHosts) = (54, 54, 1)
        (scanner.distinctFailures, scanner.probes.syn, scanner.refused) = (54, 864, 864)
        scanner.samples = [ProbeSample(destination: Stage.server, port: 5, ipProtocol: .tcp)]
        let flooded = second(1) {
            ($0.syn, $0.topPort) = (90_000, 443)
            ($0.distinctProbers, $0.distinctPorts, $0.failedProbes) = (5000, 857, 840)
        }
        #expect(!findings([.source(scanner), flooded]).contains { $0.detector == Self.name })
        #expect(findings([flooded]).contains { $0.detector == Self.name })
    }

    @Test(arguments: [2, 4, 8], [0, 200])
    func `a distributed scan is found, also beside one who scans alone`(ports: Int, alone: Int) throws {
        var scene = Scene()
        if alone > 0 { scan(&scene, ports: alone, from: 0.5) }
        share(&scene, among: 400 / ports, ports: ports, from: 2)
        scene.play()
        let found = try #require(scene.first(Self.name), "\(scene.findings.map(\.summary))")
        #expect(found.seconds <= (alone == 0 ? 3 : 5))
        #expect(found.finding.source == nil && found.finding.target == Stage.server)
        let beside = found.finding.evidence.first { $0.name == "known_alone" }?.value
        #expect(beside == .number(alone == 0 ? 0 : 1))
    }

    @Test func `who scans for an hour does not hide others for ever`() {
        var known = KnownProbers()
        var source = SourceActivity(source: Stage.outsider, length: 32, isInside: false, since: 0, time: 0)
        (source.distinctPorts, source.distinctPairs, source.distinctHosts) = (700, 700, 1)
        (source.distinctFailures, source.probes.syn, source.refused) = (700, 700, 700)
        source.samples = [ProbeSample(destination: Stage.server, port: 5, ipProtocol: .tcp)]
        for minute in 0..<60 {
            source.since = UInt64(minute) * 60 * Stage.second
            source.time = source.since + 59 * Stage.second
            known.note(source)
        }
        let now = known.account(of: Stage.server, at: source.time, each: 32, crowd: 16)
        // Eight minutes of 382 bits each are what the target's record may hold; a scanner explains these, and not much more.
        #expect(now.alone == 1 && now.failures > 8 * 382 && now.failures < 20 * 382)
        let later = known.account(of: Stage.server, at: source.time + 721 * Stage.second, each: 32, crowd: 16)
        #expect(later.alone == 0 && later.failures == 0)
    }
}
