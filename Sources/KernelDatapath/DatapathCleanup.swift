// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import Glibc

extension Datapath {
    /// What this process may not do and must; nil if it may do all.
    package static func missingCapabilities() -> String? { KernelFeature.capabilities.explanationIfMissing() }

    /// Detaches everything and removes every pin, so that the host is as it was before.
    ///
    /// The number of interfaces that a program was taken from; nil if not even a pin was there. Works without loading
    /// anything, also on what a half-finished start left. Refused while an agent runs.
    @discardableResult
    package static func remove(directory: PinDirectory = PinDirectory()) throws(DatapathError) -> Int? {
        let others = try removeOtherVersions(than: directory)
        guard let own = try removeVersion(directory) else { return others > 0 ? others : nil }
        return own + others
    }

    /// Takes away what agents of other versions left: their programs would go on judging, by policies of then.
    @discardableResult
    static func removeOtherVersions(than directory: PinDirectory) throws(DatapathError) -> Int {
        var count = 0
        for other in directory.otherVersions() { count += try removeVersion(other) ?? 0 }
        return count
    }

    private static func removeVersion(_ directory: PinDirectory) throws(DatapathError) -> Int? {
        guard let lock = try directory.lock() else { return nil }
        defer { _ = lock.rawValue }
        var interfaces: Set<UInt32> = []
        for link in directory.links() {
            try kernel { () throws(BPFError) in
                if try TrafficLink.detach(pinnedAt: link.path) { interfaces.insert(link.interface) }
            }
        }
        for hook in CgroupHook.allCases {
            try kernel { () throws(BPFError) in try TrafficLink.detachCgroup(pinnedAt: directory.link(hook)) }
        }
        for interface in try recordedInterfaces(directory) {
            for hook in TrafficHook.allCases {
                try kernel { () throws(BPFError) in
                    if try ClsactFilter.detach(from: interface, at: hook) { interfaces.insert(interface) }
                }
            }
        }
        try kernel { () throws(BPFError) in
            _ = try Shield.remove(directory: directory)
            _ = try SynDefence.remove(directory: directory)
        }
        try directory.removeAll()
        return interfaces.count
    }

    /// Interfaces on which filters of ours may be: those with an endpoint record, or, where another version wrote records
    /// that this one cannot read, all.
    private static func recordedInterfaces(_ directory: PinDirectory) throws(DatapathError) -> Set<UInt32> {
        var interfaces: Set<UInt32> = []
        for name in [MapName.endpoints, MapName.endpointOverflow] {
            let path = directory.map(name)
            try kernel { () throws(BPFError) in
                guard let pinned = try FileDescriptor.pinned(at: path) else { return }
                let definition = try MapDefinition(of: pinned, name: path)
                guard definition.keySize == MemoryLayout<UInt32>.size,
                    definition.valueSize == MemoryLayout<endpoint_entry>.size
                else {
                    interfaces.formUnion(allInterfaces())
                    return
                }
                let map = try BPFMap<UInt32, endpoint_entry>(descriptor: pinned, name: path)
                try map.forEach { _, entry in
                    if entry.ifindex != 0 { interfaces.insert(entry.ifindex) }
                }
            }
        }
        return interfaces
    }

    static func allInterfaces() -> Set<UInt32> {
        guard let list = unsafe if_nameindex() else { return [] }
        defer { unsafe if_freenameindex(list) }
        var interfaces: Set<UInt32> = []
        var position = 0
        while unsafe list[position].if_index != 0 {
            unsafe interfaces.insert(list[position].if_index)
            position += 1
        }
        return interfaces
    }
}
