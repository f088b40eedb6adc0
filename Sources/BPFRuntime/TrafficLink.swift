// SPDX-License-Identifier: Apache-2.0
import CLibbpf
import CLinuxShim
import Glibc

/// Where on a device a program sits, as the device sees it: ingress is what the host receives from it.
package enum TrafficHook: String, Hashable, Sendable, CaseIterable {
    case ingress
    case egress

    var tcxAttachType: UInt32 {
        switch self {
        case .ingress: UInt32(BULKHEAD_TCX_INGRESS)
        case .egress: UInt32(BULKHEAD_TCX_EGRESS)
        }
    }
}

/// A tcx link: the program is attached while the link lives, that is, while a handle or a pin refers to it.
package struct TrafficLink: ~Copyable, Sendable {
    package let descriptor: FileDescriptor

    package init(descriptor: consuming FileDescriptor) { self.descriptor = descriptor }

    /// Attaches before the programs that are there already, or behind them.
    ///
    /// `EINVAL` before Linux 6.6.
    ///
    /// Usually first, because a program that ends the chain with a verdict of its own would hide packets from those after it;
    /// ours passes a packet by handing it on.
    package init(
        attaching program: borrowing BPFProgram, to ifindex: UInt32, at hook: TrafficHook, isLast: Bool = false
    ) throws(BPFError) {
        let result = bulkhead_tcx_link_create(program.descriptor.rawValue, ifindex, hook.tcxAttachType, isLast)
        let operation = "attach \(program.name) to interface \(ifindex) at tcx \(hook.rawValue)"
        descriptor = try FileDescriptor(owning: check(result, operation))
    }

    /// Replaces the program in one step; no packet passes unseen.
    package func replaceProgram(with program: borrowing BPFProgram) throws(BPFError) {
        try check(
            bpf_link_update(descriptor.rawValue, program.descriptor.rawValue, nil),
            "replace the program of a link by \(program.name)")
    }

    /// Detaches the program at once; the link stays as an empty shell until nothing refers to it.
    ///
    /// Dropping the last reference detaches too, but some time later, from a kernel worker.
    package func detach() throws(BPFError) {
        try check(bpf_link_detach(descriptor.rawValue), "detach a link")
    }

    /// Puts a program on a device and pins the link, or puts it into the link that is pinned already, so that no packet passes
    /// unseen.
    ///
    /// A pinned link whose device is gone is replaced: another device may have its number.
    package static func keep(
        _ program: borrowing BPFProgram, pinnedAt path: String, on ifindex: UInt32, at hook: TrafficHook,
        isLast: Bool = false
    ) throws(BPFError) {
        if let pinned = try FileDescriptor.pinned(at: path) {
            let link = TrafficLink(descriptor: pinned)
            if try link.interfaceIndex() == ifindex {
                if try link.programID() != program.info().id { try link.replaceProgram(with: program) }
                return
            }
            try unpin(path)
        }
        try TrafficLink(attaching: program, to: ifindex, at: hook, isLast: isLast).descriptor.pin(at: path)
    }

    /// Detaches the link that is pinned at a path, if there is one, and removes the pin.
    ///
    /// True if a program was on a device until now.
    @discardableResult
    package static func detach(pinnedAt path: String) throws(BPFError) -> Bool {
        guard let descriptor = try FileDescriptor.pinned(at: path) else { return false }
        let link = TrafficLink(descriptor: descriptor)
        let isOnDevice = try link.interfaceIndex() != nil
        if isOnDevice { try link.detach() }
        try unpin(path)
        return isOnDevice
    }

    /// How many programs, whosever, are asked at a hook of a device ahead of its filters.
    package static func programCount(on ifindex: UInt32, at hook: TrafficHook) throws(BPFError) -> Int {
        var count: UInt32 = 0
        let type = bpf_attach_type(hook.tcxAttachType)
        let result = unsafe bpf_prog_query(Int32(bitPattern: ifindex), type, 0, nil, nil, &count)
        // ENOENT: nobody has attached anything yet.
        if result == -ENOENT { return 0 }
        try check(result, "count the programs of interface \(ifindex) at tcx \(hook.rawValue)")
        return Int(count)
    }

    /// The device the link is on; nil if the device is gone and the link detached.
    package func interfaceIndex() throws(BPFError) -> UInt32? {
        let index = try info().ifindex
        return index == 0 ? nil : index
    }

    /// The kernel's number of the attached program.
    package func programID() throws(BPFError) -> UInt32 { try info().program_id }

    func info() throws(BPFError) -> bulkhead_link_info {
        var info = bulkhead_link_info()
        try check(unsafe bulkhead_read_link_info(descriptor.rawValue, &info), "read the state of a link")
        return info
    }
}
