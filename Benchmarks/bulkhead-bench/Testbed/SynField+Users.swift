// SPDX-License-Identifier: Apache-2.0

import KernelDatapath
import NetworkModel

/// The field with real users in it.
extension SynField {
    /// Of the router, or of the server behind it.
    static func target(isWorkload: Bool, isIPv6: Bool) -> [UInt8] {
        let net: UInt8 = isWorkload ? 2 : 1, host: UInt8 = isWorkload ? 2 : 1
        return isIPv6
            ? [0xfd, 0xdb, 0, net] + [UInt8](repeating: 0, count: 11) + [host] : [10, 219, net, host]
    }

    /// Both families, and answers get to who waits for them.
    func letUsersIn() throws {
        try addIPv6()
        swallow = nil
    }

    /// Defends by load, or as `settings` say, until `undefend`; SYNs to the server's listeners are answered by the router.
    func defend(isWorkload: Bool, _ settings: SynSettings = SynField.byLoad) throws {
        try installOwn(isWorkload ? .trafficFront : .listener, isWorkload: isWorkload, settings)
    }

    func undefend(isWorkload: Bool) throws { try remove(.listener, isWorkload: isWorkload) }

    /// How often a listener came to be defended.
    func engagements(_ target: [UInt8], port: UInt16) throws -> UInt32 {
        let address = IPAddress(networkBytes: target.span)
        return try tables.listeners().first { $0.port == port && $0.address == address }?.engagements ?? 0
    }

    static let byLoad: SynSettings = {
        var settings = SynSettings()
        settings.mode = .auto
        return settings
    }()

    private func addIPv6() throws {
        let ends = [
            (topology.client, "c0", "fddb:1::2", "fddb:1::1", Topology.routerClientMAC),
            (topology.router, "n0", "fddb:1::1", "fddb:1::2", Topology.clientMAC),
            (topology.router, "n1", "fddb:2::1", "fddb:2::2", Topology.serverMAC),
            (topology.server, "s0", "fddb:2::2", "fddb:2::1", Topology.routerServerMAC),
        ]
        for (namespace, device, own, other, hardware) in ends {
            let inside = ["ip", "netns", "exec", namespace]
            try Command.run(inside + ["sysctl", "-qw", "net.ipv6.conf.\(device).disable_ipv6=0"])
            try Command.run(inside + ["ip", "address", "add", "\(own)/64", "dev", device, "nodad"])
            try Command.run(
                inside + ["ip", "neigh", "replace", other, "lladdr", hardware, "dev", device, "nud", "permanent"])
        }
        try topology.inRouter(["sysctl", "-qw", "net.ipv6.conf.all.forwarding=1"])
        try topology.inRouter(["ip", "route", "add", "fdbb:bad::/64", "via", "fddb:1::2"])
        for (namespace, gateway) in [(topology.client, "fddb:1::1"), (topology.server, "fddb:2::1")] {
            try Command.run(["ip", "-n", namespace, "route", "add", "::/0", "via", gateway])
        }
    }
}
