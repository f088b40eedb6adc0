// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import KernelPrograms

/// Loads the programs around the maps that are pinned already, makes and pins those that are not.
///
/// Every step may have been the last of an earlier agent: each looks at what is there and completes it.
struct DatapathLoading: ~Copyable {
    let directory: PinDirectory
    private(set) var object: BPFObject
    /// Names of the maps that were pinned already.
    private(set) var adoptedMaps: Set<String> = []
    private(set) var notes: [String] = []

    init(directory: PinDirectory) throws(DatapathError) {
        object = try kernel { () throws(BPFError) in try BPFObject(.endpoint) }
        self.directory = directory
    }

    /// Loads everything and pins what is new.
    mutating func load(sizes: DatapathSizes) throws(DatapathError) {
        let counts = sizes.entryCounts
        for name in object.mapNames { try prepare(map: name, entryCount: counts[name]) }
        do throws(BPFError) {
            try object.load()
            for name in object.mapNames where !adoptedMaps.contains(name) {
                try object.mapDescriptor(name).pin(at: directory.map(name))
            }
            for name in object.programNames {
                // The pin is a name for tools; links and filters hold the programs.
                try unpin(directory.program(name))
                try object.program(name).descriptor.pin(at: directory.program(name))
            }
        } catch {
            throw .kernel(error)
        }
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
        if found.entryCountMax != needed.entryCountMax {
            notes.append(
                "\(name) keeps its size of \(found.entryCountMax) entries (configured: \(needed.entryCountMax)); "
                    + "run `bulkhead cleanup` and start the agent to change it")
        }
        try kernel { () throws(BPFError) in
            try object.resize(map: name, entryCountMax: found.entryCountMax)
            try object.reuse(pinned, asMap: name)
        }
        adoptedMaps.insert(name)
    }
}
