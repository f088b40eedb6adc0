// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

/// Users of a server on another machine, of which the host is the router, while forged SYNs come in.
@Suite(.serialized) struct SynBehindTests {
    /// A machine without an agent behind the host, by a device of its own.
    ///
    /// It has no cookies of its own: what a flood sends until it is noticed stays in its SYN queue, which has to have room for that.
    private struct Rack {
        let field: SynField
        let server: TestNamespace
        let addresses: [String]

        init(_ bed: TestBed, _ more: String = "", policy: String? = nil) async throws {
            let (range4, range6) = ("100.99.7", "fdbb:99:7:")
            field = try await SynField(
                bed,
                """
                {mode: auto, hold: 1s, \(more) behind: [{address: \(range4).0/24, ports: [80, 5000, 9]}, \
                {address: "\(range6):/64", ports: [80, 5000, 9]}]}
                """, policy: policy)
            server = try await bed.namespace("rack")
            addresses = ["\(range4).2", "\(range6):2"]
            try await bed.veth(
                field.host.host.namespace, "rack0", addresses: ["\(range4).1/24", "\(range6):1/64"],
                to: server, "eth0", peerAddresses: ["\(range4).2/24", "\(range6):2/64"])
            try await bed.ipBatch(server, ["route add default via \(range4).1", "route add ::/0 via \(range6):1"])
            try await server.shell(
                "echo 0 > /proc/sys/net/ipv4/tcp_syncookies; echo 1 > /proc/sys/net/ipv4/tcp_no_metrics_save")
            try writeFile(
                bed.path("rack.conf"),
                """
                daemon off; pid \(bed.path("rack.pid")); error_log stderr; user root;
                events {}
                http {
                    access_log off;
                    client_body_temp_path \(bed.path("rack")); proxy_temp_path \(bed.path("rack"));
                    fastcgi_temp_path \(bed.path("rack")); uwsgi_temp_path \(bed.path("rack"));
                    scgi_temp_path \(bed.path("rack"));
                    server {
                        listen 80 backlog=4096; listen [::]:80 backlog=4096;
                        location / { return 200 "the rack\\n"; }
                    }
                }

                """)
            _ = try server.start(["nginx", "-e", "stderr", "-c", bed.path("rack.conf")])
            try await eventually("the server answers") {
                for address in addresses {
                    let served = try await WebUsers(address: address, port: 80)
                        .visit(from: field.host.client, for: .seconds(1), countMax: 1)
                    guard served.served == 1 else { return false }
                }
                return true
            }
        }

        func report() async throws -> SynDefenceReport {
            try #require(try await field.host.control.shieldReport().synDefence)
        }
    }

    @Test func `users of another machine are served during a flood, over both families`() async throws {
        try await withTestBed(subnet: 57) { bed in
            let rack = try await Rack(bed)
            _ = try await rack.field.start()
            for target in rack.addresses {
                for rate in [0, 20_000, nil] {
                    let before = try await rack.report()
                    let (served, sent) = try await rack.field.visit(target, flooded: rate)
                    #expect(served.failures.isEmpty, "\(target) at \(rate ?? -1): \(served), flood of \(sent)")
                    #expect(served.served >= 40, "\(target) at \(rate ?? -1): \(served)")
                    let after = try await rack.report()
                    guard rate != 0 else { continue }
                    #expect(after.answered - before.answered > 10_000, "\(after)")
                    #expect(after.openedBehind - before.openedBehind >= 40, "\(after)")
                }
                let halfOpen = try await rack.server.shell("ss -Htn state syn-recv | wc -l").text
                // 250 until each of the two floods is noticed, and who asks whether the server is there.
                #expect((Int(halfOpen) ?? .max) < 700, "the floods get no further than the host: \(halfOpen)")
            }
            let listeners = try await rack.report().listeners.filter { $0.engagements > 0 }.map(\.address)
            #expect(Set(listeners) == Set(rack.addresses))
            let text = try await rack.field.host.agent.tool("shield", "status").output
            #expect(text.contains("other machines: 100.99.7.0/24 port 9, 80, 5000; fdbb:99:7::/64"), "\(text)")
        }
    }

    @Test func `a client that takes its port again is served`() async throws {
        try await withTestBed(subnet: 57) { bed in
            let rack = try await Rack(bed, "ports: {80: always},")
            _ = try await rack.field.start()
            for target in rack.addresses {
                // The server closes first, and keeps the ports for a minute.
                for round in 0..<6 {
                    let served = try await WebUsers(address: target, port: 80, localPort: 47_011)
                        .visit(from: rack.field.host.client, for: .seconds(4), countMax: 1)
                    #expect(served.served == 1, "\(target), round \(round): \(served)")
                }
            }
            #expect(try await rack.report().openedBehind >= 8)
        }
    }

    @Test func `without the defence the same flood keeps users of another machine out`() async throws {
        try await withTestBed(subnet: 57) { bed in
            let rack = try await Rack(bed, "ports: {80: off},")
            _ = try await rack.field.start()
            let (served, sent) = try await rack.field.visit(rack.addresses[0], flooded: 20_000, for: .seconds(5))
            #expect(served.failures.count > 0, "\(served), flood of \(sent)")
        }
    }

    /// Much data both ways, through loss: sequence numbers, SACK, timestamps and windows have to be right for that.
    @Test(arguments: [0, 1])
    func `what is sent is what arrives, both ways and through loss`(family: Int) async throws {
        try await withTestBed(subnet: 57) { bed in
            let rack = try await Rack(bed, "ports: {5000: always},")
            _ = try await rack.field.start()
            let (client, address) = (rack.field.host.client, rack.addresses[family])
            let (kind, target) = family == 0 ? ("TCP4", address) : ("TCP6", "[\(address)]")
            _ = try rack.server.start(["socat", "\(kind)-LISTEN:5000,fork,reuseaddr", "EXEC:cat"])
            try await eventually("somebody listens") {
                try await rack.server.shell("ss -Htln sport = :5000").text.contains("LISTEN")
            }
            let data = bed.path("data")
            try await bed.run(["sh", "-c", "head -c 12000000 /dev/urandom > \(data)"]).checked()
            // The first is let through: only who has answered is known.
            let first = try await client.shell("echo hello | timeout 5 socat -t 2 - \(kind):\(target):5000").text
            #expect(first == "hello")
            for (loss, isOffloaded) in [(0, true), (0, false), (3, true)] {
                for namespace in [client, rack.server] {
                    try await namespace.shell("ethtool -K eth0 tx \(isOffloaded ? "on" : "off")")
                    guard loss > 0 else { continue }
                    let rules = """
                        table inet loss {
                            chain in {
                                type filter hook input priority 0
                                meta l4proto tcp numgen random mod 100 < \(loss) drop
                            }
                        }
                        """
                    try await namespace.run(["nft", "-f", "-"], input: rules).checked()
                }
                let before = try await rack.report().openedBehind
                let echoed = try await client.shell(
                    "timeout 60 socat -t 30 - \(kind):\(target):5000 < \(data) | cmp - \(data) && echo same"
                ).text
                #expect(echoed == "same", "\(loss) % lost, offload \(isOffloaded)")
                #expect(try await rack.report().openedBehind == before + 1)
            }
        }
    }

    @Test func `options survive, servers may speak first, and what is closed is refused`() async throws {
        try await withTestBed(subnet: 57) { bed in
            let rack = try await Rack(bed, "ports: {5000: always, 9: always},")
            _ = try await rack.field.start()
            for (kind, target) in [("TCP4", rack.addresses[0]), ("TCP6", "[\(rack.addresses[1])]")] {
                let server = try rack.server.start([
                    "socat", "\(kind)-LISTEN:5000,fork,reuseaddr", "SYSTEM:echo welcome; sleep 8",
                ])
                try await eventually("somebody listens") {
                    try await rack.server.shell("ss -Htln sport = :5000").text.contains("LISTEN")
                }
                // The first is let through, and shows that there is somebody; so are those that ask again.
                let before = try await rack.report().openedBehind
                let path = bed.path("welcome-\(kind)")
                let client = "socat -u \(kind):\(target):5000 - >> \(path)"
                let waiting = try rack.field.host.client.start(
                    ["sh", "-c", "\(client) & sleep 0.2; for i in 1 2 3; do \(client) & done; wait"])
                try await eventually("all are connected and welcome") {
                    let welcomed = try await bed.run(["cat", path]).text.split(separator: "\n").count
                    let count = try await rack.server.shell("ss -Htn state established sport = :5000 | wc -l").text
                    return welcomed == 4 && count == "4"
                }
                #expect(try await rack.report().openedBehind >= before + 3)
                let sockets = try await rack.server.shell("ss -HtnieO state established sport = :5000").text
                for socket in sockets.split(separator: "\n") {
                    for option in [" ts ", " sack ", "wscale:"] { #expect(socket.contains(option), "\(socket)") }
                }
                await waiting.kill()
                await server.kill()
                try await eventually("nobody listens") {
                    try await rack.server.shell("ss -Htln sport = :5000").text.isEmpty
                }
                // Believed to be there for ten seconds: the reset has to be one that the client believes.
                let refused = try await rack.field.host.client.shell(
                    "timeout 5 socat -u \(kind):\(target):5000 - 2>&1 || true"
                ).text
                #expect(refused.contains("reset by peer") || refused.contains("refused"), "\(refused)")
            }
        }
    }

    @Test func `policies about what passes through are asked before cookies`() async throws {
        try await withTestBed(subnet: 57) { bed in
            let rack = try await Rack(
                bed, "ports: {80: always},",
                policy: """
                    apiVersion: projectcalico.org/v3
                    kind: GlobalNetworkPolicy
                    metadata: {name: transit}
                    spec:
                      selector: global()
                      applyOnForward: true
                      types: [Ingress]
                      ingress:
                        - {action: Allow, protocol: TCP, source: {nets: [100.0.0.0/8]}, destination: {ports: [80]}}

                    """)
            _ = try await rack.field.start()
            let client = rack.field.host.client
            try await eventually("the policy is in force") {
                try await WebUsers(address: rack.addresses[1], port: 80)
                    .visit(from: client, for: .seconds(1), patience: .milliseconds(300), countMax: 1).served == 0
            }
            let allowed = try await WebUsers(address: rack.addresses[0], port: 80)
                .visit(from: client, for: .seconds(5), countMax: 20)
            #expect(allowed.failures.isEmpty && allowed.served == 20, "\(allowed)")
            let before = try await rack.report()
            #expect(before.openedBehind >= 10, "\(before)")
            let refused = try await WebUsers(address: rack.addresses[1], port: 80)
                .visit(from: client, for: .seconds(3), patience: .milliseconds(300), countMax: 3)
            #expect(refused.served == 0 && refused.failures.allSatisfy { $0 == "connect: no answer" }, "\(refused)")
            #expect(try await rack.report().answered == before.answered)
        }
    }

    @Test func `connections outlive the agent, and go on after its return`() async throws {
        try await withTestBed(subnet: 57) { bed in
            let rack = try await Rack(bed, "ports: {5000: always},")
            let agent = try await rack.field.start()
            _ = try rack.server.start(["socat", "TCP4-LISTEN:5000,fork,reuseaddr", "EXEC:cat"])
            let client = rack.field.host.client, target = rack.addresses[0]
            try await eventually("the first is let through") {
                try await client.shell("echo a | timeout 3 socat -t 1 - TCP4:\(target):5000").text == "a"
            }
            let path = bed.path("lines")
            let lines = "(for i in 1 2 3 4 5 6 7 8 9; do echo $i; sleep 1; done)"
            let long = try client.start(["sh", "-c", "\(lines) | socat -t 3 - TCP4:\(target):5000 > \(path)"])
            try await eventually("a line has come back") {
                try await bed.run(["cat", path]).text.contains("1")
            }
            #expect(try await rack.report().openedBehind > 0)
            await agent.kill()
            let again = try await rack.field.start()
            try await eventually("all lines have come back", within: .seconds(20)) {
                try await bed.run(["cat", path]).text.contains("9")
            }
            await long.kill()
            _ = await again.stop()
            let detach = try await rack.field.host.agent.tool("detach", "--bpffs", rack.field.host.agent.pinDirectory)
            #expect(detach.status == 0, "\(detach.output)\(detach.errors)")
            #expect(try await bed.run(["find", rack.field.host.agent.pinDirectory, "-type", "f"]).text.isEmpty)
        }
    }
}
