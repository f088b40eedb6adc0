// SPDX-License-Identifier: Apache-2.0
package import BPFRuntime
import CDatapathABI
import KernelPrograms
package import NetworkModel

/// A device that the prefilter is to stand on.
package struct ShieldDevice: Hashable, Sendable {
    package var interface: UInt32
    package var name: String
    /// Packets begin with an Ethernet header; else no XDP is possible, and they are judged as the stack has them.
    package var isEthernet: Bool

    package init(interface: UInt32, name: String, isEthernet: Bool) {
        self.interface = interface
        self.name = name
        self.isEthernet = isEthernet
    }
}

/// How the prefilter stands on a device, and why that way.
package struct ShieldPlace: Hashable, Sendable {
    package enum Hook: String, Hashable, Sendable, CaseIterable {
        /// XDP in the driver.
        case native
        /// XDP in the stack.
        case generic
        case tcx
    }

    package var hook: Hook
    package var reason: String
}

/// The prefilter in this machine's kernel: programs on devices, and their tables.
///
/// Links, settings, feeds and blocks are pinned: they go on working when the process is gone.
package struct Shield: ~Copyable {
    package var tables: ShieldTables
    package var sensors: ShieldSensors
    let frames: BPFProgram
    let packets: BPFProgram
    let rawPackets: BPFProgram
    let questions: BPFProgram
    let rawQuestions: BPFProgram
    let directory: PinDirectory
    /// Why a device has generic XDP, by its number, as far as this process has tried.
    var genericReasons: [UInt32: String] = [:]
    /// Without tcx (before Linux 6.6) nobody sees who asks, and devices without Ethernet stay unguarded.
    package let hasTCX: Bool

    /// What outlives the agent.
    ///
    /// Counters do not: they begin anew with the numbers that feeds have.
    private static let keptMaps = [
        "prefilter_settings_map", "prefilter_ports_map", "prefilter_feeds_map", "prefilter_blocks_map",
        "prefilter_limits_map", "prefilter_flooded_map", "prefilter_asked_map", SynDefence.prefilterSlot,
    ]

    /// Loads the programs over the tables that an earlier agent has left, or over new ones.
    package static func load(directory: PinDirectory, settings: ShieldSettings) throws(DatapathError) -> Shield {
        try directory.create()
        do throws(BPFError) {
            let object = try BPFObject(.prefilter)
            try object.resize(
                map: "prefilter_limits_map",
                entryCountMax: Int(LIMIT_SCOPE_COUNT) * settings.limitEntries / Int(LIMIT_WAYS))
            try object.resize(map: "prefilter_blocks_map", entryCountMax: settings.blockCapacity)
            try object.resize(
                map: "prefilter_samples_map", entryCountMax: Int(PREFILTER_REASONS) * possibleCPUCount())
            if !settings.senses { try ShieldSensors.leaveOut(object) }
            try shareEvents(object, directory)
            let keptMaps = keptMaps + ShieldSensors.keptMaps
            var adopted: Set<String> = []
            for name in keptMaps where try adopt(name, into: object, directory) { adopted.insert(name) }
            try object.load()
            for name in keptMaps where !adopted.contains(name) {
                try object.mapDescriptor(name).pin(at: directory.shield(name))
            }
            let shield = try Shield(object, directory: directory)
            try shield.switchSensors(settings.senses, object)
            return shield
        } catch {
            throw .kernel(error)
        }
    }

    private init(_ object: borrowing BPFObject, directory: PinDirectory) throws(BPFError) {
        let frames = try object.program("xdp_prefilter")
        let packets = try object.program("tc_prefilter")
        let rawPackets = try object.program("tc_prefilter_raw")
        let questions = try object.program("tc_prefilter_asked")
        let rawQuestions = try object.program("tc_prefilter_asked_raw")
        let tables = try ShieldTables(object)
        let sensors = try ShieldSensors(object)
        // Assigned last: a type that cannot be copied is built whole or not at all.
        self.frames = frames
        self.packets = packets
        self.rawPackets = rawPackets
        self.questions = questions
        self.rawQuestions = rawQuestions
        self.tables = tables
        self.sensors = sensors
        self.directory = directory
        hasTCX = KernelFeature.tcx.explanationIfMissing() == nil
    }

    /// Drops are told where flows are: in the rings that the agent reads.
    private static func shareEvents(_ object: borrowing BPFObject, _ directory: PinDirectory) throws(BPFError) {
        for name in [EventRings.ringsName, EventRings.eventsName, EventRings.doorbellName] {
            // Without them nothing is told.
            guard let pinned = try FileDescriptor.pinned(at: directory.map(name)) else { return }
            try object.resize(map: name, entryCountMax: MapDefinition(of: pinned, name: name).entryCountMax)
            try object.reuse(pinned, asMap: name)
        }
    }

    /// Also of what the endpoints' programs see, if there are any in this kernel.
    private func switchSensors(_ isOn: Bool, _ object: borrowing BPFObject) throws(BPFError) {
        guard let pinned = try FileDescriptor.pinned(at: directory.map("sense_programs_map")) else {
            return isOn ? sensors.switchOn(hasEndpoints: false) : sensors.switchOff()
        }
        let followers = try BPFMap<UInt32, Int32>(descriptor: pinned, name: "sense_programs_map")
        for (index, name) in ShieldSensors.programs.enumerated() {
            if isOn {
                let program = try object.program(name)
                try followers.update(UInt32(index), to: program.descriptor.rawValue)
            } else {
                try followers.remove(UInt32(index))
            }
        }
        if isOn { sensors.switchOn(hasEndpoints: true) } else { sensors.switchOff() }
    }

    /// True if the pinned map of this name is of the right shape, and used; one of another shape is let go.
    private static func adopt(_ name: String, into object: borrowing BPFObject, _ directory: PinDirectory)
        throws(BPFError) -> Bool
    {
        let path = directory.shield(name)
        guard let pinned = try FileDescriptor.pinned(at: path) else { return false }
        guard try MapDefinition(of: pinned, name: name) == object.definition(ofMap: name) else {
            try unpin(path)
            return false
        }
        try object.reuse(pinned, asMap: name)
        return true
    }

    /// Drops what a source, a /24 or a /64 sends, for a time; `isFull` of the error tells that there is no room.
    package mutating func block(
        _ prefix: CIDR, for duration: Duration, cause: String = "", closesFailsafes: Bool = false
    ) throws(DatapathError) {
        do throws(BPFError) {
            try tables.block(prefix, for: duration, cause: cause, closesFailsafes: closesFailsafes)
        } catch {
            throw .kernel(error)
        }
    }

    package mutating func configure(_ settings: ShieldSettings) throws(DatapathError) {
        do throws(BPFError) {
            try tables.configure(settings, hasReflectorFilter: hasTCX)
        } catch {
            throw .kernel(error)
        }
    }

    /// Limits of what goes to these addresses, beside those of `settings`.
    package mutating func limit(
        _ limits: [ShieldLimit.Place: ShieldLimit], to addresses: Set<IPAddress>, beside settings: ShieldSettings
    ) throws(DatapathError) {
        var settings = settings
        settings.floodedLimits = addresses.isEmpty ? [:] : limits
        do throws(BPFError) { try tables.setFlooded(addresses) } catch { throw .kernel(error) }
        try configure(settings)
    }

    /// Takes the programs off every device that is not named.
    package func detachAll(besides interfaces: Set<UInt32> = []) throws(BPFError) {
        try Shield.detachAll(directory, besides: interfaces)
    }

    /// Takes everything away that an agent has left; false if there was nothing.
    @discardableResult
    package static func remove(directory: PinDirectory) throws(BPFError) -> Bool {
        let names = directory.shieldNames()
        try detachAll(directory, besides: [])
        for name in directory.shieldNames() { try unpin(directory.shield(name)) }
        if let pinned = try FileDescriptor.pinned(at: directory.map("sense_programs_map")) {
            let followers = try BPFMap<UInt32, Int32>(descriptor: pinned, name: "sense_programs_map")
            for index in ShieldSensors.programs.indices { try followers.remove(UInt32(index)) }
        }
        return !names.isEmpty
    }

    private static func detachAll(_ directory: PinDirectory, besides kept: Set<UInt32>) throws(BPFError) {
        for name in directory.shieldNames() {
            let parts = name.split(separator: "-")
            guard parts.count == 2, let interface = UInt32(parts[1]), !kept.contains(interface) else { continue }
            let path = directory.shield(name)
            if FrameMode(rawValue: String(parts[0])) != nil, let pinned = try FileDescriptor.pinned(at: path) {
                let link = FrameLink(descriptor: pinned)
                // At once; dropping the last handle detaches some time later.
                if try link.interfaceIndex() != nil { try link.detach() }
                try unpin(path)
            } else {
                try TrafficLink.detach(pinnedAt: path)
            }
        }
    }
}
