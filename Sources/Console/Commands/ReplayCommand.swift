// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CaptureReading
import ControlAPI
import DetectionModel
import Detectors
import Glibc
import NetworkModel

struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Run the sensors and detectors over a capture; needs no agent.",
        discussion: """
            Reads pcap and pcapng with Ethernet, Linux cooked, raw IP and loopback packets, by the capture's own clock, \
            through the sensors that run in the kernel. Each finding is printed once, when it is made; --all prints it again \
            while it goes on. With -o json each line is one object with the keys time, detector, severity, source, target, \
            technique and evidence. Exit status 0 when the capture was read to its end, 2 if it is broken or cannot be read.
            """)

    @Argument(help: ArgumentHelp("A capture; - for standard input.", valueName: "file"))
    var file: String

    @Option(
        help: ArgumentHelp(
            "A prefix whose addresses are one's own; may be repeated. Without it private addresses are.",
            valueName: "prefix"))
    var inside: [String] = []

    @Option(name: .customLong("off"), help: ArgumentHelp("A detector that is not to run.", valueName: "detector"))
    var off: [String] = []

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp("Another threshold, as port-scan.ports=20.", valueName: "detector.threshold=value"))
    var thresholds: [String] = []

    @Flag(help: "Also findings that only go on.")
    var all = false

    @OptionGroup var output: OutputOptions

    func validate() throws {
        _ = try ownPrefixes()
        let faults = try detectorConfiguration().faults
        if let fault = faults.first { throw ValidationError(fault) }
    }

    func run() throws {
        var replay = try CaptureReplay(detectors: try detectorConfiguration(), inside: try ownPrefixes())
        var printer = FindingPrinter(isJSON: output.output == .json, printsAll: all)
        let name = file == "-" ? "standard input" : file
        do {
            try readCapture(file) { packet in replay.take(packet) { printer.take($0) } }
        } catch let error as CaptureError {
            replay.finish { printer.take($0) }
            throw ConsoleFailure(.usage, "\(name): \(error)")
        }
        replay.finish { printer.take($0) }
        guard output.output == .table else { return }
        let counters = replay.counters
        printError(
            "\(counters.packets) packets, \(counters.unread) not read, \(printer.printed) findings")
    }

    private func ownPrefixes() throws -> PrefixSet {
        guard !inside.isEmpty else { return ReplayCommand.privatePrefixes }
        return PrefixSet(
            try inside.map { text in
                guard let prefix = try? CIDR.parse(text) else {
                    throw ValidationError("--inside \(text): say an address or a prefix, as 192.0.2.0/24")
                }
                return prefix
            })
    }

    private func detectorConfiguration() throws -> DetectorConfiguration {
        var configuration = DetectorConfiguration(off: Set(off))
        for text in thresholds {
            let halves = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let names = halves[0].split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
            guard halves.count == 2, names.count == 2, let value = Double(halves[1]) else {
                throw ValidationError("--set \(text): say a detector, a threshold and a number, as port-scan.ports=20")
            }
            configuration.thresholds[String(names[0]), default: [:]][String(names[1])] = value
        }
        return configuration
    }

    /// RFC 1918, 6598, 3927, 4193, 4291; loopback.
    private static let privatePrefixes = PrefixSet(
        [
            "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8",
            "fc00::/7",
            "fe80::/10", "::1/128",
        ].compactMap { CIDR($0) })
}

/// Prints findings, each key once unless all are wanted.
private struct FindingPrinter {
    let isJSON: Bool
    let printsAll: Bool
    private var said: Set<Finding.Key> = []
    private(set) var printed = 0

    init(isJSON: Bool, printsAll: Bool) {
        self.isJSON = isJSON
        self.printsAll = printsAll
    }

    mutating func take(_ finding: Finding) {
        guard said.insert(finding.key).inserted || printsAll else { return }
        printed += 1
        guard isJSON else { return printLine(ReplayFinding.line(finding).forTerminal) }
        guard let line = try? APICoding.encode(ReplayFinding(finding)) else { return }
        printLine(String(decoding: line, as: UTF8.self))
    }
}

/// Reads a capture piece by piece.
///
/// Throws `CaptureError` for what is wrong in it, `ConsoleFailure` if it cannot be read.
private func readCapture(_ path: String, _ body: (CapturedPacket) -> Void) throws {
    let descriptor = path == "-" ? STDIN_FILENO : unsafe open(path, O_RDONLY | O_CLOEXEC)
    let cannotRead = { ConsoleFailure(.usage, "cannot read \(path): \(unsafe String(cString: strerror(errno)))") }
    guard descriptor >= 0 else { throw cannotRead() }
    defer { if descriptor != STDIN_FILENO { close(descriptor) } }
    var reader = CaptureReader()
    var piece = [UInt8](repeating: 0, count: 1 << 18)
    while true {
        let count = unsafe piece.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
        if count < 0 && errno == EINTR { continue }
        guard count >= 0 else { throw cannotRead() }
        guard count > 0 else { return try reader.finish() }
        reader.append(piece[..<count])
        while let packet = try reader.next() { body(packet) }
    }
}
