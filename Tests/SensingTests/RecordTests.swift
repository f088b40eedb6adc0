// SPDX-License-Identifier: Apache-2.0

import CDatapathABI
import DetectionModel
import Testing

@testable import Sensing

/// Records are read while the kernel writes them: whatever bytes they hold, they are told and end nobody.
@Suite struct RecordTests {
    private static func record<Record: BitwiseCopyable>(
        of type: Record.Type, _ random: inout SystemRandomNumberGenerator
    )
        -> Record
    {
        // All ones, all zeros, and anything, in stretches.
        var bytes: [UInt8] = []
        while bytes.count < MemoryLayout<Record>.size {
            let fill: UInt8? = [nil, 0, 255].randomElement(using: &random) ?? nil
            for _ in 0..<Int.random(in: 1...64, using: &random) {
                bytes.append(fill ?? .random(in: 0...255, using: &random))
            }
        }
        return unsafe bytes.withUnsafeBytes { unsafe $0.loadUnaligned(as: Record.self) }
    }

    @Test func `any bytes of a record are an activity`() {
        var random = SystemRandomNumberGenerator()
        var told = 0
        for _ in 0..<4000 {
            let time = UInt64.random(in: 0...UInt64.max, using: &random)
            let source = SourceActivity(RecordTests.record(of: sense_source.self, &random), time: time)
            let target = RecordTests.record(of: sense_target.self, &random)
            let second = TargetActivity(target, isBefore: random.next() % 2 == 0, time: time, isWhole: true)
            let pair = PairActivity(RecordTests.record(of: sense_pair.self, &random), time: time)
            let zone = ZoneActivity(RecordTests.record(of: sense_zone.self, &random), time: time)
            told += [source.time, second.time, pair.time, zone.time].filter { $0 == time }.count
        }
        #expect(told == 16_000)
    }

    @Test func `minutes of long ago say nothing of a target's last ones`() {
        let minute: UInt64 = 60_000_000_000
        var record = sense_target()
        (record.span_before.since, record.span_before.failed) = (100 * minute, 439)
        record.span_before.ports.0 = .max
        record.span_before.probers.0 = 9
        (record.span.since, record.span.failed) = (105 * minute, 3)
        let soon = TargetActivity(record, isBefore: false, time: 108 * minute, isWhole: true)
        #expect(soon.failedProbes == 442 && soon.distinctPorts > 60 && soon.distinctProbers == 1)
        let late = TargetActivity(record, isBefore: false, time: 113 * minute, isWhole: true)
        #expect(late.failedProbes == 3 && late.distinctPorts == 0 && late.distinctProbers == 0)
    }

    @Test func `registers that are all full are as many as can be said`() {
        #expect(CardinalityEstimate.registers([UInt8](repeating: 255, count: 128)) == .max)
        #expect(CardinalityEstimate.registers([UInt8](repeating: 0, count: 128)) == 0)
        #expect(CardinalityEstimate.linear(set: 70_000, size: 512) == 70_000)
    }
}
