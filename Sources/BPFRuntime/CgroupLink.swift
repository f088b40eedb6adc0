// SPDX-License-Identifier: Apache-2.0
import CLibbpf
import CLinuxShim
import Glibc

/// Which packets of a cgroup's sockets a program sees.
package enum CgroupHook: String, Hashable, Sendable, CaseIterable {
    case ingress
    case egress

    fileprivate var attachType: bpf_attach_type {
        switch self {
        case .ingress: BPF_CGROUP_INET_INGRESS
        case .egress: BPF_CGROUP_INET_EGRESS
        }
    }
}

extension TrafficLink {
    /// Attaches to a cgroup, named by its directory, beside the programs that are there already.
    ///
    /// It sees the sockets of the cgroup and of all below it. The link goes with the cgroup, or with its last handle.
    package init(attaching program: borrowing BPFProgram, toCgroup path: String, at hook: CgroupHook) throws(BPFError) {
        let operation = "attach \(program.name) to the cgroup \(path)"
        let directory = try FileDescriptor(
            owning: checkPOSIX(unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), operation))
        let result = bpf_link_create(program.descriptor.rawValue, directory.rawValue, hook.attachType, nil)
        self.init(descriptor: try FileDescriptor(owning: check(result, operation)))
    }

    /// True while the program of a cgroup's link sees packets: somebody may have detached it and left the pin.
    package func isOnCgroup() throws(BPFError) -> Bool { try info().cgroup_id != 0 }

    /// Takes a cgroup's link off, if one is pinned at the path, and removes the pin.
    package static func detachCgroup(pinnedAt path: String) throws(BPFError) {
        guard let descriptor = try FileDescriptor.pinned(at: path) else { return }
        try TrafficLink(descriptor: descriptor).detach()
        try unpin(path)
    }
}
