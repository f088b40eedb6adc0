// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// The command itself over capture files: what it prints, and how it ends.
@Suite struct ReplayCommandTests {
    private static let keys: Set = ["time", "detector", "severity", "source", "target", "technique", "evidence"]

    private func replay(_ capture: [UInt8], _ arguments: [String] = [], name: String = "a.pcap") throws -> ToolRun {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("bulkhead-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent(name)
        try Data(capture).write(to: file)
        return try ToolRun(["replay", file.path] + arguments)
    }

    /// Lines of JSON, each with exactly the keys that were promised.
    private func objects(_ run: ToolRun) throws -> [[String: Any]] {
        try run.output.split(separator: "\n").map { line in
            let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            #expect(Set(object.keys) == ReplayCommandTests.keys, "\(line)")
            return object
        }
    }

    private func expectScan(_ run: ToolRun, _ what: String) throws {
        #expect(run.status == 0, "\(what): \(run.errors)")
        let scan = try #require(
            try objects(run).first { $0["detector"] as? String == "port-scan" }, "\(what): \(run.output)")
        #expect(scan["source"] as? String == "203.0.113.7", "\(what)")
        #expect(scan["target"] as? String == "10.0.0.5", "\(what)")
        #expect(scan["technique"] as? String == "T1046", "\(what)")
        #expect(["low", "medium", "high", "critical"].contains(scan["severity"] as? String ?? ""), "\(what)")
        // The capture's clock: 2026-09-21T14:13:20Z and less than two seconds later.
        let time = scan["time"] as? String ?? ""
        #expect(time.hasPrefix("2026-09-21T14:13:20.") || time.hasPrefix("2026-09-21T14:13:21."), "\(what): \(time)")
        let evidence = try #require(scan["evidence"] as? [String: Any])
        #expect((evidence["since"] as? String)?.hasPrefix("2026-09-21T14:13:2") == true)
        #expect(evidence["summary"] is String)
    }

    @Test(arguments: ScanFile.links) func `a scan is found in every link type, in pcap and pcapng`(
        link: ScanFile.Link
    ) throws {
        for isBigEndian in [false, true] {
            for isNanoseconds in [false, true] {
                let file = ScanFile(link: link, isBigEndian: isBigEndian, isNanoseconds: isNanoseconds)
                let what = "\(link.name), big endian \(isBigEndian), nanoseconds \(isNanoseconds)"
                try expectScan(try replay(file.pcap(), ["-o", "json"]), "pcap \(what)")
                try expectScan(try replay(file.pcapng(), ["-o", "json"]), "pcapng \(what)")
            }
        }
    }

    @Test func `standard input and captures cut short at 60 bytes do as well`() throws {
        let bytes = ScanFile(link: ScanFile.links[0]).pcap(snapLength: 60)
        try expectScan(try replay(bytes, ["-o", "json"]), "snaplen")
        try expectScan(try ToolRun(["replay", "-", "-o", "json"], input: bytes), "standard input")
    }

    @Test func `for people each finding is a line, and the end says how much was read`() throws {
        let run = try replay(ScanFile(link: ScanFile.links[0]).pcap())
        #expect(run.status == 0)
        let lines = run.output.split(separator: "\n").filter { $0.contains("port-scan") }
        #expect(lines.count == 1, "once: \(run.output)")
        #expect(lines.first?.hasPrefix("2026-09-21T14:13:2") == true && lines.first?.contains("T1046") == true)
        #expect(run.errors.contains("200 packets, 0 not read, "), "\(run.errors)")
    }

    @Test func `detectors are switched off, thresholds moved, and what is inside is said`() throws {
        let bytes = ScanFile(link: ScanFile.links[0]).pcap()
        #expect(!(try replay(bytes, ["--off", "port-scan"]).output.contains("port-scan")))
        #expect(
            !(try replay(bytes, ["--set", "port-scan.ports=1000", "--set", "port-scan.failedProbes=1000"]).output
                .contains("port-scan")))
        for arguments in [
            ["--off", "port-scam"], ["--set", "port-scan.legs=2"], ["--set", "port-scan"], ["--inside", "nowhere"],
        ] {
            let run = try replay(bytes, arguments)
            #expect(run.status == 2 && run.output.isEmpty && !run.errors.isEmpty, "\(arguments): \(run.errors)")
        }
    }

    @Test func `what is broken ends in an error with the number of the packet, after what was found before it`() throws
    {
        let whole = ScanFile(link: ScanFile.links[0])
        let cut = try replay(Array(whole.pcap().dropLast(7)), ["-o", "json"])
        #expect(cut.status == 2 && cut.errors.contains("packet 200 (byte "), "\(cut.errors)")
        #expect(try objects(cut).contains { $0["detector"] as? String == "port-scan" }, "what was found is printed")
        var long = whole.pcap()
        // The captured length of the third record of 16 + 54 bytes.
        long.replaceSubrange(24 + 2 * 70 + 8..<24 + 2 * 70 + 12, with: [0xff, 0xff, 0xff, 0x7f])
        let longRun = try replay(long)
        #expect(longRun.status == 2 && longRun.errors.contains("packet 3 (byte 164): "), "\(longRun.errors)")
        let cutBlock = try replay(Array(whole.pcapng().dropLast(3)))
        #expect(cutBlock.status == 2 && cutBlock.errors.contains("packet 200 (byte "), "\(cutBlock.errors)")
        var odd = whole.pcapng()
        let last = odd.count - 4
        odd.replaceSubrange(last..<odd.count, with: [1, 0, 0, 0])
        let oddRun = try replay(odd)
        #expect(oddRun.status == 2 && oddRun.errors.contains("packet 200 (byte "), "\(oddRun.errors)")
    }

    @Test(
        arguments: [
            ([], "header"), (Array("hello, world, this is no capture at all".utf8), "neither a pcap nor a pcapng"),
            ([0x1f, 0x8b, 8, 0, 0, 0, 0, 0], "gzip"), ([0xd4, 0xc3, 0xb2, 0xa1, 2, 0], "within its header"),
            (CaptureFile.pcapHeader(linkType: 147), "link type 147"), (CaptureFile.pcapHeader(major: 9), "version 9"),
        ] as [([UInt8], String)]) func `what is no capture is refused with the reason`(bytes: [UInt8], reason: String)
        throws
    {
        let run = try replay(bytes)
        #expect(run.status == 2 && run.output.isEmpty, "\(run.output)")
        #expect(run.errors.contains(reason), "\(run.errors)")
    }

    @Test func `a file that is not there is refused, and an empty capture is no fault`() throws {
        let missing = try ToolRun(["replay", "/nonexistent/x.pcap"])
        #expect(missing.status == 2 && missing.errors.contains("/nonexistent/x.pcap"), "\(missing.errors)")
        let empty = try replay(CaptureFile.pcapHeader())
        #expect(empty.status == 0 && empty.output.isEmpty && empty.errors.contains("0 packets"), "\(empty.errors)")
    }
}
