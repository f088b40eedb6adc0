// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import Glibc

/// Puts the programs on interfaces and takes them off.
///
/// With tcx the kernel waits at each, some 20 ms, until no packet uses what was there before: so this has a lock of its
/// own, and a commit does not queue behind it. Who cannot wait gets filters at once and links when there is time.
struct EndpointPrograms: ~Copyable {
    private let directory: PinDirectory
    private let attachment: AttachmentKind
    private let fromEndpoint: BPFProgram
    private let toEndpoint: BPFProgram
    private let fromNetwork: BPFProgram
    private let toNetwork: BPFProgram
    private let placeHolder: BPFProgram

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

    /// Puts this version's programs on the interface of a workload as filters, for which the kernel waits for nobody.
    ///
    /// `attach` makes links of them later. Links at once where filters would not do: another tool has the queueing
    /// discipline, or a program ahead of it that could end the matter.
    func attachAtOnce(to interface: UInt32) throws(BPFError) -> AttachmentKind {
        if attachment == .tcx, try isFree(interface), ClsactFilter.makeDiscipline(on: interface) {
            do throws(BPFError) {
                try ClsactFilter.attach(toEndpoint, to: interface, at: .egress)
                try ClsactFilter.attach(fromEndpoint, to: interface, at: .ingress)
                return .clsact
            } catch {
                // Links are tried; they take away what is there by half.
            }
        }
        try attach(to: interface, isHost: false)
        return attachment
    }

    private func isFree(_ interface: UInt32) throws(BPFError) -> Bool {
        for hook in TrafficHook.allCases where try TrafficLink.programCount(on: interface, at: hook) > 0 {
            return false
        }
        return true
    }

    /// Takes them off; the device may be gone.
    func detach(from interface: UInt32) throws(BPFError) {
        for hook in TrafficHook.allCases {
            try TrafficLink.detach(pinnedAt: directory.link(interface, hook))
            try ClsactFilter.detach(from: interface, at: hook)
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
        let pin = directory.link(interface, hook)
        guard try ClsactFilter.programID(on: interface, at: hook) != nil else {
            try TrafficLink.keep(program, pinnedAt: pin, on: interface, at: hook)
            return
        }
        // The filter judges until the link is whole: for the moment between the last two steps both do, never none.
        try TrafficLink.keep(placeHolder, pinnedAt: pin, on: interface, at: hook)
        try TrafficLink.keep(program, pinnedAt: pin, on: interface, at: hook)
        try ClsactFilter.detach(from: interface, at: hook, keepsDiscipline: true)
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
            toNetwork: pins.program("tc_to_network"),
            placeHolder: pins.program("tc_place_holder"))
    }
}
