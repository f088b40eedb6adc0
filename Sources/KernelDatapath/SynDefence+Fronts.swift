// SPDX-License-Identifier: Apache-2.0
package import BPFRuntime
import CDatapathABI

/// Where on a device SYNs are answered ahead of the listener's namespace.
package enum SynFrontHook: String, Hashable, Sendable, CaseIterable {
    case tcx
    case xdp
}

/// A device of the host at which SYNs may be answered.
package struct SynFront: Hashable, Sendable {
    package var interface: UInt32
    /// Six bytes.
    package var hardwareAddress: [UInt8]
    package var hook: SynFrontHook

    package init(interface: UInt32, hardwareAddress: [UInt8], hook: SynFrontHook) {
        self.interface = interface
        self.hardwareAddress = hardwareAddress
        self.hook = hook
    }

    var kernelValue: syn_front {
        var value = syn_front()
        value.hook = UInt8(hook == .xdp ? SYN_FRONT_FRAMES : SYN_FRONT_TRAFFIC)
        let bytes = hardwareAddress
        value.hardware_address = (bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5])
        return value
    }
}

/// What is forwarded to a device gets to one network namespace; device 0: what is not forwarded.
package struct SynWay: Hashable, Sendable {
    package var device: UInt32
    /// Inode of the namespace.
    package var namespace: UInt32

    package init(device: UInt32, namespace: UInt32) {
        self.device = device
        self.namespace = namespace
    }
}

/// Shared, which an optional program as such cannot be.
final class SynFrontProgram: Sendable {
    let program: BPFProgram

    init(program: consuming BPFProgram) { self.program = program }
}

/// Fronts: answers for listeners behind the host's devices, before packets get there.
extension SynDefence {
    /// What the kernel is to know of fronts and of what is behind them; nothing else stays known.
    package func configure(fronts wanted: [SynFront], ways wantedWays: Set<SynWay>) throws(BPFError) {
        var known: [UInt32: syn_front] = [:]
        try fronts.forEach { known[$0] = $1 }
        for front in wanted where front.hardwareAddress.count == 6 && hasOwnCookies {
            let value = front.kernelValue
            let old = known.removeValue(forKey: front.interface)
            if old?.hook != value.hook || old.map({ $0.hardware_address != value.hardware_address }) != false {
                try fronts.update(front.interface, to: value)
            }
        }
        for interface in known.keys { try fronts.remove(interface) }
        var stale: [syn_way_key] = []
        var missing = wantedWays
        try ways.forEach { key, _ in
            if missing.remove(SynWay(device: key.device, namespace: key.space)) == nil { stale.append(key) }
        }
        for way in missing { try ways.update(syn_way_key(device: way.device, space: way.namespace), to: 1) }
        for key in stale { try ways.remove(key) }
    }

    /// Puts XDP on a device: called by the prefilter if that is there, else by itself in the driver.
    ///
    /// Nil, or why it cannot be.
    package func attachFrames(to interface: UInt32) -> String? {
        guard let front else { return "the stack makes the cookies" }
        do throws(BPFError) {
            if try hasPrefilter(interface),
                let pinned = try FileDescriptor.pinned(at: directory.shield(SynDefence.prefilterSlot))
            {
                try SynDefence.detachFrames(directory, interface)
                let slots = try BPFMap<UInt32, Int32>(descriptor: pinned, name: SynDefence.prefilterSlot)
                try slots.update(0, to: front.program.descriptor.rawValue)
                return nil
            }
            let path = directory.syn(SynDefence.frameName(interface))
            if let pinned = try FileDescriptor.pinned(at: path) {
                let link = FrameLink(descriptor: pinned)
                if try link.interfaceIndex() == interface {
                    if try link.programID() != front.program.info().id { try link.replaceProgram(with: front.program) }
                    return nil
                }
                try unpin(path)
            }
            try FrameLink(attaching: front.program, to: interface, mode: .native).descriptor.pin(at: path)
            return nil
        } catch {
            return "\(error)"
        }
    }

    /// True if the prefilter has the device's place for XDP.
    private func hasPrefilter(_ interface: UInt32) throws(BPFError) -> Bool {
        for mode in FrameMode.allCases {
            let path = directory.shield("\(mode.rawValue)-\(interface)")
            guard let pinned = try FileDescriptor.pinned(at: path) else { continue }
            if try FrameLink(descriptor: pinned).interfaceIndex() == interface { return true }
        }
        return false
    }

    /// The prefilter's table of who answers SYNs (`bpf/programs/prefilter.bpf.c`).
    static let prefilterSlot = "syn_front_map"

    private static func frameName(_ interface: UInt32) -> String { "xdp-\(interface)" }

    static func frameNumber(_ name: String) -> UInt32? {
        name.hasPrefix("xdp-") ? UInt32(name.dropFirst(4)) : nil
    }

    /// Takes XDP of ours off a device; another's stays.
    package static func detachFrames(_ directory: PinDirectory, _ interface: UInt32) throws(BPFError) {
        let path = directory.syn(frameName(interface))
        guard let pinned = try FileDescriptor.pinned(at: path) else { return }
        let link = FrameLink(descriptor: pinned)
        if try link.interfaceIndex() != nil { try link.detach() }
        try unpin(path)
    }

    /// The prefilter calls nobody any more.
    static func leavePrefilter(_ directory: PinDirectory) throws(BPFError) {
        guard let pinned = try FileDescriptor.pinned(at: directory.shield(prefilterSlot)) else { return }
        try BPFMap<UInt32, Int32>(descriptor: pinned, name: prefilterSlot).remove(0)
    }
}
