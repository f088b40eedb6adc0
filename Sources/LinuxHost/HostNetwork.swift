// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// The host's links, addresses and routes at one time, ready to be asked where an address belongs.
package struct HostNetwork: Equatable, Sendable {
    package let snapshot: NetworkSnapshot
    package let routes: RouteTable
    /// By index.
    package let links: [Int32: NetworkLink]
    private let addresses: Set<IPAddress>
    /// Devices on which the host takes part as a neighbour or router, by family.
    private let routed4: Set<Int32>
    private let routed6: Set<Int32>
    /// VLANs and the like, by the device below them.
    private let uppers: [Int32: [Int32]]
    private let defaultGateways: Set<IPAddress>

    /// Prepares the answers.
    package init(_ snapshot: NetworkSnapshot, routes: RouteTable = RouteTable()) {
        self.snapshot = snapshot
        self.routes = routes
        links = Dictionary(snapshot.links.map { ($0.index, $0) }) { first, _ in first }
        addresses = Set(snapshot.addresses.map(\.address))
        func routed(isIPv4: Bool) -> Set<Int32> {
            let own = snapshot.addresses.filter { $0.address.isIPv4 == isIPv4 && !$0.address.isLinkLocal }
            return routes.devices(isIPv4: isIPv4).union(own.map(\.linkIndex))
        }
        (routed4, routed6) = (routed(isIPv4: true), routed(isIPv4: false))
        let stacked = snapshot.links.filter { $0.kind != "veth" && $0.peerNamespaceID == nil }
        uppers = Dictionary(grouping: stacked.filter { $0.peerIndex != nil }) { $0.peerIndex ?? 0 }
            .mapValues { $0.map(\.index) }
        defaultGateways = routes.defaultGateways
    }

    /// True if it is an address of the host, or one whose packets it takes.
    package func isOwn(_ address: IPAddress) -> Bool { addresses.contains(address) || routes.isOwn(address) }

    /// True if the host relies on that neighbour for what it knows no better way for.
    package func isDefaultGateway(_ address: IPAddress) -> Bool { defaultGateways.contains(address) }

    /// A device, what it is a port of, and what the host has stacked on that: the ways by which it is reached.
    package func ways(to index: Int32) -> Set<Int32> {
        var ways: Set<Int32> = []
        var pending = [index]
        while let next = pending.popLast() {
            guard ways.insert(next).inserted else { continue }
            if let master = links[next]?.master { pending.append(master) }
            pending += uppers[next] ?? []
        }
        return ways
    }

    /// True if the host has no address of that family on these devices and routes nothing through them: it passes
    /// frames on and knows nothing of addresses.
    package func isLayer2Only(_ devices: Set<Int32>, isIPv4: Bool) -> Bool {
        devices.isDisjoint(with: isIPv4 ? routed4 : routed6)
    }

    package static func == (a: HostNetwork, b: HostNetwork) -> Bool {
        a.snapshot == b.snapshot && a.routes == b.routes
    }
}
