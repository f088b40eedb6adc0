// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import Glibc
import KernelPrograms

/// Everything behind the lock of `Datapath`: the loaded kernel objects and what is attached.
struct DatapathState: ~Copyable {
    let pins: PinnedObjects
    /// Held for as long as this process owns the pins.
    let lock: FileDescriptor
    let objects: KernelObjects
    let clock: KernelClock
    var tables: BankedTables
    var attached: [UInt32: DatapathEndpoint] = [:]
    /// Endpoints that are services, which have no interface.
    var serviceNumbers: Set<UInt16> = []
    let attachment: AttachmentKind
    /// Attached interfaces that have filters until there is time for links.
    private(set) var interim: Set<UInt32> = []
    let fallbackReason: String?
    let isAdopted: Bool
    /// Flows that the table has room for: an adopted one keeps its size.
    let conntrackCapacity: Int
    let keptSizes: [String]
    var notes: [String] = []
    /// Probed once, when it is first asked for.
    var support: KernelSupport?

    /// How an attached interface has its programs.
    func kind(of interface: UInt32) -> AttachmentKind { interim.contains(interface) ? .clsact : attachment }

    /// Notes what an interface's programs hang on; nil: on what is meant to last, or on nothing.
    mutating func note(_ kind: AttachmentKind?, of interface: UInt32) {
        if let kind, kind != attachment { interim.insert(interface) } else { interim.remove(interface) }
    }

    /// Reads the endpoint records, puts this version's programs in place, and drops what belongs to devices now gone.
    mutating func adoptEndpoints(_ programs: borrowing EndpointPrograms) throws(BPFError) {
        attached = try objects.readEndpoints()
        for (interface, endpoint) in attached.sorted(by: { $0.key < $1.key }) {
            do throws(BPFError) {
                try programs.attach(to: interface, isHost: endpoint.options.contains(.host))
            } catch {
                guard error.errno == ENODEV || error.errno == ENOENT else { throw error }
                try programs.detach(from: interface)
                try forget(interface: interface)
                notes.append("interface \(interface) of an earlier endpoint is gone; its record was removed")
            }
        }
        try programs.detachAll(besides: attached.keys)
    }
}

extension DatapathState {
    /// Loads the datapath, or takes over the maps and programs that an earlier agent left; not yet its endpoints.
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
            // Sets them up: what happens before somebody reads waits there.
            _ = try objects.events.open()
            let tables = try BankedTables(loading.pins, policyBuckets: sizes.policyBuckets)
            let clock = try KernelClock()
            let conntrack = try MapDefinition(
                of: loading.pins.mapDescriptor(MapName.conntrack), name: MapName.conntrack)
            tables.conntrackShare = conntrack.entryCountMax / DatapathSizes.conntrackShareDivisor
            return DatapathState(
                pins: PinnedObjects(directory: directory), lock: lock, objects: objects, clock: clock, tables: tables,
                attachment: reason == nil ? .tcx : .clsact, fallbackReason: reason,
                isAdopted: !loading.adoptedMaps.isEmpty, conntrackCapacity: conntrack.entryCountMax,
                keptSizes: loading.notes)
        } catch {
            throw .kernel(error)
        }
    }
}
