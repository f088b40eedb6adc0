// SPDX-License-Identifier: Apache-2.0

import CDatapathABI
import DetectionModel
import NetworkModel
import Sensing
import Testing

/// Attacks on the sensors themselves.
@Suite struct PoisoningTests {
    let sensors: NativeSensors

    init() throws { sensors = try #require(NativeSensors()) }

    private func failures(of address: UInt32) -> UInt32 {
        sensors.takeActivities().compactMap(\.asSource).filter { $0.source == IPAddress(v4: address) }
            .map(\.distinctFailures).max() ?? 0
    }

    @Test func `tables take the same memory whatever comes`() {
        #expect(NativeSensors.memory <= 64 << 20)
    }

    @Test(arguments: [UInt16(80), nil])
    func `a flood of forged sources pushes no slow scanner out`(port: UInt16?) {
        var forger = Forger()
        // 30 000 a second for 30 seconds, and one that tries a port every five.
        for number in 0..<900_000 {
            let time = start + UInt64(number) * 33_333
            sensors.see(forger.forge(port: port), at: time)
            if number % 150_000 == 75_000 {
                sensors.see(Frames.tcp(stranger, 40_000, server, UInt16(2000 + number / 150_000), Frames.syn), at: time)
            }
            if number % 100_000 == 0 { sensors.sweep(time: time) }
        }
        sensors.sweep(time: start + 31 * second)
        #expect(failures(of: stranger) >= 5)
    }

    @Test func `who was known before a flood is known after it`() {
        var forger = Forger()
        for port in 1...10 { sensors.see(Frames.tcp(stranger, 40_000, server, UInt16(port), Frames.syn), at: start) }
        for number in 0..<500_000 {
            sensors.see(forger.forge(), at: start + second + UInt64(number) * 10_000)
        }
        _ = sensors.takeActivities()
        for port in 11...30 {
            sensors.see(Frames.tcp(stranger, 40_000, server, UInt16(port), Frames.syn), at: start + 8 * second)
        }
        sensors.sweep(time: start + 10 * second)
        #expect(failures(of: stranger) >= 28, "the ten before the flood and the twenty after it")
    }

    @Test func `a flood of forged datagrams makes no reply look like a probe`() {
        var forger = Forger()
        for number in 0..<300_000 {
            let time = start + UInt64(number) * 10_000
            var frame = forger.forge()
            frame[23] = 17
            frame[38] = 0
            frame[39] = 20
            sensors.see(frame, at: time)
            // A name server answers; the host asks it from a new port each time.
            if number % 1000 == 0 {
                let port = UInt16(40_000 + number / 1000)
                sensors.see(Frames.udp(server, port, stranger, 53), at: time)
            }
            if number % 1000 == 700 {
                sensors.see(Frames.udp(stranger, 53, server, UInt16(40_000 + number / 1000)), at: time)
            }
        }
        let reports = sensors.takeActivities().compactMap(\.asSource)
        #expect(!reports.contains { $0.source == IPAddress(v4: stranger) && $0.probes.total > 0 })
        let asker = reports.last { $0.source == IPAddress(v4: server) }
        #expect((asker?.answered ?? 0) > 200)
    }

    /// Sources that somebody chose so that a hash without a secret would put them together.
    enum Pattern: CaseIterable, Sendable {
        case counting, stride, lowBits, highBits, palindromes

        func word(_ number: UInt32) -> UInt32 {
            switch self {
            case .counting: 0x2000_0000 &+ number
            case .stride: number &* 2048
            case .lowBits: number << 12
            case .highBits: number.byteSwapped
            case .palindromes: number << 16 | UInt32(UInt16(truncatingIfNeeded: number).byteSwapped)
            }
        }
    }

    @Test(arguments: Pattern.allCases, [true, false])
    func `chosen addresses fill no set, so that who scans is known among them`(pattern: Pattern, isIPv4: Bool) {
        let prober: [UInt8] = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1]
        let target: [UInt8] = [0xfd] + [UInt8](repeating: 0, count: 14) + [1]
        var frame =
            isIPv4
            ? Frames.tcp(stranger, 40_000, server, 80, Frames.syn) : Frames.tcp6(prober, 40_000, target, 80, Frames.syn)
        // Of IPv6 the half counts that a source may choose least of.
        for number in UInt32(0)..<150_000 {
            let time = start + UInt64(number) * 33_333, word = pattern.word(number)
            for byte in 0..<4 {
                frame[(isIPv4 ? 26 : 25) + byte] = UInt8(truncatingIfNeeded: word >> UInt32(24 - 8 * byte))
            }
            // Three things each, so that they ask for records.
            frame[isIPv4 ? 37 : 57] = UInt8(truncatingIfNeeded: number % 3)
            sensors.see(frame, at: time)
            if number % 5000 == 0 {
                let port = UInt16(2000 + number / 5000)
                sensors.see(
                    isIPv4
                        ? Frames.tcp(stranger, 40_000, server, port, Frames.syn)
                        : Frames.tcp6(prober, 40_000, target, port, Frames.syn), at: time)
            }
        }
        sensors.sweep(time: start + 7 * second)
        let found = sensors.takeActivities().compactMap(\.asSource).filter {
            $0.source == (isIPv4 ? IPAddress(v4: stranger) : IPAddress(high: 0x2001_0db8_0000_0007, low: 0))
        }
        #expect((found.map(\.distinctFailures).max() ?? 0) >= 24, "\(found.last as Any)")
    }

    @Test(arguments: [UInt8(1), 77, 201])
    func `chosen ports and hosts are estimated under every secret`(seed: UInt8) throws {
        let key = (0..<48).map { UInt8(truncatingIfNeeded: ($0 + 1) * Int(seed) * 59) ^ seed }
        let steps: [UInt32] = [1, 2, 16, 128]
        for (index, step) in steps.enumerated() {
            let sensors = try #require(NativeSensors(key: key))
            for number in UInt32(0)..<200 {
                let host = 0x0a00_0000 | number * step * 251
                let port = UInt16(truncatingIfNeeded: 1 + number * step)
                sensors.see(Frames.tcp(stranger, 40_000, server, port, Frames.syn), at: start)
                sensors.see(Frames.tcp(stranger + 1, 40_000, host, 445, Frames.syn), at: start)
            }
            sensors.sweep(time: start + 3 * second)
            let found = sensors.takeActivities().compactMap(\.asSource)
            let ports = found.last { $0.source == IPAddress(v4: stranger) }?.distinctPorts ?? 0
            let hosts = found.last { $0.source == IPAddress(v4: stranger + 1) }?.distinctHosts ?? 0
            #expect((140...280).contains(ports) && (140...300).contains(hosts), "\(index): \(ports), \(hosts)")
        }
    }

    @Test func `reports of very many sources are few for each`() {
        var forger = Forger()
        for number in 0..<200_000 { sensors.see(forger.forge(), at: start + UInt64(number) * 1000) }
        let reports = sensors.takeActivities()
        #expect(reports.count < 2000, "\(reports.count)")
        #expect(sensors.count(SENSE_COUNT_BRIEF) > 0)
    }
}
