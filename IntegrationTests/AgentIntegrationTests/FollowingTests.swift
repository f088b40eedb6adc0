// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

/// What changes under the names in the workloads file is in force within a second.
@Suite(.serialized) struct FollowingTests {
    private static let second = Duration.seconds(1)

    @Test func `an address added inside a namespace may be used at once, one removed may not`() async throws {
        try await withTestBed(subnet: 61) { bed in
            let shop = try await Shop(bed)
            _ = try await shop.startAgent()
            try await shop.enforce(Shop.clientOnly)
            let prefix4 = "10.\(bed.byte).9.9"
            let prefix6 = "fdbb:\(bed.subnet)::9:9"
            for (address, length) in [(prefix4, 16), (prefix6, 64)] {
                let option = address.contains(":") ? "nodad" : ""
                try await bed.ipBatch(
                    shop.client.namespace, ["address add \(address)/\(length) dev eth0 \(option)"])
                try await within(Self.second, "\(address) added") {
                    try await shop.endpoint("client")?.addresses.contains(address) == true
                }
                #expect(try await shop.client.canPing(from: address, to: shop.intruder.address(like: address)))
                try await bed.ipBatch(shop.client.namespace, ["address del \(address)/\(length) dev eth0"])
                try await within(Self.second, "\(address) removed") {
                    try await shop.endpoint("client")?.addresses.contains(address) == false
                }
                // It may still be bound where the kernel has no say: on loopback.
                try await shop.client.namespace.shell("ip address add \(address) dev lo \(option)")
                #expect(try await !shop.client.canPing(from: address, to: shop.intruder.address(like: address)))
            }
        }
    }

    @Test func `a device named in the file is followed when it is renamed, comes and goes`() async throws {
        try await withTestBed(subnet: 61) { bed in
            let shop = try await Shop(bed)
            let server = shop.server
            let entries = """
                workloads:
                  - {name: client, namespace: shop, labels: {app: client}, netns: \(shop.client.namespace.path)}
                  - {name: intruder, namespace: shop, labels: {app: intruder}, netns: \(shop.intruder.namespace.path)}
                  - name: server
                    namespace: shop
                    labels: {app: server}
                    interface: tapserver
                    addresses: [\(server.address4), "\(server.address6)"]

                """
            try shop.agent.writeWorkloads(text: entries)
            try await bed.ipBatch(
                shop.host.namespace,
                ["link set \(server.hostInterface) down", "link set \(server.hostInterface) name tapserver up"])
            _ = try await shop.startAgent()
            try await shop.enforce(Shop.clientOnly)
            #expect(try await !shop.intruder.canConnect(to: server.address4, port: 80))

            try await bed.ipBatch(shop.host.namespace, ["link set tapserver name other"])
            try await within(Self.second, "device renamed away") {
                try await shop.endpoint("server")?.problem?.contains("no device tapserver") == true
            }
            // Asked before it is tried: a refused first packet is sent again a second later.
            try await within(Self.second, "renamed device no more judged") {
                try await shop.control.dump(.endpoints, limit: 10).rows.count == 2
            }
            #expect(try await shop.intruder.canConnect(to: server.address4, port: 80))
            try await bed.ipBatch(shop.host.namespace, ["link set other name tapserver"])
            try await within(Self.second, "device renamed back") {
                try await shop.endpoint("server")?.condition == .enforced
            }
            #expect(try await !shop.intruder.canConnect(to: server.address4, port: 80))

            // Only the host's name for it changes: nothing may be interrupted.
            let before = try #require(try await shop.endpoint("intruder"))
            try await bed.ipBatch(shop.host.namespace, ["link set \(shop.intruder.hostInterface) name renamed"])
            try await within(Self.second, "name of the host's end followed") {
                try await shop.endpoint("intruder")?.interface == "renamed"
            }
            #expect(try await shop.endpoint("intruder")?.identity == before.identity)
            #expect(try await !shop.intruder.canConnect(to: server.address6, port: 80))
        }
    }

    @Test func `a namespace deleted and made anew is the same workload`() async throws {
        try await withTestBed(subnet: 61) { bed in
            let shop = try await Shop(bed)
            _ = try await shop.startAgent()
            try await shop.enforce(Shop.clientOnly)
            let before = try #require(try await shop.endpoint("intruder"))
            for round in 0..<2 {
                try await shop.intruder.namespace.remove()
                // The agent's own subscription must not keep the namespace, and so the link, alive.
                try await within(Self.second, "round \(round): namespace gone, and its link with it") {
                    let link = ["ip", "link", "show", "dev", shop.intruder.hostInterface]
                    let isKnown = try await shop.endpoint("intruder")?.problem != nil
                    let isGone = try await shop.host.namespace.run(link).status != 0
                    return isKnown && isGone
                }
                try await shop.host.remake(shop.intruder)
                try await within(Self.second, "round \(round): namespace made anew") {
                    try await shop.endpoint("intruder")?.condition == .enforced
                }
                #expect(try await shop.endpoint("intruder")?.identity == before.identity)
                for address in [shop.server.address4, shop.server.address6] {
                    #expect(try await !shop.intruder.canConnect(to: address, port: 80))
                    #expect(try await shop.client.canConnect(to: address, port: 80))
                }
            }
            let again = try #require(try await shop.endpoint("intruder"))
            #expect(again.interfaceIndex != before.interfaceIndex)
        }
    }
}

/// Waits until a change is in force, fails if that takes longer, and prints how long it took.
func within(_ limit: Duration, _ what: String, _ condition: () async throws -> Bool) async throws {
    let clock = ContinuousClock()
    let begin = clock.now
    try await eventually(what, within: limit, condition)
    let took = clock.now - begin
    print("\(what): in force after \(took.components.attoseconds / 1_000_000_000_000_000) ms")
}

extension Shop {
    /// An endpoint as the agent lists it.
    func endpoint(_ name: String) async throws -> EndpointRecord? {
        try await control.endpoints().first { $0.name == name }
    }
}

extension TestWorkload {
    /// Its own address of the same family as another.
    func address(like other: String) -> String { other.contains(":") ? address6 : address4 }

    /// True if an echo request from one of its addresses is answered within a second.
    fileprivate func canPing(from source: String, to address: String) async throws -> Bool {
        let ping = ["ping", "-n", "-c", "1", "-W", "1", "-I", source, address]
        return try await namespace.run(ping, within: .seconds(5)).status == 0
    }
}
