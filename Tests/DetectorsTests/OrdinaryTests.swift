// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import NetworkModel
import Testing

@testable import Detectors

/// Ten virtual minutes of ordinary traffic, packet by packet, through the native sensors: not one finding.
@Suite struct OrdinaryTests {
    private static let minutes = 10.0
    private let balancer = Stage.address(192, 168, 1, 2)
    private let app = Stage.address(10, 0, 0, 30)
    private let resolver = Stage.address(8, 8, 8, 8)

    /// Plays `traffic` for ten minutes, second by second, and lists what was found.
    private func play(_ traffic: (inout Scene, Double) -> Void) -> (found: [String], packets: Int) {
        var scene = Scene()
        for second in 0..<Int(OrdinaryTests.minutes * 60) {
            traffic(&scene, Double(second))
            scene.play(until: Double(second))
        }
        scene.play()
        return (scene.findings.map { "\($0.detector): \($0.summary)" }, scene.seen)
    }

    /// How often something happens within a second, at random moments.
    private func moments(_ perSecond: Double, _ second: Double, _ scene: inout Scene) -> [Double] {
        let whole = Int(perSecond) + (scene.random.unit() < perSecond - perSecond.rounded(.down) ? 1 : 0)
        return (0..<whole).map { _ in second + scene.random.unit() }
    }

    @Test func `the web, with and without keep-alive, and 200 users behind one address`() {
        let result = play { scene, second in
            for time in moments(25, second, &scene) {
                let user = Stage.host(Int(scene.random.next() % 60))
                scene.connection(
                    user, scene.port(), Stage.server, 443, at: time, sent: 600, received: 12_000, trip: 0.04)
            }
            for time in moments(0.5, second, &scene) {
                let user = Stage.host(100 + Int(scene.random.next() % 40))
                scene.connection(
                    user, scene.port(), Stage.server, 443, at: time, sent: 500, received: 8000, exchanges: 20,
                    pause: 1.5, trip: 0.03)
            }
            for time in moments(40, second, &scene) {
                let port: UInt16 = scene.random.next() % 4 == 0 ? 80 : 443
                if scene.random.next() % 50 == 0 {
                    // Somebody closes the lid: the rest of the connection is a reset.
                    let client = scene.port()
                    let end = scene.connection(
                        Stage.outsider, client, Stage.server, port, at: time, sent: 500, received: 3000, closes: false)
                    scene.tcp(Stage.outsider, client, Stage.server, port, Scene.rst, number: 5, at: end)
                } else {
                    scene.connection(
                        Stage.outsider, scene.port(), Stage.server, port, at: time, sent: 700, received: 9000,
                        trip: 0.05)
                }
            }
        }
        #expect(result.found.isEmpty, "\(result.found)")
        #expect(result.packets > 300_000)
    }

    @Test func `a crawler, its resolver, NTP, and downloads of packages`() {
        let result = play { scene, second in
            for time in moments(10, second, &scene) {
                let index = Int(scene.random.next() % 40_000)
                let name = "www.site\(index % 900).example"
                let isGone = scene.random.unit() < 0.02
                scene.ask(
                    app, scene.port(), resolver, name, at: time, code: isGone ? 3 : 0,
                    isAnswered: scene.random.unit() > 0.01)
                let host = Stage.host(5000 + index * 3)
                let luck = scene.random.unit()
                if luck < 0.12 {
                    scene.probe(app, scene.port(), host, 443, at: time + 0.05)
                } else if luck < 0.18 {
                    let from = scene.port()
                    for wait in [0.0, 1, 3] {
                        scene.probe(app, from, host, 443, at: time + 0.05 + wait, isRefused: false)
                    }
                } else {
                    scene.connection(
                        app, scene.port(), host, 443, at: time + 0.05, sent: 500, received: 20_000, trip: 0.08)
                }
            }
            if Int(second) % 64 == 3 {
                scene.udp(app, 123, Stage.host(77), 123, payload: 48, at: second)
                scene.udp(Stage.host(77), 123, app, 123, payload: 48, at: second + 0.03)
            }
            if Int(second) % 120 == 60 {
                for index in 0..<60 {
                    let mirror = Stage.host(300 + index % 3)
                    scene.connection(
                        Stage.workload, scene.port(), mirror, 80, at: second + Double(index) / 40, sent: 300,
                        received: 300_000)
                }
            }
        }
        #expect(result.found.isEmpty, "\(result.found)")
    }

    @Test
    func `health checks with a dead target, monitoring by ping, a database without a pool, administration by SSH`() {
        let result = play { scene, second in
            if Int(second) % 2 == 0 {
                for backend in 0..<10 {
                    let host = Stage.address(10, 0, 4, UInt32(backend))
                    let time = second + Double(backend) / 100
                    if backend == 7 {
                        scene.probe(balancer, scene.port(), host, 8080, at: time)
                    } else {
                        scene.connection(balancer, scene.port(), host, 8080, at: time, sent: 90, received: 160)
                    }
                }
                scene.connection(
                    balancer, scene.port(), Stage.address(10, 0, 0, 63), 6379, at: second + 0.5, sent: 14, received: 7)
            }
            if Int(second) % 10 == 0 {
                for index in 1...50 {
                    let host = Stage.address(10, 0, 5, UInt32(index))
                    scene.echo(balancer, host, at: second + Double(index) / 200, isAnswered: index % 25 != 0)
                    scene.arp(
                        Stage.address(10, 0, 0, 1), host, at: second + Double(index) / 200, isAnswered: index % 25 != 0)
                }
                scene.connection(
                    Stage.workload, scene.port(), Stage.host(42), 443, at: second + 0.7, sent: 200, received: 400)
            }
            for time in moments(6, second, &scene) {
                let rows = Int(scene.random.next() % 9000)
                scene.connection(
                    app, scene.port(), Stage.address(10, 0, 0, 33), 3306, at: time, sent: 200 + rows / 9,
                    received: 300 + rows,
                    exchanges: 3, trip: 0.001)
            }
            if Int(second) % 12 == 5 {
                let bytes = 20_000 + Int(scene.random.next() % 90_000)
                scene.connection(
                    Stage.host(9), scene.port(), Stage.server, 22, at: second, sent: 900 + bytes / 20, received: bytes,
                    exchanges: 4)
            }
            if second == 100 {
                for hop in 0..<16 {
                    let port = UInt16(33_434 + 40 + hop)
                    scene.udp(Stage.outsider, 40_000, Stage.server, port, payload: 32, at: second + Double(hop) / 100)
                    scene.unreachable(
                        Stage.outsider, 40_000, Stage.server, port, at: second + Double(hop) / 100 + 0.001)
                }
            }
        }
        #expect(result.found.isEmpty, "\(result.found)")
    }

    @Test func `iperf3 over TCP and UDP, a backup, a resolver for many`() {
        let result = play { scene, second in
            if second == 30 {
                scene.connection(
                    Stage.host(8), 50_100, Stage.server, 5201, at: second, sent: 100, received: 100, closes: false)
                scene.connection(
                    Stage.host(8), 50_102, Stage.server, 5201, at: second + 0.1, sent: 60_000_000, received: 40,
                    closes: false)
            }
            if second == 60 {
                scene.connection(Stage.host(8), 50_200, Stage.server, 5201, at: second, sent: 200, received: 100)
                scene.udp(Stage.host(8), 50_201, Stage.server, 5201, payload: 4, at: second + 0.2)
                scene.udp(Stage.server, 5201, Stage.host(8), 50_201, payload: 4, at: second + 0.21)
            }
            if second >= 61, second < 66 {
                for index in 0..<8000 {
                    let time = second + Double(index) / 8000
                    scene.udp(Stage.host(8), 50_201, Stage.server, 5201, payload: 1448, at: time)
                }
            }
            if second == 90 {
                scene.connection(app, 50_300, Stage.host(4), 443, at: second, sent: 30_000_000, received: 400)
            }
            for time in moments(150, second, &scene) {
                let user = Stage.host(600 + Int(scene.random.next() % 300))
                let name =
                    ["www", "mail", "api"][Int(scene.random.next() % 3)] + ".shop\(scene.random.next() % 200).example"
                scene.ask(user, scene.port(), Stage.address(10, 0, 0, 53), name, at: time)
            }
        }
        #expect(result.found.isEmpty, "\(result.found)")
    }
}
