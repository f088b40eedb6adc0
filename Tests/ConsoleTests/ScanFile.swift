// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Bytes of captures, written after the formats' drafts.
struct CaptureFile {
    var bytes: [UInt8] = []
    let isBigEndian: Bool

    func number(_ value: UInt64, _ size: Int) -> [UInt8] {
        let little = (0..<size).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
        return isBigEndian ? little.reversed() : little
    }

    mutating func add(_ value: UInt64, _ size: Int = 4) { bytes += number(value, size) }

    static func pcapHeader(
        linkType: UInt64 = 1, isBigEndian: Bool = false, isNanoseconds: Bool = false, major: UInt64 = 2
    ) -> [UInt8] {
        var file = CaptureFile(isBigEndian: isBigEndian)
        file.add(isNanoseconds ? 0xa1b2_3c4d : 0xa1b2_c3d4)
        file.add(major, 2)
        file.add(4, 2)
        for value in [0, 0, 262_144, linkType] { file.add(value) }
        return file.bytes
    }

    mutating func addBlock(_ type: UInt64, _ body: [UInt8]) {
        let padding = [UInt8](repeating: 0, count: (4 - body.count % 4) % 4)
        let length = UInt64(body.count + padding.count + 12)
        add(type)
        add(length)
        bytes += body + padding
        add(length)
    }
}

/// A hundred ports of 10.0.0.5 probed by 203.0.113.7 within a second, each answered with a reset: 200 packets.
struct ScanFile {
    /// What comes before the IP header.
    struct Link: Sendable, CustomTestStringConvertible {
        let name: String
        let type: UInt64
        /// For a file of that byte order.
        let header: @Sendable (_ isBigEndian: Bool) -> [UInt8]

        var testDescription: String { name }
    }

    var link: Link
    var isBigEndian = false
    var isNanoseconds = false

    static let links: [Link] = [
        Link(name: "Ethernet", type: 1) { _ in [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0] },
        Link(name: "Linux cooked", type: 113) { _ in [0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 2, 0, 0, 8, 0] },
        Link(name: "Linux cooked v2", type: 276) { _ in
            [8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 2, 0, 0]
        },
        Link(name: "raw IP", type: 101) { _ in [] },
        Link(name: "raw IPv4", type: 228) { _ in [] },
        Link(name: "loopback of the capturing machine", type: 0) { $0 ? [0, 0, 0, 2] : [2, 0, 0, 0] },
        Link(name: "loopback of OpenBSD", type: 108) { _ in [0, 0, 0, 2] },
    ]

    /// Nanoseconds since 1970: 2026-09-21T14:13:20Z.
    private static let begin: UInt64 = 1_790_000_000_000_000_000

    private var packets: [(time: UInt64, bytes: [UInt8])] {
        (UInt16(1)...100).flatMap { port -> [(UInt64, [UInt8])] in
            let time = ScanFile.begin + UInt64(port) * 10_000_000
            let (scanner, server): ([UInt8], [UInt8]) = ([203, 0, 113, 7], [10, 0, 0, 5])
            return [
                (time, segment(scanner, 40_000, server, port, flags: 0x02)),
                (time + 100_000, segment(server, port, scanner, 40_000, flags: 0x14)),
            ]
        }
    }

    private func segment(
        _ source: [UInt8], _ sourcePort: UInt16, _ target: [UInt8], _ port: UInt16, flags: UInt8
    ) -> [UInt8] {
        let ports = [sourcePort, port].flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
        let ip: [UInt8] = [0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0] + source + target
        return link.header(isBigEndian) + ip + ports + [0, 0, 0, 0, 0, 0, 0, 1, 0x50, flags, 0x20, 0, 0, 0, 0, 0]
    }

    func pcap(snapLength: Int = 262_144) -> [UInt8] {
        var file = CaptureFile(isBigEndian: isBigEndian)
        file.bytes = CaptureFile.pcapHeader(
            linkType: link.type, isBigEndian: isBigEndian, isNanoseconds: isNanoseconds)
        for (time, bytes) in packets {
            // Longer on the wire than in the file.
            let wire = bytes + [UInt8](repeating: 0, count: snapLength < 262_144 ? 40 : 0)
            file.add(time / 1_000_000_000)
            file.add(time % 1_000_000_000 / (isNanoseconds ? 1 : 1000))
            file.add(UInt64(min(wire.count, snapLength)))
            file.add(UInt64(wire.count))
            file.bytes += wire.prefix(snapLength)
        }
        return file.bytes
    }

    func pcapng() -> [UInt8] {
        var file = CaptureFile(isBigEndian: isBigEndian)
        func body(_ parts: [(UInt64, Int)]) -> [UInt8] { parts.flatMap { file.number($0.0, $0.1) } }
        file.addBlock(0x0a0d_0d0a, body([(0x1a2b_3c4d, 4), (1, 2), (0, 2), (.max, 8)]))
        // if_tsresol: 10^-9 seconds.
        let resolution = isNanoseconds ? body([(9, 2), (1, 2)]) + [9, 0, 0, 0] + body([(0, 2), (0, 2)]) : []
        file.addBlock(1, body([(link.type, 2), (0, 2), (0, 4)]) + resolution)
        for (time, bytes) in packets {
            let ticks = isNanoseconds ? time : time / 1000
            let head = body([
                (0, 4), (ticks >> 32, 4), (ticks & 0xffff_ffff, 4), (UInt64(bytes.count), 4), (UInt64(bytes.count), 4),
            ])
            file.addBlock(6, head + bytes)
        }
        return file.bytes
    }
}

/// The tool of this build, run to its end.
struct ToolRun {
    let status: Int32
    let output: String
    let errors: String

    init(_ arguments: [String], input: [UInt8] = []) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("bulkhead-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        // Files: a pipe that nobody empties would stop a tool that has much to say.
        let paths = ["in", "out", "err"].map { folder.appendingPathComponent($0) }
        try Data(input).write(to: paths[0])
        for path in paths.dropFirst() { try Data().write(to: path) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
            .appendingPathComponent("bulkhead")
        process.arguments = arguments
        process.standardInput = try FileHandle(forReadingFrom: paths[0])
        process.standardOutput = try FileHandle(forWritingTo: paths[1])
        process.standardError = try FileHandle(forWritingTo: paths[2])
        try process.run()
        process.waitUntilExit()
        status = process.terminationStatus
        output = String(decoding: try Data(contentsOf: paths[1]), as: UTF8.self)
        errors = String(decoding: try Data(contentsOf: paths[2]), as: UTF8.self)
    }
}
