// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import KernelPrograms

/// Loads the programs around the maps that are pinned already, makes and pins those that are not.
///
/// Programs of the same build that are pinned are taken as they are: the verifier's work is most of a start. They go
/// with the pinned maps, because a load removes the program pins before it pins a map.
///
/// Every step may have been the last of an earlier agent: each looks at what is there and completes it.
struct DatapathLoading: ~Copyable {
    let directory: PinDirectory
    let pins: PinnedObjects
    private var object: BPFObject
    /// Uses the maps of the other.
    private var services: BPFObject
    /// Names of the maps that were pinned already.
    private(set) var adoptedMaps: Set<String> = []
    private(set) var notes: [String] = []

    init(directory: PinDirectory) throws(DatapathError) {
        let object = try kernel { () throws(BPFError) in try BPFObject(.endpoint) }
        let services = try kernel { () throws(BPFError) in try BPFObject(.service) }
        // Assigned last: a type that cannot be copied is built whole or not at all.
        self.object = object
        self.services = services
        self.directory = directory
        pins = PinnedObjects(directory: directory)
    }

    /// Loads everything and pins what is new.
    mutating func load(sizes: DatapathSizes) throws(DatapathError) {
        let counts = try kernel { () throws(BPFError) in try sizes.entryCounts() }
        for name in object.mapNames { try prepare(map: name, entryCount: counts[name]) }
        do throws(BPFError) {
            let isComplete = adoptedMaps.count == object.mapNames.count
            if isComplete, try pins.holds(programs: object.programNames + services.programNames) {
                return try refillFollowers()
            }
            try object.load()
            // Links and filters hold the programs of before until they are replaced.
            for path in directory.programs() { try unpin(path) }
            for name in object.mapNames where !adoptedMaps.contains(name) {
                try object.mapDescriptor(name).pin(at: directory.map(name))
            }
            for name in object.programNames {
                try object.program(name).descriptor.pin(at: pins.path(ofProgram: name))
            }
        } catch {
            throw .kernel(error)
        }
        do throws(BPFError) {
            try loadServices()
        } catch {
            notes.append("services of the host cannot be judged: \(error)")
        }
    }

    /// The programs on the cgroup hierarchy: everything else works without them.
    private func loadServices() throws(BPFError) {
        for name in services.mapNames { try services.reuse(object.mapDescriptor(name), asMap: name) }
        try services.load()
        for name in services.programNames {
            try services.program(name).descriptor.pin(at: pins.path(ofProgram: name))
        }
    }

    /// Puts the programs that take over packets where the adopted ones look for them, whatever was done to those tables.
    private func refillFollowers() throws(BPFError) {
        for (map, programs) in KernelProgram.endpoint.programTables {
            let table: BPFMap<UInt32, Int32> = try pins.map(map)
            for (index, name) in programs.enumerated() {
                try put(pins.program(name), at: UInt32(index), in: table)
            }
        }
    }

    /// Borrowed, so that the program's descriptor is open while the kernel takes it.
    private func put(
        _ program: borrowing BPFProgram, at index: UInt32, in table: borrowing BPFMap<UInt32, Int32>
    ) throws(BPFError) {
        try table.update(index, to: program.descriptor.rawValue)
    }

    /// Decides whether a map is adopted or made, and with what size.
    private mutating func prepare(map name: String, entryCount: Int?) throws(DatapathError) {
        let path = directory.map(name)
        if let entryCount {
            try kernel { () throws(BPFError) in try object.resize(map: name, entryCountMax: entryCount) }
        }
        let pinned = try kernel { () throws(BPFError) in try FileDescriptor.pinned(at: path) }
        guard let pinned else { return }
        let needed = try kernel { () throws(BPFError) in try object.definition(ofMap: name) }
        let found = try kernel { () throws(BPFError) in try MapDefinition(of: pinned, name: path) }
        var comparable = found
        if entryCount != nil { comparable.entryCountMax = needed.entryCountMax }
        guard comparable == needed else { throw .incompatibleMap(path: path, found: found, needed: needed) }
        // Another number of buckets only follows from another number of flows, and goes without saying.
        if found.entryCountMax != needed.entryCountMax, name != MapName.conntrackHeads {
            notes.append(
                "\(name) keeps its size of \(found.entryCountMax) entries (configured: \(needed.entryCountMax)); "
                    + "run `bulkhead detach` with the agent stopped and start it again to change it")
        }
        try kernel { () throws(BPFError) in
            try object.resize(map: name, entryCountMax: found.entryCountMax)
            try object.reuse(pinned, asMap: name)
        }
        adoptedMaps.insert(name)
    }
}
