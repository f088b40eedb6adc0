// SPDX-License-Identifier: Apache-2.0
package import BPFRuntime
import CDatapathABI
import KernelPrograms
import Synchronization

/// The defence of TCP listeners against forged SYNs, in this machine's kernel.
///
/// Links and tables are pinned: it goes on without the process; only the keys are then no longer replaced.
package final class SynDefence: Sendable {
    package let tables: SynTables
    /// In a workload's namespace.
    private let listener: BPFProgram
    /// On a device of the host; the same where the stack makes the cookies.
    private let uplink: BPFProgram
    /// XDP; nil where the stack makes the cookies.
    let front: SynFrontProgram?
    let fronts: BPFMap<UInt32, syn_front>
    let ways: BPFMap<syn_way_key, UInt32>
    private let metrics: BPFMap<UInt32, metric>
    let directory: PinDirectory
    /// Nil where nobody asks for it.
    private let behind: SynBehindPrograms?
    /// False where the stack makes the cookies (before Linux 6.9).
    package let hasOwnCookies: Bool
    private let attachment: AttachmentKind
    /// Filters of this process, by the number of their place; nothing is pinned of them.
    private let filters = Mutex<[UInt32: Filter]>([:])

    private struct Filter {
        var interface: UInt32
        var isUplink: Bool
    }

    /// Loads the programs over the tables that the datapath has pinned; `attach` puts them in force.
    ///
    /// `behind`: servers on other machines; `attachment` forces clsact where tcx would do.
    package init(
        directory: PinDirectory, behind wanted: [SynBehind] = [], attachment: AttachmentKind? = nil
    ) throws(DatapathError) {
        try directory.create()
        do throws(BPFError) {
            let object = try BPFObject(.syn_defence)
            let omitted = try object.omitUnsupportedPrograms()
            for name in [SynTables.settingsName, SynTables.gatesName, SynTables.publishedName] {
                guard let pinned = try FileDescriptor.pinned(at: directory.map(name)) else {
                    throw BPFError(
                        errno: 2, operation: "open the pin \(directory.map(name))",
                        remedy: "another program removed it; start the agent again")
                }
                try object.reuse(pinned, asMap: name)
            }
            try object.load()
            let hasOwnCookies = !omitted.contains("tc_syn_listener")
            let listener = try object.program(hasOwnCookies ? "tc_syn_listener" : "tc_syn_listener_helper")
            let uplink = try object.program(hasOwnCookies ? "tc_syn_uplink" : "tc_syn_listener_helper")
            let front = hasOwnCookies ? SynFrontProgram(program: try object.program("xdp_syn_front")) : nil
            let fronts: BPFMap<UInt32, syn_front> = try object.map("syn_fronts_map")
            let ways: BPFMap<syn_way_key, UInt32> = try object.map("syn_ways_map")
            let metrics: BPFMap<UInt32, metric> = try object.map("syn_metrics_map")
            let behind =
                wanted.isEmpty || !hasOwnCookies
                ? nil
                : try SynBehindPrograms(
                    wanted, directory: directory, metrics: object.mapDescriptor("syn_metrics_map"))
            tables = try SynTables(object)
            self.behind = behind
            self.listener = listener
            self.uplink = uplink
            self.front = front
            self.fronts = fronts
            self.ways = ways
            self.metrics = metrics
            self.directory = directory
            self.hasOwnCookies = hasOwnCookies
            self.attachment = attachment ?? (KernelFeature.tcx.explanationIfMissing() == nil ? .tcx : .clsact)
        } catch {
            throw .kernel(error)
        }
    }

    /// Puts this version's program on a device of the calling thread's network namespace, behind all others.
    ///
    /// `number` names the place: the device itself, or the host's end of a workload's link.
    package func attach(to interface: UInt32, number: UInt32, isUplink: Bool) throws(BPFError) {
        if isUplink {
            try behind?.attach(to: interface)
            try attach(uplink, to: interface, number: number)
        } else {
            try attach(listener, to: interface, number: number)
        }
        guard attachment == .clsact else { return }
        filters.withLock { $0[number] = Filter(interface: interface, isUplink: isUplink) }
    }

    private func attach(_ program: borrowing BPFProgram, to interface: UInt32, number: UInt32) throws(BPFError) {
        guard attachment == .clsact else {
            try TrafficLink.keep(
                program, pinnedAt: directory.syn("\(number)"), on: interface, at: .ingress, isLast: true)
            return
        }
        if try ClsactFilter.programID(on: interface, at: .ingress, .last) != program.info().id {
            try ClsactFilter.attach(program, to: interface, at: .ingress, .last)
        }
    }

    /// True if this version's program is on the workload's device of this number.
    ///
    /// Over clsact: if this process has put it there.
    package func isAttached(number: UInt32) throws(BPFError) -> Bool {
        guard attachment == .tcx else { return filters.withLock { $0[number]?.isUplink == false } }
        guard let pinned = try FileDescriptor.pinned(at: directory.syn("\(number)")) else { return false }
        let link = TrafficLink(descriptor: pinned)
        guard try link.interfaceIndex() != nil else { return false }
        return try link.programID() == listener.info().id
    }

    /// Takes the programs off every place that is not named.
    ///
    /// Over clsact off the host's devices only: a workload's goes with its namespace.
    package func detachAll(besides kept: Set<UInt32> = []) throws(BPFError) {
        let gone = filters.withLock { filters in
            let gone = filters.filter { !kept.contains($0.key) }
            for number in gone.keys { filters[number] = nil }
            return gone.values.filter(\.isUplink).map(\.interface)
        }
        for interface in gone { try ClsactFilter.detach(from: interface, at: .ingress, .last) }
        for name in directory.synNames() {
            if let number = SynDefence.frameNumber(name) {
                if !kept.contains(number) { try SynDefence.detachFrames(directory, number) }
            } else if name == SynBehindPrograms.flowsName || SynBehindPrograms.device(name) != nil {
                if behind == nil || SynBehindPrograms.device(name).map(kept.contains) == false {
                    try SynDefence.remove(name, directory)
                }
            } else if UInt32(name).map(kept.contains) != true {
                try TrafficLink.detach(pinnedAt: directory.syn(name))
            }
        }
    }

    private static func remove(_ name: String, _ directory: PinDirectory) throws(BPFError) {
        if name == SynBehindPrograms.flowsName {
            try unpin(directory.syn(name))
        } else {
            try TrafficLink.detach(pinnedAt: directory.syn(name))
        }
    }

    /// Packets since this was loaded.
    package func count(_ counter: SynCounter) throws(BPFError) -> UInt64 {
        (try metrics.valuesPerCPU(for: UInt32(counter.rawValue)) ?? []).reduce(0) { $0 &+ $1.packets }
    }

    /// Takes everything away that an agent has left; false if there was nothing.
    @discardableResult
    package static func remove(directory: PinDirectory) throws(BPFError) -> Bool {
        let names = directory.synNames()
        for name in names {
            if let number = frameNumber(name) {
                try detachFrames(directory, number)
            } else {
                try remove(name, directory)
            }
        }
        try leavePrefilter(directory)
        return try removeFilters(directory) || !names.isEmpty
    }

    /// Over clsact: those of workloads stay in their namespaces, and do nothing any more.
    private static func removeFilters(_ directory: PinDirectory) throws(BPFError) -> Bool {
        if let pinned = try FileDescriptor.pinned(at: directory.map(SynTables.settingsName)) {
            try SynTables.switchOff(MappedArray(pinned, name: SynTables.settingsName))
        }
        var wasThere = false
        for interface in Datapath.allInterfaces()
        where try ClsactFilter.programID(on: interface, at: .ingress, .last) != nil {
            wasThere = try ClsactFilter.detach(from: interface, at: .ingress, .last) || wasThere
        }
        return wasThere
    }
}
