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
    private let sources: MappedArray

    init() throws {
        let object = try BPFObject(.packet_generator)
        try object.load()
        let sources = try MappedArray(object.mapDescriptor("generator_sources_map"), name: "generator_sources_map")
        let clock = try PacketClock(cpu: BenchThread.measuringCPU)
        settings = try object.map("generator_map")
        program = try object.program("generate_packet")
        self.sources = sources
        self.clock = clock
    }

    /// IPv4 addresses that frames with sources have, in turn; as many as the generator wants, from the beginning again.
    func setSources(_ addresses: [UInt32]) {
        for index in 0..<Int(GENERATOR_SOURCES) {
            sources.write(addresses[index % addresses.count].bigEndian, at: 4 * index)
        }
    }

    /// CPU nanoseconds of one frame's path, the least of `chunks`; `redirect`: the device whose other end it comes in at,
    /// by way of the driver.
    func pathCost(
        _ frame: GeneratedFrame, from interface: UInt32, redirect: UInt32 = 0, hasSources: Bool, count: Int, chunks: Int
    ) throws -> Double {
        var settings = Self.settings(frame, flows: 1)
        settings.redirect = redirect
        settings.has_sources = hasSources ? 1 : 0
        settings.header_sum = frame.headerSum
        try self.settings.update(0, to: settings)
        var samples = Samples()
        for _ in 0..<chunks {
            let begin = try clock.nanoseconds
            try program.testRunLiveFrames(
                frame: frame.bytes, arrivingOn: interface, repeatCount: Int32(count), batchSize: Self.batch)
            samples.add(Double(try clock.nanoseconds - begin) / Double(count))
        }
        return samples.least
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
