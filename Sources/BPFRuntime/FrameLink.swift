// SPDX-License-Identifier: Apache-2.0
import CLibbpf
import CLinuxShim
import Glibc

/// Where an XDP program runs.
package enum FrameMode: String, Hashable, Sendable, CaseIterable {
    /// In the driver, before there is an skb.
    case native
    /// In the stack, for drivers without XDP.
    case generic

    fileprivate var flag: UInt32 { self == .native ? 1 << 2 : 1 << 1 }
}

/// An XDP link: the program is attached while a handle or a pin refers to it.
///
/// A device has room for one.
package struct FrameLink: ~Copyable, Sendable {
    package let descriptor: FileDescriptor

    package init(descriptor: consuming FileDescriptor) { self.descriptor = descriptor }

    /// `EBUSY` if the device has an XDP program of somebody else; `EOPNOTSUPP` or `EINVAL` if the driver cannot.
    package init(attaching program: borrowing BPFProgram, to interface: UInt32, mode: FrameMode) throws(BPFError) {
        var options = unsafe bpf_link_create_opts()
        unsafe options.sz = MemoryLayout<bpf_link_create_opts>.size
        unsafe options.flags = mode.flag
        let result = unsafe bpf_link_create(program.descriptor.rawValue, Int32(interface), BPF_XDP, &options)
        descriptor = try FileDescriptor(
            owning: check(result, "attach \(program.name) to interface \(interface) as \(mode.rawValue) XDP"))
    }

    /// Replaces the program in one step.
    package func replaceProgram(with program: borrowing BPFProgram) throws(BPFError) {
        try check(
            bpf_link_update(descriptor.rawValue, program.descriptor.rawValue, nil),
            "replace the program of an XDP link by \(program.name)")
    }

    package func detach() throws(BPFError) { try check(bpf_link_detach(descriptor.rawValue), "detach an XDP link") }

    /// The device the link is on; nil if the device is gone.
    package func interfaceIndex() throws(BPFError) -> UInt32? {
        let index = try info().xdp.ifindex
        return index == 0 ? nil : index
    }

    /// The kernel's number of the attached program.
    package func programID() throws(BPFError) -> UInt32 { try info().prog_id }

    private func info() throws(BPFError) -> bpf_link_info {
        var info = bpf_link_info()
        var size = UInt32(MemoryLayout<bpf_link_info>.size)
        try check(
            unsafe bpf_obj_get_info_by_fd(descriptor.rawValue, &info, &size), "read the state of an XDP link")
        return info
    }
}
