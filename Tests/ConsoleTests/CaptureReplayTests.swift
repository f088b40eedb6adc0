// SPDX-License-Identifier: Apache-2.0

import CaptureReading
import ControlAPI
import DetectionModel
import Detectors
import NetworkModel
import Testing

@testable import Console

/// A capture of raw IPv4 in memory; addresses in host order.
private struct ScanCapture {
    var packets: [CapturedPacket] = []
    static let scanner: UInt32 = 0xcb00_7107
    static let server: UInt32 = 0x0a00_0005

    mutating func add(
        _ time: UInt64, from source: UInt32, _ sourcePort: UInt16, to target: UInt32, _ port: UInt16, _ flags: UInt8
    ) {
        let ports = [sourcePort, port].flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
        let addresses = [source, target].flatMap { value in
            (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(24 - 8 * $0)) }
        }
        let bytes: [UInt8] =
            [0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0] + addresses + ports
            + [0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 0x20, 0, 0, 0, 0, 0]
        packets.append(
            CapturedPacket(
                number: packets.count + 1, time: time, linkType: .raw, originalLength: bytes.count, bytes: bytes))
    }

    /// A hundred ports in a second, each of which answers with a reset.
    static func scan(from begin: UInt64) -> ScanCapture {
        var capture = ScanCapture()
        for port in UInt16(1)...100 {
            let time = begin + UInt64(port) * 10_000_000
            capture.add(time, from: scanner, 40_000, to: server, port, 0x02)
            capture.add(time + 100_000, from: server, port, to: scanner, 40_000, 0x14)
        }
        return capture
    }

    func findings(inside: [CIDR] = [CIDR("10.0.0.0/8")].compactMap(\.self)) throws -> [Finding] {
        var replay = try CaptureReplay(detectors: DetectorConfiguration(), inside: PrefixSet(inside))
        var findings: [Finding] = []
        for packet in packets { replay.take(packet) { findings.append($0) } }
        replay.finish { findings.append($0) }
        return findings
    }
}

@Suite struct CaptureReplayTests {
    private static let begin: UInt64 = 1_790_000_000_000_000_000

    @Test func `a scan is found with the capture's times, also where its clock begins at zero`() throws {
        for begin in [0, CaptureReplayTests.begin] {
            let findings = try ScanCapture.scan(from: begin).findings()
            let scan = try #require(findings.first { $0.detector == "port-scan" }, "\(findings)")
            #expect(scan.source == IPAddress("203.0.113.7"))
            #expect(scan.target == IPAddress("10.0.0.5"))
            #expect((begin...begin + 1_500_000_000).contains(scan.time), "\(scan.time)")
            #expect((begin...scan.time).contains(scan.since), "\(scan.since)")
        }
    }

    @Test func `a clock that is set back does not hold what follows up`() throws {
        var capture = ScanCapture()
        capture.add(CaptureReplayTests.begin, from: ScanCapture.server, 5000, to: ScanCapture.scanner, 443, 0x10)
        let earlier = CaptureReplayTests.begin - 3600 * 1_000_000_000
        capture.packets += ScanCapture.scan(from: earlier).packets
        let scan = try #require(try capture.findings().first { $0.detector == "port-scan" })
        #expect((earlier...earlier + 1_500_000_000).contains(scan.time), "\(scan.time)")
    }

    /// The second time leaves the clock inside, which begins at 1000 s, just before the end of 64 bits, or beyond.
    @Test(arguments: [UInt64.max, UInt64.max - 1_000_000_000_000, UInt64.max - 1_001_000_000_000, UInt64.max / 2])
    func `times that no clock can show end nothing`(time: UInt64) throws {
        var capture = ScanCapture()
        for time in [0, time, 0, time] {
            capture.add(time, from: ScanCapture.scanner, 5000, to: ScanCapture.server, 443, 0x02)
        }
        capture.packets += ScanCapture.scan(from: time - 100_000_000_000).packets
        let scan = try #require(try capture.findings().first { $0.detector == "port-scan" })
        #expect((time - 100_000_000_000...time).contains(scan.time), "\(scan.time)")
    }

    @Test func `packets that are nothing to sensors are counted and harm nothing`() throws {
        var replay = try CaptureReplay(detectors: DetectorConfiguration(), inside: PrefixSet([]))
        for bytes in [[], [0x45], [0x10, 0], [UInt8](repeating: 0xff, count: 60)] as [[UInt8]] {
            let packet = CapturedPacket(
                number: 1, time: 5, linkType: .raw, originalLength: bytes.count, bytes: bytes)
            replay.take(packet) { Issue.record("\($0)") }
        }
        replay.finish { Issue.record("\($0)") }
        #expect(replay.counters.packets == 4)
        #expect(replay.counters.unread == 4)
    }

    @Test func `a line of JSON has all keys`() throws {
        var finding = Finding(
            time: CaptureReplayTests.begin + 5, since: CaptureReplayTests.begin, detector: "syn-flood",
            severity: .critical,
            technique: "T1499.001", summary: "many", evidence: [Evidence("syn_per_second", .number(30_000))])
        finding.port = 443
        let line = String(decoding: try APICoding.encode(ReplayFinding(finding)), as: UTF8.self)
        #expect(
            line == """
                {"detector":"syn-flood","evidence":{"port":443,"since":"2026-09-21T14:13:20.000000000Z",\
                "summary":"many","syn_per_second":30000},"severity":"critical","source":null,"target":null,\
                "technique":"T1499.001","time":"2026-09-21T14:13:20.000000005Z"}
                """)
    }
}
