// SPDX-License-Identifier: Apache-2.0

import CDatapathABI

/// When listeners are defended against forged SYNs.
package enum SynMode: String, Hashable, Sendable, CaseIterable {
    /// Never; connections whose cookies are under way still come about.
    case off
    /// While they are under load.
    case auto
    case always
}

/// Where SYNs are answered ahead of the listener's namespace.
package enum SynFrontChoice: String, Hashable, Sendable, CaseIterable {
    /// XDP on hardware whose driver takes it, else tcx.
    case auto
    case off
    case tcx
    /// Also on devices that may lose what XDP sends back, as a veth whose other end has no XDP.
    case xdp
}

/// What an operator may choose about the defence of listeners.
package struct SynSettings: Hashable, Sendable {
    package var mode = SynMode.off
    /// Other modes for single ports of listeners; `auto` is as if it were not there.
    package var ports: [UInt16: SynMode] = [:]
    /// So many SYNs to a listener within `window` switch its defence on, if its SYN queue shows that they get there.
    package var engage = 250
    package var window: Duration = .milliseconds(125)
    /// Fewer than so many in every window of `hold` switch it off.
    package var disengage = 60
    package var hold: Duration = .seconds(10)
    package var front = SynFrontChoice.auto
    /// Servers on other machines, of which this host is the router.
    package var behind: [SynBehind] = []
    /// net.core.rmem_max.
    package var receiveBufferMax: UInt32 = 212_992

    package init() {}

    /// As the programs read them: with the mode `off` they look at no port, so that ports which are not off are what `auto`
    /// leaves when all others are.
    var resolved: SynSettings {
        guard mode == .off, ports.values.contains(where: { $0 != .off }) else { return self }
        var settings = self
        settings.mode = .auto
        for port in 0...UInt16.max where ports[port] == nil { settings.ports[port] = .off }
        return settings
    }

    var kernelMode: UInt32 {
        switch mode {
        case .off: UInt32(SYN_DEFENCE_OFF)
        case .auto: UInt32(SYN_DEFENCE_AUTO)
        case .always: UInt32(SYN_DEFENCE_ALWAYS)
        }
    }

    /// 1024 words with the bits of the ports that have a mode of their own.
    func words(of mode: SynMode) -> [UInt64] {
        var words = [UInt64](repeating: 0, count: 1024)
        for (port, own) in ports where own == mode { words[Int(port) >> 6] |= 1 << UInt64(port & 63) }
        return words
    }
}

extension Duration {
    /// For the kernel's tables; never negative.
    var wholeNanoseconds: UInt64 { UInt64(clamping: Int64(self / .nanoseconds(1))) }
}
