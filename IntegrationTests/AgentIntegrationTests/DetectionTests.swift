// SPDX-License-Identifier: Apache-2.0

import AlertPipeline
import ControlAPI
import LinuxHost
import TestBed
import Testing

/// Real attacks on a real host, and what its agent says of them, from the first packet to the alert.
@Suite(.serialized) struct DetectionTests {
    /// Expects that the command-line tool lists what was told.
    private func expectListed(
        _ field: DetectionField, _ notices: [AlertNoticeRecord], sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let listed = try await field.listed()
        for notice in notices {
            let alert = listed.first { $0.id == notice.alert.id }
            #expect(
                alert?.detector == notice.alert.detector && alert?.source == notice.alert.source
                    && alert?.technique == notice.alert.technique && alert?.evidence.isEmpty == false,
                "\(notice.alert.detector): \(listed)", sourceLocation: sourceLocation)
        }
    }

    @Test func `every kind of scan by nmap is named within a second, and slow ones in time`() async throws {
        try await withTestBed(subnet: 71) { bed in
            let field = try await DetectionField(bed)
            let target = field.host.hostAddresses[0]
            var notices: [AlertNoticeRecord] = []
            // Slow ones go on beside the others.
            let polite = try await field.attacker(40), slow = try await field.attacker(41)
            let politeRun = try NmapRun(["-sS", "-T2", target], from: polite.namespace)
            let slowRun = try NmapRun(
                ["-sS", "-p", "1000-1100", "--scan-delay", "5s", "--max-retries", "0", target], from: slow.namespace)
            var repeats = 0
            for (index, kind) in ["-sS", "-sT", "-sF", "-sX", "-sN", "-sA", "-sU"].enumerated() {
                let detector = ["-sS", "-sT", "-sU"].contains(kind) ? "port-scan" : "stealth-scan"
                func scan(from number: Int) async throws -> Double {
                    let attacker = try await field.attacker(number)
                    let run = try NmapRun([kind, "--top-ports", "1000", target], from: attacker.namespace)
                    let notice = try await field.wait(for: detector, source: attacker.address4, within: .seconds(10))
                    #expect(
                        notice.alert.target == target && notice.alert.technique == "T1046", "\(kind): \(notice.alert)")
                    notices.append(notice)
                    await run.process.kill()
                    return run.delay(of: notice)
                }
                var delays = [try await scan(from: 20 + index)]
                // A machine that is busy with something else may make one late, not two.
                if delays[0] > 1 {
                    repeats += 1
                    delays.append(try await scan(from: 50 + index))
                }
                #expect((delays.min() ?? .infinity) <= 1, "\(kind): \(delays) s")
            }
            let six = try await field.attacker(30)
            let run = try NmapRun(["-6", "-sS", field.host.hostAddresses[1]], from: six.namespace)
            let network = "fdbb:\(bed.subnet):7::/64"
            let notice = try await field.wait(for: "port-scan", source: network, within: .seconds(10))
            #expect(run.delay(of: notice) <= 1, "IPv6: \(run.delay(of: notice)) s")
            notices.append(notice)
            await run.process.kill()
            let politeNotice = try await field.wait(for: "port-scan", source: polite.address4, within: .seconds(10))
            await politeRun.process.kill()
            var politeDelays = [politeRun.delay(of: politeNotice)]
            if politeDelays[0] > 5 {
                repeats += 1
                let other = try await field.attacker(60)
                let again = try NmapRun(["-sS", "-T2", target], from: other.namespace)
                notices.append(try await field.wait(for: "port-scan", source: other.address4, within: .seconds(20)))
                politeDelays.append(again.delay(of: notices[notices.count - 1]))
                await again.process.kill()
            }
            #expect((politeDelays.min() ?? .infinity) <= 5, "-T2: \(politeDelays) s")
            let slowNotice = try await field.wait(for: "slow-scan", source: slow.address4, within: .seconds(35))
            #expect(slowRun.delay(of: slowNotice) <= 26, "one in 5 s: \(slowRun.delay(of: slowNotice)) s")
            await slowRun.process.kill()
            try await expectListed(field, notices + [politeNotice, slowNotice])
            // One scan has one name, and nothing else is said.
            #expect(field.told.count == 10 + repeats, "\(field.summaries)")
        }
    }

    @Test func `scans of many hosts, fan-out and floods are named in time`() async throws {
        try await withTestBed(subnet: 71) { bed in
            let field = try await DetectionField(bed)
            let target = field.host.hostAddresses[0]
            var notices: [AlertNoticeRecord] = []
            func scanWidely(from number: Int) async throws -> Double {
                let attacker = try await field.attacker(number)
                let wide = try NmapRun(["-sS", "-p", "22", "10.\(bed.byte).3.0/24"], from: attacker.namespace)
                let notice = try await field.wait(
                    for: "network-scan", source: attacker.address4, within: .seconds(10))
                notices.append(notice)
                await wide.process.kill()
                return wide.delay(of: notice)
            }
            var delays = [try await scanWidely(from: 20)]
            // As above: one may be late, not two.
            if delays[0] > 1 { delays.append(try await scanWidely(from: 21)) }
            #expect((delays.min() ?? .infinity) <= 1, "horizontal: \(delays) s")
            let worm = try NmapRun(
                ["-sS", "-p", "445", "--min-rate", "50", "--max-rate", "50", "--max-retries", "0", "198.51.100.0/24"],
                from: field.workload.namespace)
            let spread = try await field.wait(for: "fan-out", source: field.workload.address4, within: .seconds(10))
            #expect(worm.delay(of: spread) <= 2, "fan-out: \(worm.delay(of: spread)) s")
            #expect(spread.alert.sourceName == "web" && spread.alert.technique == "T1210", "\(spread.alert)")
            notices.append(spread)
            await worm.process.kill()
            for (rate, bound, address) in [(2000, 2.0, target), (30_000, 1.0, field.workload.address4)] {
                let mac = try await field.hardwareAddress
                let flood = SynFlood(
                    target: networkBytes(address), port: 80,
                    hardwareAddress: mac.split(separator: ":").compactMap { UInt8($0, radix: 16) }, interface: "eth0")
                let begin = secondsOfDay(Timestamp.now())
                async let sent = flood.send(from: field.host.client, rate: rate, for: .seconds(3))
                let notice = try await field.wait(for: "syn-flood", source: nil, target: address, within: .seconds(10))
                let delay = secondsSince(begin, notice.time)
                #expect(delay <= bound, "\(rate)/s: \(delay) s")
                #expect(notice.alert.port == 80 && notice.alert.technique == "T1499.001", "\(notice.alert)")
                notices.append(notice)
                #expect(try await sent > rate)
            }
            try await expectListed(field, notices)
        }
    }

    @Test func `floods by hping3 with other protocols are named within two seconds`() async throws {
        try await withTestBed(subnet: 71) { bed in
            let field = try await DetectionField(bed)
            let target = field.host.hostAddresses[0]
            let attacker = try await field.attacker(20)
            for (detector, arguments) in [
                ("udp-flood", ["--udp", "-p", "9"]), ("icmp-flood", ["--icmp"]),
                ("fragment-flood", ["--udp", "-p", "9", "--frag", "-d", "1200", "-m", "256"]),
            ] {
                let begin = secondsOfDay(Timestamp.now())
                let run = try attacker.namespace.start(["hping3", "-q", "-i", "u300"] + arguments + [target])
                let notice = try await field.wait(for: detector, source: nil, target: target, within: .seconds(10))
                let delay = secondsSince(begin, notice.time)
                #expect(delay <= 2, "\(detector): \(delay) s")
                await run.kill()
            }
        }
    }
}
