// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

/// Three network namespaces and two veth pairs; the contender works in the router.
///
///     client 10.219.1.2 [c0]--[n0] 10.219.1.1 router 10.219.2.1 [n1]--[s0] 10.219.2.2 server
///
/// Neighbour entries are permanent, IPv6 and rp_filter are off and the ends do not forward, so that nothing but the
/// generated packets moves. Generated packets go to UDP ports 9000...9999; answers to them find a black hole.
final class Topology {
    static let clientAddress = "10.219.1.2"
    static let serverAddress = "10.219.2.2"
    static let clientMAC = "02:db:00:00:01:02"
    static let routerClientMAC = "02:db:00:00:01:01"
    static let routerServerMAC = "02:db:00:00:02:01"
    static let serverMAC = "02:db:00:00:02:02"

    let client: String
    let router: String
    let server: String
    /// Interface numbers in the router's namespace.
    let clientLink: UInt32
    let serverLink: UInt32
    /// Interface number of the server's end in its own namespace.
    let serverEnd: UInt32

    init() throws {
        let stem = "bulkhead-bench-\(getpid())"
        client = stem + "-c"
        router = stem + "-n"
        server = stem + "-s"
        do {
            try Self.build(client: client, router: router, server: server)
            clientLink = try Self.interfaceIndex("n0", in: router)
            serverLink = try Self.interfaceIndex("n1", in: router)
            serverEnd = try Self.interfaceIndex("s0", in: server)
        } catch {
            Self.remove([client, router, server])
            throw error
        }
    }

    deinit {
        Self.remove([client, router, server])
    }

    /// Runs a tool in the router's namespace.
    @discardableResult
    func inRouter(_ arguments: [String], input: String = "") throws -> Command.Outcome {
        try Command.run(["ip", "netns", "exec", router] + arguments, input: input)
    }

    private static func build(client: String, router: String, server: String) throws {
        for name in [client, router, server] {
            try Command.run(["ip", "netns", "add", name])
            try Command.run([
                "ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
                "net.ipv6.conf.default.disable_ipv6=1", "net.ipv4.conf.all.rp_filter=0",
                "net.ipv4.conf.default.rp_filter=0", "net.ipv4.ip_forward=\(name == router ? 1 : 0)",
            ])
            try Command.run(["ip", "-n", name, "link", "set", "lo", "up"])
        }
        try Command.run(
            ["ip", "-batch", "-"],
            input: """
                link add c0 netns \(client) address \(clientMAC) type veth peer name n0 netns \(router) \
                address \(routerClientMAC)
                link add n1 netns \(router) address \(routerServerMAC) type veth peer name s0 netns \(server) \
                address \(serverMAC)

                """)
        try Command.run(
            ["ip", "-n", client, "-batch", "-"],
            input: """
                addr add \(clientAddress)/24 dev c0
                link set c0 up
                route add default via 10.219.1.1
                neigh replace 10.219.1.1 lladdr \(routerClientMAC) dev c0 nud permanent

                """)
        try Command.run(
            ["ip", "-n", router, "-batch", "-"],
            input: """
                addr add 10.219.1.1/24 dev n0
                addr add 10.219.2.1/24 dev n1
                link set n0 up
                link set n1 up
                neigh replace \(clientAddress) lladdr \(clientMAC) dev n0 nud permanent
                neigh replace \(serverAddress) lladdr \(serverMAC) dev n1 nud permanent

                """)
        try Command.run(
            ["ip", "-n", server, "-batch", "-"],
            input: """
                addr add \(serverAddress)/24 dev s0
                link set s0 up
                route add default via 10.219.2.1
                neigh replace 10.219.2.1 lladdr \(routerServerMAC) dev s0 nud permanent

                """)
    }

    private static func remove(_ names: [String]) {
        for name in names {
            _ = try? Command.run(["ip", "netns", "delete", name])
        }
    }

    static func interfaceIndex(_ interface: String, in namespace: String) throws -> UInt32 {
        let path = "/sys/class/net/\(interface)/ifindex"
        let text = try Command.run(["ip", "netns", "exec", namespace, "cat", path]).output
        guard let index = UInt32(text.filter(\.isNumber)) else {
            throw BenchError("cannot read the interface number of \(interface) in \(namespace): found '\(text)'")
        }
        return index
    }
}
