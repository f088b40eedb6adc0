// SPDX-License-Identifier: Apache-2.0

import BPFRuntime
import CBenchSupport
import CDatapathABI
import FoundationEssentials
import KernelDatapath
import KernelPrograms
import NetworkModel

/// What the sensors add to the prefilter's judgement of a packet, and what ten million sources make of their memory.
enum SensorCost: Benchmark {
    static let name = "sensors"
    static let summary = "sensors on top of the prefilter, for each packet of floods and of connections; memory"

    private static let bound = 40.0
    private static let repeats: Int32 = 1_000_000

    private struct Load {
        var name: String
        var frame: [UInt8]
        var isRandomSource = false
        var isRandomPort = false
    }

    static func run(_ effort: Effort) throws -> [Row] {
        let field = try SensorField()
        var rows: [Row] = []
        for load in loads {
            let setting: UInt32 = (load.isRandomSource ? 1 : 0) | (load.isRandomPort ? 2 : 0)
            var added = Samples(), whole = Samples()
            for _ in 0..<max(effort.rounds, 3) {
                let without = try field.cost(load.frame, setting, budget: nil)
                added.add(try field.cost(load.frame, setting, budget: SensorField.usualBudget) - without)
                whole.add(try field.cost(load.frame, setting, budget: 0) - without)
            }
            report("  sensors, \(load.name): +\(added.median) ns, +\(whole.median) where each is looked at whole")
            rows.append(Row("\(load.name), sensors on", unit: "+ns/packet", ours: added.median, bound: bound))
        }
        return try rows + [memory(field)]
    }

    private static func memory(_ field: SensorField) throws -> Row {
        let before = try field.memory()
        for _ in 0..<10 {
            _ = try field.cost(segment(flags: 2, isIPv4: true), 3, budget: 0)
        }
        let after = try field.memory()
        guard before == after else { throw BenchError("the sensors' tables grew from \(before) to \(after) bytes") }
        return Row("sensors' tables, 10 M forged sources", unit: "MB", ours: Double(after) / 1_048_576, bound: 64)
    }

    private static let loads: [Load] = [
        Load(
            name: "SYN, random sources", frame: segment(flags: 2, isIPv4: true), isRandomSource: true,
            isRandomPort: true),
        Load(
            name: "SYN, random sources, IPv6", frame: segment(flags: 2, isIPv4: false), isRandomSource: true,
            isRandomPort: true),
        Load(name: "SYN, one source", frame: segment(flags: 2, isIPv4: true), isRandomPort: true),
        Load(name: "UDP, random sources", frame: datagram(), isRandomSource: true, isRandomPort: true),
        Load(name: "UDP, one flow", frame: datagram()),
        Load(name: "established", frame: segment(flags: 0x10, isIPv4: true)),
    ]

    /// Bytes behind every header, so that no frame is shorter than Ethernet's least.
    private static let padding: UInt16 = 32

    private static func frame(_ isIPv4: Bool, _ ipProtocol: UInt8, _ header: [UInt8]) -> [UInt8] {
        let transport = header + [UInt8](repeating: 0, count: Int(padding))
        let ethernet = [UInt8](repeating: 2, count: 12)
        guard isIPv4 else {
            let source: [UInt8] = [0x20, 1, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11) + [7]
            let target: [UInt8] = [0x20, 1, 0x0d, 0xb9] + [UInt8](repeating: 0, count: 11) + [1]
            return ethernet + [0x86, 0xdd]
                + PacketBytes.ipv6Header(
                    source: source, destination: target, nextHeader: ipProtocol, payloadLength: transport.count)
                + transport
        }
        return ethernet + [8, 0]
            + PacketBytes.ipv4Header(
                source: [198, 51, 100, 7], destination: [10, 0, 0, 1], protocolNumber: ipProtocol,
                payloadLength: transport.count) + transport
    }

    private static func segment(flags: UInt8, isIPv4: Bool) -> [UInt8] {
        frame(isIPv4, 6, PacketBytes.tcpHeader(source: 40_000, destination: 443, flags: flags))
    }

    private static func datagram() -> [UInt8] {
        frame(true, 17, PacketBytes.big(40_000) + PacketBytes.big(9000) + PacketBytes.big(8 + padding) + [0, 0])
    }

    /// The prefilter with tables of its own, behind a program that gives each repeat another source.
    private final class SensorField {
        static let usualBudget: UInt32 = 512
        private let load: BPFProgram
        private let setting: BPFMap<UInt32, UInt32>
        /// Held: the kernel empties a table of programs that nobody has open.
        private let programs: BPFMap<UInt32, Int32>
        private let prefilter: BPFProgram
        private let sensors: ShieldSensors
        private let object: BPFObject
        private var tables: ShieldTables

        init() throws {
            let object = try BPFObject(.prefilter)
            try object.load()
            let loader = try BPFObject(.sensor_load)
            try loader.load()
            let load = try loader.program("load_sensors")
            let setting: BPFMap<UInt32, UInt32> = try loader.map("load_map")
            let programs: BPFMap<UInt32, Int32> = try loader.map("load_programs_map")
            let prefilter = try object.program("xdp_prefilter")
            try programs.update(0, to: prefilter.descriptor.rawValue)
            let sensors = try ShieldSensors(object)
            let tables = try ShieldTables(object)
            // Assigned last: a type that cannot be copied is built whole or not at all.
            self.load = load
            self.setting = setting
            self.programs = programs
            self.prefilter = prefilter
            self.sensors = sensors
            self.object = object
            self.tables = tables
            var settings = ShieldSettings()
            settings.mode = .monitor
            settings.checksSources = false
            settings.failsafePorts = []
            try self.tables.configure(settings, hasReflectorFilter: false)
        }

        /// Nanoseconds of a packet; `budget` nil: without sensors.
        func cost(_ frame: [UInt8], _ what: UInt32, budget: UInt32?) throws -> Double {
            try setting.update(0, to: what)
            if let budget { sensors.switchOn(hasEndpoints: false, budget: budget) } else { sensors.switchOff() }
            let result = try load.testRunFrame(frame, repeatCount: SensorCost.repeats)
            guard result.action == 2 else {
                throw BenchError("the prefilter did not pass a frame that it was to judge")
            }
            return Double(result.nanoseconds)
        }

        /// Bytes of the sensors' tables, by what the kernel says of them.
        func memory() throws -> Int {
            var bytes = 0
            for name in ShieldSensors.keptMaps {
                let map = try object.mapDescriptor(name)
                let info = try String(contentsOf: URL(filePath: "/proc/self/fdinfo/\(map.rawValue)"), encoding: .utf8)
                let line = info.split(separator: "\n").first { $0.hasPrefix("memlock:") }
                guard let value = line?.split(whereSeparator: \.isWhitespace).last.flatMap({ Int($0) }) else {
                    throw BenchError("the kernel does not say how much memory \(name) takes")
                }
                bytes += value
            }
            return bytes
        }
    }
}
