// SPDX-License-Identifier: Apache-2.0
package import BPFRuntime

/// Which program goes where on a device.
extension Shield {
    private enum Side {
        case packets
        case rawPackets
        case questions
        case rawQuestions
    }

    /// Puts this version's programs on a device, in the place of what an earlier attachment of ours holds there.
    ///
    /// Native XDP where the driver can, else generic; tcx where packets have no Ethernet header, or XDP's place is
    /// somebody else's: that is tried again with every call.
    package mutating func attach(_ device: ShieldDevice) throws(BPFError) -> ShieldPlace {
        let interface = device.interface
        if hasTCX { try attachTraffic(device.isEthernet ? .questions : .rawQuestions, to: interface, at: .egress) }
        guard device.isEthernet else {
            try attachTraffic(.rawPackets, to: interface, at: .ingress)
            return ShieldPlace(hook: .tcx, reason: "packets begin with the IP header, and XDP reads Ethernet")
        }
        if let place = try adoptedPlace(interface) { return place }
        // The front of the defence of listeners stood there while there was no prefilter to call it.
        try SynDefence.detachFrames(directory, interface)
        let refusal: BPFError
        do throws(BPFError) {
            try attachFrames(to: interface, mode: .native)
            try leaveTraffic(interface)
            return ShieldPlace(hook: .native, reason: Shield.nativeReason)
        } catch {
            refusal = error
        }
        do throws(BPFError) {
            guard !refusal.isDeviceBusy else { throw refusal }
            try attachFrames(to: interface, mode: .generic)
            try leaveTraffic(interface)
            let reason = "the driver does not take XDP (\(errorText(refusal.errno)))"
            genericReasons[interface] = reason
            return ShieldPlace(hook: .generic, reason: reason)
        } catch {
            guard hasTCX else { throw error }
            try attachTraffic(.packets, to: interface, at: .ingress)
            let cause =
                error.isDeviceBusy
                ? "another program has the device's place for XDP" : "XDP is refused (\(errorText(error.errno)))"
            return ShieldPlace(hook: .tcx, reason: cause)
        }
    }

    private static let nativeReason = "the driver takes XDP"

    /// Where an earlier attachment holds the device.
    private mutating func adoptedPlace(_ interface: UInt32) throws(BPFError) -> ShieldPlace? {
        for mode in FrameMode.allCases {
            let path = directory.shield("\(mode.rawValue)-\(interface)")
            guard let pinned = try FileDescriptor.pinned(at: path) else { continue }
            let link = FrameLink(descriptor: pinned)
            if try link.interfaceIndex() == interface {
                // Only if it is another one: drivers may stop their queues for it.
                if try link.programID() != frames.info().id { try link.replaceProgram(with: frames) }
                if mode == .native { return ShieldPlace(hook: .native, reason: Shield.nativeReason) }
                let reason = genericReasons[interface] ?? "the driver did not take XDP when an earlier agent tried"
                return ShieldPlace(hook: .generic, reason: reason)
            }
            // The device this link was made for is gone, and another has its number.
            try unpin(path)
        }
        return nil
    }

    private func attachFrames(to interface: UInt32, mode: FrameMode) throws(BPFError) {
        try FrameLink(attaching: frames, to: interface, mode: mode).descriptor
            .pin(at: directory.shield("\(mode.rawValue)-\(interface)"))
    }

    /// XDP judges from now on what tcx judged until now.
    private func leaveTraffic(_ interface: UInt32) throws(BPFError) {
        try TrafficLink.detach(pinnedAt: directory.shield("\(TrafficHook.ingress.rawValue)-\(interface)"))
    }

    private func attachTraffic(_ side: Side, to interface: UInt32, at hook: TrafficHook) throws(BPFError) {
        switch side {
        case .packets: try attachTraffic(packets, to: interface, at: hook)
        case .rawPackets: try attachTraffic(rawPackets, to: interface, at: hook)
        case .questions: try attachTraffic(questions, to: interface, at: hook)
        case .rawQuestions: try attachTraffic(rawQuestions, to: interface, at: hook)
        }
    }

    private func attachTraffic(_ program: borrowing BPFProgram, to interface: UInt32, at hook: TrafficHook)
        throws(BPFError)
    {
        let path = directory.shield("\(hook.rawValue)-\(interface)")
        try TrafficLink.keep(program, pinnedAt: path, on: interface, at: hook)
    }
}
