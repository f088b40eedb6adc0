// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

/// Users of a workload's port that the host publishes, while forged SYNs come in.
@Suite(.serialized) struct SynPublishedTests {
    private static let port: UInt16 = 8088

    /// A field whose host publishes the workload's port under both of its addresses.
    ///
    /// `more`: further rules of the table. `target`: of the translation, by family.
    private static func field(
        _ bed: TestBed, _ synDefence: String, policy: String? = nil, more: String = "",
        target: ((_ workload: String) -> String)? = nil
    ) async throws -> SynField {
        let field = try await SynField(bed, synDefence, policy: policy)
        let (address4, address6) = (field.workload.address4, field.workload.address6)
        let rules = """
            table inet publish {
                chain pre {
                    type nat hook prerouting priority dstnat
                    ip daddr \(field.host.hostAddresses[0]) tcp dport \(port) dnat ip to \(target?(address4) ?? "\(address4):80")
                    ip6 daddr \(field.host.hostAddresses[1]) tcp dport \(port) dnat ip6 to [\(address6)]:80
                }
                \(more)
            }
            """
        try await field.host.host.namespace.run(["nft", "-f", "-"], input: rules).checked()
        return field
    }

    private static func report(_ field: SynField) async throws -> SynDefenceReport {
        try #require(try await field.host.control.shieldReport().synDefence)
    }

    /// Users during a flood, long enough for a front to answer if it will.
    private static func warm(_ field: SynField, _ target: String, rate: Int = 20_000) async throws {
        let (served, sent) = try await field.visit(target, port: port, flooded: rate)
        #expect(served.failures.isEmpty && served.served >= 40, "\(target): \(served), flood of \(sent)")
    }

    @Test(arguments: ["tcx", "xdp"])
    func `a front answers for a published port, and its users are served`(hook: String) async throws {
        try await withTestBed(subnet: 57) { bed in
            let field = try await SynPublishedTests.field(bed, "{mode: auto, front: \(hook)}")
            let farEnd = try await PollingEnd(of: field.host.client)
            defer { withExtendedLifetime(farEnd) {} }
            _ = try await field.start()
            let host = field.host.host.namespace
            for (target, inside) in zip(field.host.hostAddresses, [field.workload.address4, field.workload.address6]) {
                try await SynPublishedTests.warm(field, target)
                let before = try await SynPublishedTests.report(field)
                try await host.shell("conntrack -F 2>/dev/null")
                let (served, sent) = try await field.visit(target, port: SynPublishedTests.port, flooded: 20_000)
                #expect(served.failures.isEmpty && served.served >= 40, "\(target): \(served), flood of \(sent)")
                let after = try await SynPublishedTests.report(field)
                let ahead = after.answeredAhead - before.answeredAhead
                #expect(ahead * 10 > (after.answered - before.answered) * 9, "\(target): \(after)")
                #expect(ahead > 20_000, "\(target): \(after), flood of \(sent)")
                #expect(after.refused == 0 && after.stale == 0, "\(after)")
                let tracked = Int(try await host.shell("conntrack -C").text) ?? .max
                #expect(tracked < 2000, "the flood makes no entries: \(tracked)")
                #expect(
                    after.published.contains {
                        $0.address == target && $0.port == SynPublishedTests.port && $0.target == inside
                            && $0.targetPort == 80 && $0.problem == nil
                    }, "\(after.published)")
            }
            let text = try await field.host.agent.tool("shield", "status").output
            #expect(text.contains("PUBLISHED"), "\(text)")
        }
    }

    /// Where a front could not keep what it promises it stays out, and the workload's program answers.
    @Test(arguments: ["loose", "masquerade", "balanced"])
    func `nobody is answered ahead where translation would not take the answer`(trap: String) async throws {
        try await withTestBed(subnet: 57) { bed in
            let masquerade = """
                chain post {
                    type nat hook postrouting priority srcnat
                    oifname "br0" tcp dport 80 masquerade
                }
                """
            let field = try await SynPublishedTests.field(
                bed, "auto", more: trap == "masquerade" ? masquerade : "",
                target: trap == "balanced" ? { "\($0) : numgen inc mod 2 map { 0 : 80, 1 : 8080 }" } : nil)
            if trap == "loose" {
                try await field.host.host.namespace.shell("echo 0 > /proc/sys/net/netfilter/nf_conntrack_tcp_loose")
            }
            if trap == "balanced" {
                _ = try field.workload.namespace.start([
                    "socat", "TCP4-LISTEN:8080,fork,reuseaddr,backlog=64", "TCP4:127.0.0.1:80",
                ])
            }
            _ = try await field.start()
            let target = field.host.hostAddresses[0]
            // One address has no more than 65535 ports for all whom it stands for.
            let rate = trap == "masquerade" ? 4000 : 20_000
            try await SynPublishedTests.warm(field, target, rate: rate)
            try await SynPublishedTests.warm(field, target, rate: rate)
            let report = try await SynPublishedTests.report(field)
            #expect(report.answeredAhead == 0 && report.answered > 10_000 && report.refused == 0, "\(report)")
            let limits = report.places.first { $0.name == "up0" }?.limits
            #expect((limits?.isEmpty == false) == (trap == "loose"), "\(report.places)")
        }
    }

    /// By podman, with the rules that its network plugin writes.
    @Test func `a container's published port is answered for ahead of it`() async throws {
        try await withTestBed(subnet: 57) { bed in
            let yard = try await ContainerYard(
                bed, configuration: "shield: {mode: 'off', devices: [up0], synDefence: {mode: auto, front: tcx}}")
            let client = try await bed.namespace("out")
            try await bed.veth(
                yard.host.namespace, "up0", addresses: ["100.99.7.1/24"],
                to: client, "eth0", peerAddresses: ["100.99.7.2/24"])
            try await bed.ipBatch(client, ["route add default via 100.99.7.1"])
            try await bed.ipBatch(yard.host.namespace, ["route add 198.18.0.0/15 via 100.99.7.2"])
            try await yard.podman.runContainer(
                "web", extra: ["-p", "8088:80"], command: ["httpd", "-f", "-p", "80", "-h", "/www"])
            try await yard.startAgent(expecting: 1)
            let users = WebUsers(address: "100.99.7.1", port: SynPublishedTests.port)
            try await eventually("the port is published, and the container defended") {
                let places = try await yard.control.shieldReport().synDefence?.places ?? []
                return try await users.visit(from: client, for: .seconds(1), countMax: 1).served == 1
                    && Set(places.filter { $0.problem == nil }.map(\.name)).isSuperset(of: ["up0", "web"])
            }
            let flood = SynFlood(
                target: networkBytes(users.address), port: users.port,
                hardwareAddress: try await SynField.hardwareAddress(of: "up0", in: yard.host.namespace),
                interface: "eth0")
            func visitInFlood() async throws -> (Served, Int) {
                async let sent = flood.send(from: client, rate: 20_000, for: .seconds(6))
                try await Task.sleep(for: .milliseconds(300))
                let served = try await users.visit(from: client, for: .seconds(5), pause: .milliseconds(15))
                return (served, try await sent)
            }
            var (served, count) = try await visitInFlood()
            // While the front comes in on a busy machine a few are reset (KNOWN_ISSUES); not again.
            if !served.failures.isEmpty {
                print("reset while the front came in: \(served), flood of \(count)")
                #expect(served.failures.count <= 10, "\(served), flood of \(count)")
                (served, count) = try await visitInFlood()
            }
            #expect(served.failures.isEmpty && served.served >= 40, "\(served), flood of \(count)")
            let report = try #require(try await yard.control.shieldReport().synDefence)
            #expect(report.answeredAhead > 20_000 && report.refused == 0, "\(report), flood of \(count)")
            #expect(report.published.first?.targetPort == 80, "\(report.published)")
        }
    }

    @Test func `where a first ACK does not get through it is given up within a second`() async throws {
        try await withTestBed(subnet: 57) { bed in
            let field = try await SynPublishedTests.field(
                bed, "auto",
                more: """
                    chain guard {
                        type filter hook forward priority 0
                        iifname "up0" ct state new tcp flags & (syn | ack) == ack drop
                    }
                    """)
            _ = try await field.start()
            let target = field.host.hostAddresses[0]
            let port = SynPublishedTests.port
            _ = try await field.visit(target, port: port, flooded: 20_000, for: .seconds(5))
            try await eventually("it is given up", within: .seconds(20)) {
                let users = WebUsers(address: target, port: port)
                async let sent = field.flood(target, port: port)
                    .send(from: field.host.client, rate: 20_000, for: .seconds(2))
                _ = try await users.visit(from: field.host.client, for: .seconds(2), patience: .milliseconds(100))
                _ = try await sent
                return try await SynPublishedTests.report(field).published.contains { $0.problem != nil }
            }
        }
    }

    @Test func `a process that listens on the published port as well does not get in the way`() async throws {
        try await withTestBed(subnet: 57) { bed in
            let field = try await SynPublishedTests.field(bed, "auto")
            // As container engines do, for what does not come in from outside.
            _ = try field.host.host.namespace.start([
                "socat", "TCP6-LISTEN:\(SynPublishedTests.port),ipv6only=0,fork,reuseaddr", "EXEC:cat",
            ])
            _ = try await field.start()
            for target in field.host.hostAddresses {
                try await SynPublishedTests.warm(field, target)
                try await SynPublishedTests.warm(field, target)
            }
            let report = try await SynPublishedTests.report(field)
            #expect(report.answeredAhead > 10_000 && report.refused == 0, "\(report)")
        }
    }
}
