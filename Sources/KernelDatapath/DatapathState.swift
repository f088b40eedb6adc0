// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import Glibc
import KernelPrograms

/// Everything behind the lock of `Datapath`: the loaded kernel objects and what is attached.
struct DatapathState: ~Copyable {
    let directory: PinDirectory
    /// Held for as long as this process owns the pins.
    let lock: FileDescriptor
    let objects: KernelObjects
    let clock: KernelClock
    var tables: BankedTables
    var attached: [UInt32: DatapathEndpoint] = [:]
    let attachment: AttachmentKind
    let fallbackReason: String?
    let isAdopted: Bool
    /// Flows that the table has room for: an adopted one keeps its size.
    let conntrackCapacity: Int
    var notes: [String]
    /// Probed once, when it is first asked for.
    var support: KernelSupport?

    /// Reads the endpoint records, puts this version's programs in place, and drops what belongs to devices now gone.
    mutating func adoptEndpoints() throws(BPFError) {
        attached = try objects.readEndpoints()
        var stale: Set<UInt32> = []
        for interface in attached.keys.sorted() where try !refreshPrograms(of: interface) { stale.insert(interface) }
        for interface in stale.sorted() {
            _ = try detach(interface: interface)
            notes.append("interface \(interface) of an earlier endpoint is gone; its record was removed")
        }
        for link in directory.links() where attached[link.interface] == nil {
            try TrafficLink.detach(pinnedAt: link.path)
        }
    }
}

extension DatapathState {
    /// Loads the datapath, or takes over the one that an earlier agent left, its programs replaced by this version's.
    static func load(
        directory: PinDirectory, sizes: DatapathSizes, attachment forced: AttachmentKind?
    ) throws(DatapathError) -> DatapathState {
        try Datapath.removeOtherVersions(than: directory)
        try directory.create()
        guard let lock = try directory.lock() else {
            throw .directory(path: directory.path, cause: "it is gone", remedy: "start the agent again")
        }
        var loading = try DatapathLoading(directory: directory)
        try loading.load(sizes: sizes)
        let reason = forced == .clsact ? "clsact was asked for" : KernelFeature.tcx.explanationIfMissing()
        do throws(BPFError) {
            let objects = try KernelObjects(loading.pins)
            let tables = try BankedTables(loading.pins, policyBuckets: sizes.policyBuckets)
            let clock = try KernelClock()
            let conntrack = try MapDefinition(
                of: loading.pins.mapDescriptor(MapName.conntrack), name: MapName.conntrack)
            tables.conntrackShare = conntrack.entryCountMax / DatapathSizes.conntrackShareDivisor
            var state = DatapathState(
                directory: directory, lock: lock, objects: objects, clock: clock, tables: tables,
                attachment: reason == nil ? .tcx : .clsact, fallbackReason: reason,
                isAdopted: !loading.adoptedMaps.isEmpty, conntrackCapacity: conntrack.entryCountMax,
                notes: loading.notes)
            try state.adoptEndpoints()
            return state
        } catch {
            throw .kernel(error)
        }
    }
}
