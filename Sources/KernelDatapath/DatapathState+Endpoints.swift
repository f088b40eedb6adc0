// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import Glibc
import NetworkModel

extension DatapathState {
    /// Writes the record, then attaches what is not attached yet; takes everything back if the device refuses.
    mutating func attach(_ endpoint: DatapathEndpoint) throws(BPFError) -> AttachmentKind {
        let earlier = attached[endpoint.interface]
        let oldAddresses = addresses(of: endpoint.number, besides: nil)
        attached[endpoint.interface] = endpoint
        let newAddresses = addresses(of: endpoint.number, besides: nil)
        do throws(BPFError) {
            try objects.setAddresses(of: endpoint.number, from: oldAddresses, to: newAddresses)
            try objects.write(endpoint)
            if let earlier, earlier.number != endpoint.number { try removeAddresses(ofFormer: earlier) }
            let isHost = endpoint.options.contains(.host)
            if earlier == nil || earlier?.options.contains(.host) != isHost {
                for hook in TrafficHook.allCases {
                    try attachProgram(to: endpoint.interface, at: hook, isHost: isHost)
                }
            }
        } catch {
            takeBack(endpoint, earlier)
            throw error
        }
        return attachment
    }

    /// Leaves things as they were before a failed attach, as far as the kernel lets us.
    private mutating func takeBack(_ endpoint: DatapathEndpoint, _ earlier: DatapathEndpoint?) {
        guard let earlier else {
            _ = try? detach(interface: endpoint.interface)
            return
        }
        attached[earlier.interface] = earlier
        try? objects.write(earlier)
        try? removeAddresses(ofFormer: endpoint)
        try? objects.setAddresses(of: earlier.number, from: [], to: earlier.addresses)
    }

    /// Detaches programs first, so that no packet meets a program without a record.
    mutating func detach(interface: UInt32) throws(BPFError) -> Bool {
        guard let endpoint = attached.removeValue(forKey: interface) else { return false }
        for hook in TrafficHook.allCases {
            try TrafficLink.detach(pinnedAt: directory.link(interface, hook))
            if attachment == .clsact { try ClsactFilter.detach(from: interface, at: hook) }
        }
        try objects.removeRecord(of: interface)
        try removeAddresses(ofFormer: endpoint)
        return true
    }

    /// Puts this version's programs in the place of an adopted interface's; false if the device is gone.
    func refreshPrograms(of interface: UInt32) throws(BPFError) -> Bool {
        guard let endpoint = attached[interface] else { return false }
        do throws(BPFError) {
            for hook in TrafficHook.allCases {
                try attachProgram(to: interface, at: hook, isHost: endpoint.options.contains(.host))
            }
            return true
        } catch {
            guard error.errno == ENODEV || error.errno == ENOENT else { throw error }
            return false
        }
    }

    /// Attaches, or replaces in one step what a pinned link or our filter holds there.
    private func attachProgram(to interface: UInt32, at hook: TrafficHook, isHost: Bool) throws(BPFError) {
        try objects.withProgram(at: hook, isHost: isHost) { program throws(BPFError) in
            guard attachment == .tcx else {
                try ClsactFilter.attach(program, to: interface, at: hook)
                return
            }
            let path = directory.link(interface, hook)
            if let pinned = try FileDescriptor.pinned(at: path) {
                let link = TrafficLink(descriptor: pinned)
                if try link.interfaceIndex() == interface {
                    if try link.programID() != program.info().id { try link.replaceProgram(with: program) }
                    return
                }
                // The device this link was made for is gone, and another has its number.
                try unpin(path)
            }
            try TrafficLink(attaching: program, to: interface, at: hook).descriptor.pin(at: path)
        }
    }

    private func removeAddresses(ofFormer endpoint: DatapathEndpoint) throws(BPFError) {
        let current = attached[endpoint.interface]
        var kept = addresses(of: endpoint.number, besides: endpoint.interface)
        if let current, current.number == endpoint.number { kept.formUnion(current.addresses) }
        try objects.setAddresses(of: endpoint.number, from: endpoint.addresses.union(kept), to: kept)
    }

    /// The addresses of an endpoint over all of its interfaces.
    private func addresses(of number: UInt16, besides interface: UInt32?) -> Set<IPAddress> {
        attached.values.reduce(into: []) { all, endpoint in
            if endpoint.number == number, endpoint.interface != interface { all.formUnion(endpoint.addresses) }
        }
    }
}
