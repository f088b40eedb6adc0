// SPDX-License-Identifier: Apache-2.0

import BPFRuntime
import CBenchSupport
import KernelPrograms

/// Makes packets inside the kernel, on the calling thread, which must be in the router's namespace.
///
/// Each test-run call costs about 16 ms of wall time to set up and tear down, little of it CPU: a chunk is at least
/// 50 ms of CPU, so that what is left of it stays under half a per cent.
final class PacketGenerator {
    private static let batch: UInt32 = 64
    private static let leastChunkNanoseconds: UInt64 = 50_000_000
    private static let chunkPacketsMax = 4_000_000

    private let program: BPFProgram
    private let settings: BPFMap<UInt32, generator_settings>
    private let clock: PacketClock

    init() throws {
        let object = try BPFObject(.packet_generator)
        try object.load()
        program = try object.program("generate_packet")
        settings = try object.map("generator_map")
        clock = try PacketClock(cpu: BenchThread.measuringCPU)
    }

    /// Sends `count` packets in one call and returns the CPU time of their whole path, nanoseconds.
    @discardableResult
    func send(_ frame: GeneratedFrame, into interface: UInt32, flows: Int = 1, count: Int) throws -> UInt64 {
        try settings.update(0, to: Self.settings(frame, flows: flows))
        let begin = try clock.nanoseconds
        try program.testRunLiveFrames(
            frame: frame.bytes, arrivingOn: interface, repeatCount: Int32(count), batchSize: Self.batch)
        return try clock.nanoseconds - begin
    }

    /// CPU nanoseconds per packet: the least of `chunks` chunks, each of which is long enough to be believed.
    ///
    /// The least, because what neighbours do to the caches only ever adds.
    func cost(_ frame: GeneratedFrame, into interface: UInt32, chunks: Int) throws -> (nanoseconds: Double, sent: Int) {
        var count = 1024, sent = 0
        while true {
            let used = try send(frame, into: interface, count: count)
            sent += count
            if used >= Self.leastChunkNanoseconds || count >= Self.chunkPacketsMax { break }
            count *= 2
        }
        var samples = Samples()
        for _ in 0..<chunks {
            samples.add(Double(try send(frame, into: interface, count: count)) / Double(count))
            sent += count
        }
        return (samples.least, sent)
    }

    private static func settings(_ frame: GeneratedFrame, flows: Int) -> generator_settings {
        var settings = generator_settings()
        settings.flows = UInt32(flows)
        unsafe withUnsafeMutableBytes(of: &settings.frame) { unsafe $0.copyBytes(from: frame.bytes) }
        return settings
    }
}
