// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Glibc
import TestBed
import Testing

/// Real servers and real clients: nginx with curl, redis with redis-cli, over IPv4 and IPv6.
@Suite(.serialized) struct ServerTests {
    private static let ports = [("web", 80), ("cache", 6379)]

    /// Lets the client reach nginx and redis.
    private static let policy = Shop.clientOnly.replacing("[{port: 80}]", with: "[{port: 80}, {port: 6379}]")

    @Test func `an allowed client gets its page and its PONG, a denied one is cut and told why`() async throws {
        try await withTestBed(subnet: 60) { bed in
            let shop = try await Shop(bed, services: .real)
            _ = try await shop.startAgent()
            try await shop.enforce(Self.policy)
            for address in [shop.server.address4, shop.server.address6] {
                #expect(try await shop.client.page(of: address) == "hello from nginx")
                #expect(try await shop.client.redis(at: address, "PING") == "PONG")
                #expect(try await shop.intruder.page(of: address) == nil)
                #expect(try await shop.intruder.redis(at: address, "PING") == nil)
            }
            for (family, address) in [("IPv4", shop.intruder.address4), ("IPv6", shop.intruder.address6)] {
                for (name, port) in Self.ports {
                    let denied = try await eventuallyFlows(shop) {
                        $0.verdicts = ["deny"]
                        $0.prefixes = [address]
                        $0.ports = [String(port)]
                    }
                    #expect(denied.allSatisfy { $0.reason == "policy-default-deny" }, "\(name) over \(family)")
                    #expect(denied.allSatisfy { $0.rule == "no ingress rule of NetworkPolicy/shop/server" })
                }
            }
            let observed = try await shop.agent.tool("observe", "--verdict", "deny", "--port", "6379").output
            #expect(observed.contains("intruder") && observed.contains("policy-default-deny"), "\(observed)")
            for (_, port) in Self.ports {
                let explained = try await shop.agent.tool(
                    "explain", "--from", "intruder", "--to", "server", "--port", String(port))
                #expect(explained.status != 0)
                #expect(explained.output.contains("deny") && explained.output.contains("NetworkPolicy/shop/server"))
            }
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func `a subscription outlives other changes and a killed agent, and ends with its rule`() async throws {
        try await withTestBed(subnet: 60) { bed in
            let shop = try await Shop(bed, services: .real)
            let agent = try await shop.startAgent()
            try await shop.enforce(Self.policy)
            let subscribers = try [shop.server.address4, shop.server.address6].map { address in
                try shop.client.namespace.start(["redis-cli", "-h", address, "SUBSCRIBE", "news"])
            }
            // Every message is the time at which it was sent.
            _ = try shop.server.namespace.start(
                ["sh", "-c", "while redis-cli PUBLISH news $(date +%s%N) > /dev/null; do sleep 0.02; done"])
            func expectNews(_ occasion: String) async throws {
                let now = wallClock()
                for subscriber in subscribers {
                    try await eventually("news \(occasion)") { newest(subscriber) > now }
                }
            }
            try await expectNews("at first")
            try await shop.enforce(Self.policy + "---\n" + Self.other(9999), as: "policy.yaml")
            try await expectNews("after a change of other rules of the same subject")
            await agent.kill()
            try await expectNews("without an agent")
            _ = try await shop.startAgent()
            try await expectNews("under the next agent")

            let revoked = wallClock()
            try shop.agent.writePolicy("policy.yaml", Shop.clientOnly)
            try await Task.sleep(for: .seconds(1))
            let last = subscribers.map(newest)
            try await Task.sleep(for: .milliseconds(500))
            #expect(subscribers.map(newest) == last, "nothing comes after a second")
            #expect(last.allSatisfy { $0 > 0 })
            let took = last.map { ($0 - revoked) / 1_000_000 }
            print("last message sent \(took[0]) ms (IPv4), \(took[1]) ms (IPv6) after the file without its rule")
            #expect(try await shop.client.page(of: shop.server.address6) != nil, "what is still allowed goes on")
        }
    }

    private static func other(_ port: Int) -> String {
        Shop.clientOnly.replacing("name: server", with: "name: other")
            .replacing("[{port: 80}]", with: "[{port: \(port)}]")
    }
}

/// The sending time of the newest message that a subscriber has; 0: none.
private func newest(_ subscriber: SpawnedProcess) -> Int64 {
    subscriber.output.split(separator: "\n").reversed().lazy.compactMap { Int64($0) }.first { $0 > 1_000_000 } ?? 0
}

/// Nanoseconds since 1970.
private func wallClock() -> Int64 {
    var now = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &now)
    return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
}

extension TestWorkload {
    /// The page that a web server gives; nil if it does not.
    fileprivate func page(of address: String) async throws -> String? {
        let host = address.contains(":") ? "[\(address)]" : address
        let result = try await namespace.run(["curl", "-s", "-m", "1", "http://\(host)/"], within: .seconds(5))
        return result.status == 0 ? result.text : nil
    }

    /// What redis answers; nil if it does not.
    fileprivate func redis(at address: String, _ command: String) async throws -> String? {
        let result = try await namespace.run(
            ["timeout", "-s", "KILL", "1", "redis-cli", "-h", address, command], within: .seconds(5))
        return result.status == 0 && !result.text.isEmpty ? result.text : nil
    }
}
