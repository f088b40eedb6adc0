// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import KernelPrograms
package import NetworkModel

/// Servers on other machines, of which this host is the router, that are to be defended.
package struct SynBehind: Hashable, Sendable {
    package var network: CIDR
    package var ports: [UInt16]

    package init(network: CIDR, ports: [UInt16]) {
        self.network = network
        self.ports = ports
    }

    /// One for each port: the port, then the bits of the network.
    var kernelKeys: [syn_behind_key] {
        ports.map { port in
            var key = syn_behind_key()
            key.prefix_length = UInt32(16 + (network.isIPv4 ? 96 : 0) + network.length)
            key.port = port.bigEndian
            key.address = ip_address(network.address).bytes
            return key
        }
    }
}

/// The programs of `bpf/programs/syn_behind.bpf.c`, on devices by which clients of those servers come.
///
/// What they know of connections is pinned: a connection that is translated lives as long as that.
final class SynBehindPrograms: Sendable {
    private let inward: BPFProgram
    private let outward: BPFProgram
    private let directory: PinDirectory

    static let flowsName = "flows"

    init(
        _ wanted: [SynBehind], directory: PinDirectory, metrics: borrowing FileDescriptor
    ) throws(BPFError) {
        let object = try BPFObject(.syn_behind)
        for name in [SynTables.settingsName, SynTables.gatesName, SynTables.publishedName] {
            guard let pinned = try FileDescriptor.pinned(at: directory.map(name)) else {
                throw BPFError(errno: 2, operation: "open the pin \(directory.map(name))")
            }
            try object.reuse(pinned, asMap: name)
        }
        try object.reuse(metrics, asMap: "syn_metrics_map")
        let flowsPath = directory.syn(SynBehindPrograms.flowsName)
        var isNew = true
        if let flows = try FileDescriptor.pinned(at: flowsPath) {
            try object.reuse(flows, asMap: "syn_flows_map")
            isNew = false
        }
        try object.load()
        if isNew { try object.mapDescriptor("syn_flows_map").pin(at: flowsPath) }
        let networks: BPFMap<syn_behind_key, UInt32> = try object.map("syn_behind_map")
        for key in wanted.flatMap(\.kernelKeys) { try networks.update(key, to: 1) }
        let inward = try object.program("tc_syn_behind_in")
        outward = try object.program("tc_syn_behind_out")
        self.inward = inward
        self.directory = directory
    }

    /// Puts the programs on a device of the calling thread's network namespace.
    func attach(to interface: UInt32) throws(BPFError) {
        // The way out first: a cookie's ACK that became a SYN is to find it there.
        try TrafficLink.keep(outward, pinnedAt: directory.syn("out-\(interface)"), on: interface, at: .egress)
        try TrafficLink.keep(
            inward, pinnedAt: directory.syn("in-\(interface)"), on: interface, at: .ingress, isLast: true)
    }

    /// The device of a link's name, if it is one of these programs'.
    static func device(_ name: String) -> UInt32? {
        for prefix in ["in-", "out-"] where name.hasPrefix(prefix) { return UInt32(name.dropFirst(prefix.count)) }
        return nil
    }
}
