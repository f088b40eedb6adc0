// SPDX-License-Identifier: Apache-2.0
package import BPFRuntime
import CDatapathABI
import KernelPrograms

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
    /// False where the stack makes the cookies (before Linux 6.9).
    package let hasOwnCookies: Bool

    /// Loads the programs over the tables that the datapath has pinned; `attach` puts them in force.
    ///
    /// Needs tcx (Linux 6.6).
    package init(directory: PinDirectory) throws(DatapathError) {
        try directory.create()
        do throws(BPFError) {
            if let missing = KernelFeature.tcx.explanationIfMissing() {
                throw BPFError(errno: 95, operation: "defend listeners", remedy: missing)
            }
            let object = try BPFObject(.syn_defence)
            let omitted = try object.omitUnsupportedPrograms()
            for name in [SynTables.settingsName, SynTables.gatesName] {
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
            tables = try SynTables(object)
            self.listener = listener
            self.uplink = uplink
            self.front = front
            self.fronts = fronts
            self.ways = ways
            self.metrics = metrics
            self.directory = directory
            self.hasOwnCookies = hasOwnCookies
        } catch {
            throw .kernel(error)
        }
    }

    /// Puts this version's program on a device of the calling thread's network namespace, behind all others.
    ///
    /// `number` names the place: the device itself, or the host's end of a workload's link.
    package func attach(to interface: UInt32, number: UInt32, isUplink: Bool) throws(BPFError) {
        let path = directory.syn("\(number)")
        if isUplink {
            try TrafficLink.keep(uplink, pinnedAt: path, on: interface, at: .ingress, isLast: true)
        } else {
            try TrafficLink.keep(listener, pinnedAt: path, on: interface, at: .ingress, isLast: true)
        }
    }

    /// True if this version's program is on the workload's device of this number.
    package func isAttached(number: UInt32) throws(BPFError) -> Bool {
        guard let pinned = try FileDescriptor.pinned(at: directory.syn("\(number)")) else { return false }
        let link = TrafficLink(descriptor: pinned)
        guard try link.interfaceIndex() != nil else { return false }
        return try link.programID() == listener.info().id
    }

    /// Takes the programs off every place that is not named.
    package func detachAll(besides kept: Set<UInt32> = []) throws(BPFError) {
        for name in directory.synNames() {
            if let number = SynDefence.frameNumber(name) {
                if !kept.contains(number) { try SynDefence.detachFrames(directory, number) }
            } else if UInt32(name).map(kept.contains) != true {
                try TrafficLink.detach(pinnedAt: directory.syn(name))
            }
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
                try TrafficLink.detach(pinnedAt: directory.syn(name))
            }
        }
        try leavePrefilter(directory)
        return !names.isEmpty
    }
}
