// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import Glibc

/// Puts the programs on interfaces and takes them off.
///
/// With tcx the kernel waits at each, some 20 ms, until no packet uses what was there before: so this has a lock of its
/// own, and a commit does not queue behind it.
struct EndpointPrograms: ~Copyable {
    private let directory: PinDirectory
    private let attachment: AttachmentKind
    private let fromEndpoint: BPFProgram
    private let toEndpoint: BPFProgram
    private let fromNetwork: BPFProgram
    private let toNetwork: BPFProgram

    /// Puts this version's programs on an interface, in the place of what an earlier attachment of ours holds there.
    func attach(to interface: UInt32, isHost: Bool) throws(BPFError) {
        for hook in TrafficHook.allCases {
            // What the host receives from a workload's link is what the workload sends; what it receives from a
            // network device is what reaches the host.
            switch (hook, isHost) {
            case (.ingress, false): try attach(fromEndpoint, to: interface, at: hook)
            case (.egress, false): try attach(toEndpoint, to: interface, at: hook)
            case (.ingress, true): try attach(fromNetwork, to: interface, at: hook)
            case (.egress, true): try attach(toNetwork, to: interface, at: hook)
            }
        }
    }

    /// Takes them off; the device may be gone.
    func detach(from interface: UInt32) throws(BPFError) {
        for hook in TrafficHook.allCases {
            try TrafficLink.detach(pinnedAt: directory.link(interface, hook))
            if attachment == .clsact { try ClsactFilter.detach(from: interface, at: hook) }
        }
    }

    /// Removes links of interfaces that nothing is known of.
    func detachAll(besides known: some Sequence<UInt32>) throws(BPFError) {
        let known = Set(known)
        for link in directory.links() where !known.contains(link.interface) {
            try TrafficLink.detach(pinnedAt: link.path)
        }
    }

    private func attach(
        _ program: borrowing BPFProgram, to interface: UInt32, at hook: TrafficHook
    ) throws(BPFError) {
        guard attachment == .tcx else {
            try ClsactFilter.attach(program, to: interface, at: hook)
            return
        }
        try TrafficLink.keep(program, pinnedAt: directory.link(interface, hook), on: interface, at: hook)
    }
}

extension EndpointPrograms {
    /// Takes the programs from their pins, which is where a load and an adoption both leave them.
    init(_ pins: borrowing PinnedObjects, attachment: AttachmentKind) throws(BPFError) {
        try self.init(
            directory: pins.directory, attachment: attachment,
            fromEndpoint: pins.program("tc_from_endpoint"),
            toEndpoint: pins.program("tc_to_endpoint"),
            fromNetwork: pins.program("tc_from_network"),
            toNetwork: pins.program("tc_to_network"))
    }
}
