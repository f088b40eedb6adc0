// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// The host's routes, ready to be asked about many addresses.
package struct RouteTable: Hashable, Sendable {
    private let routes: Set<HostRoute>
    /// By routing table.
    private var tables: [UInt32: Prefixes] = [:]
    private var own = Prefixes()

    /// Routes by destination.
    private struct Prefixes: Hashable {
        var routes: [CIDR: [HostRoute]] = [:]
        /// Prefix lengths in use, longest first.
        var lengths4: [Int] = []
        var lengths6: [Int] = []

        mutating func close() {
            func lengths(_ isIPv4: Bool) -> [Int] {
                Set(routes.keys.filter { $0.isIPv4 == isIPv4 }.map(\.length)).sorted(by: >)
            }
            (lengths4, lengths6) = (lengths(true), lengths(false))
        }

        func longest(_ address: IPAddress) -> [HostRoute] {
            for length in address.isIPv4 ? lengths4 : lengths6 {
                if let found = routes[CIDR(address, length: length)] { return found }
            }
            return []
        }
    }

    /// Sorts the routes by table and prefix.
    package init(_ routes: [HostRoute] = []) {
        self.routes = Set(routes)
        for route in self.routes {
            if route.isOwn {
                own.routes[route.destination, default: []].append(route)
            } else {
                tables[route.table, default: Prefixes()].routes[route.destination, default: []].append(route)
            }
        }
        own.close()
        for table in tables.keys { tables[table]?.close() }
    }

    /// True if the host itself takes packets to that address.
    package func isOwn(_ address: IPAddress) -> Bool { !own.longest(address).isEmpty }

    /// The ways packets to that address may take: of each routing table those of the longest prefix.
    ///
    /// Which table counts is up to the host's rules, which are not looked at.
    package func hops(to address: IPAddress) -> [HostRoute.Hop] {
        tables.values.flatMap { $0.longest(address).flatMap(\.hops) }
    }

    /// Devices through which the host routes to others than link-local addresses of a family.
    package func devices(isIPv4: Bool) -> Set<Int32> {
        Set(
            routes.lazy.filter { $0.destination.isIPv4 == isIPv4 && !$0.destination.address.isLinkLocal }
                .flatMap(\.hops).map(\.device))
    }

    /// Whoever passes packets on for the host, to anywhere.
    package var gateways: Set<IPAddress> { Set(routes.flatMap { $0.hops.compactMap(\.gateway) }) }

    /// Those to whom the host sends what it knows no better way for.
    package var defaultGateways: Set<IPAddress> {
        Set(routes.lazy.filter { $0.destination.length == 0 }.flatMap(\.hops).compactMap(\.gateway))
    }

    package static func == (a: RouteTable, b: RouteTable) -> Bool { a.routes == b.routes }

    package func hash(into hasher: inout Hasher) { hasher.combine(routes) }
}

extension IPAddress {
    /// Valid on one link only: 169.254/16, fe80::/10.
    package var isLinkLocal: Bool { isIPv4 ? v4Bits >> 16 == 0xa9fe : high >> 54 == 0xfe80 >> 6 }
}
