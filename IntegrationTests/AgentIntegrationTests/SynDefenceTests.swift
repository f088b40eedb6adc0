// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

/// Real users of a listener while forged SYNs come in: on the host, and in a workload behind it.
@Suite(.serialized) struct SynDefenceTests {
    @Test func `real users are served during a flood, on the host and in a workload, over both families`() async throws
    {
        try await withTestBed(subnet: 57) { bed in
            let field = try await SynField(bed, "auto")
            _ = try await field.start()
            let targets = field.host.hostAddresses + [field.workload.address4, field.workload.address6]
            for target in targets {
                for rate in [0, 20_000, nil] {
                    let (served, sent) = try await field.visit(target, flooded: rate)
                    #expect(served.failures.isEmpty, "\(target) at \(rate ?? -1): \(served), flood of \(sent)")
                    #expect(served.served >= 40, "\(target) at \(rate ?? -1): \(served)")
                }
            }
            let report = try #require(try await field.host.control.shieldReport().synDefence)
            #expect(report.answered > 10_000, "\(report)")
            #expect(report.accepted > 100, "\(report)")
            #expect(report.refused == 0 && report.stale == 0, "\(report)")
            let defended = Set(report.listeners.filter { $0.engagements > 0 }.map(\.address))
            #expect(defended.isSuperset(of: targets), "\(report.listeners)")
        }
    }

    @Test(arguments: ["tcx", "xdp", "xdp behind the prefilter"])
    func `a front answers for what is behind the host, and its users are served`(place: String) async throws {
        try await withTestBed(subnet: 57) { bed in
            let hook = String(place.prefix(3))
            let field = try await SynField(
                bed, "{mode: auto, front: \(hook)}", mode: place.contains("prefilter") ? "enforce" : "off")
            let farEnd = try await PollingEnd(of: field.host.client)
            defer { withExtendedLifetime(farEnd) {} }
            let agent = try await field.start()
            try await eventually("the front is there") {
                let places = try await field.host.control.shieldReport().synDefence?.places ?? []
                return places.first { $0.name == "up0" }?.front == hook
            }
            var targets = [field.workload.address4, field.workload.address6]
            if hook == "xdp" { targets += field.host.hostAddresses }
            for target in targets {
                let before = try #require(try await field.host.control.shieldReport().synDefence)
                let (served, sent) = try await field.visit(target, flooded: 20_000)
                #expect(served.failures.isEmpty, "\(target): \(served), flood of \(sent)")
                #expect(served.served >= 40, "\(target): \(served)")
                let after = try #require(try await field.host.control.shieldReport().synDefence)
                let ahead = after.answeredAhead - before.answeredAhead
                #expect(ahead * 10 > (after.answered - before.answered) * 8, "\(target): \(after)")
                #expect(ahead > 5000, "\(target): \(after), flood of \(sent)")
                #expect(after.refused == 0 && after.stale == 0, "\(after)")
            }
            _ = await agent.stop()
            let detach = try await field.host.agent.tool("detach", "--bpffs", field.host.agent.pinDirectory)
            #expect(detach.status == 0, "\(detach.output)\(detach.errors)")
            let link = try await field.host.host.namespace.shell("ip -d link show up0").text
            #expect(!link.contains("prog/xdp"), "\(link)")
            #expect(try await bed.run(["find", field.host.agent.pinDirectory, "-type", "f"]).text.isEmpty)
        }
    }

    @Test func `without the defence the same flood keeps users out`() async throws {
        try await withTestBed(subnet: 57) { bed in
            let field = try await SynField(bed, "")
            _ = try await field.host.startAgent()
            // What the kernel would do against it by itself is not what this is about.
            for namespace in [field.host.host.namespace, field.workload.namespace] {
                try await namespace.shell("echo 0 > /proc/sys/net/ipv4/tcp_syncookies")
            }
            for target in [field.host.hostAddresses[0], field.workload.address4] {
                async let sent = field.flood(target).send(from: field.host.client, rate: 20_000, for: .seconds(5))
                try await Task.sleep(for: .milliseconds(800))
                let users = WebUsers(address: target, port: 80)
                let served = try await users.visit(
                    from: field.host.client, for: .seconds(3), patience: .milliseconds(900))
                let count = try await sent
                #expect(served.failures.count > served.served, "\(target): \(served) in a flood of \(count)")
            }
            #expect(try await field.host.control.shieldReport().synDefence == nil)
        }
    }

    @Test func `no connection is lost while the defence goes on and off`() async throws {
        try await withTestBed(subnet: 57) { bed in
            let field = try await SynField(bed, "{mode: auto, hold: 300ms}")
            _ = try await field.start()
            for target in [field.host.hostAddresses[0], field.workload.address6] {
                let before = try await engagements(field, target)
                async let floods: Void = {
                    for _ in 0..<5 {
                        _ = try await field.flood(target).send(
                            from: field.host.client, rate: 20_000, for: .milliseconds(400))
                        try await Task.sleep(for: .milliseconds(900))
                    }
                }()
                let users = WebUsers(address: target, port: 80)
                let served = try await users.visit(from: field.host.client, for: .seconds(6), pause: .milliseconds(5))
                try await floods
                #expect(served.failures.isEmpty && served.served > 100, "\(target): \(served)")
                #expect(try await engagements(field, target) > before)
            }
            try await eventually("half-open connections of the floods are gone", within: .seconds(90)) {
                _ = try await WebUsers(address: field.host.hostAddresses[0], port: 80)
                    .visit(from: field.host.client, for: .seconds(1), countMax: 3)
                return try await field.host.control.shieldReport().synDefence?.listeners
                    .first { $0.address == field.host.hostAddresses[0] && $0.port == 80 }?.isDefended == false
            }
        }
    }

    private func engagements(_ field: SynField, _ address: String) async throws -> UInt32 {
        try await field.host.control.shieldReport().synDefence?.listeners
            .first { $0.address == address && $0.port == 80 }?.engagements ?? 0
    }

    @Test func `options of a connection survive its cookie, and the first connection of a listener is served`()
        async throws
    {
        try await withTestBed(subnet: 57) { bed in
            let field = try await SynField(bed, "always")
            _ = try await field.start()
            for (place, addresses) in [
                (field.host.host.namespace, field.host.hostAddresses),
                (field.workload.namespace, [field.workload.address4, field.workload.address6]),
            ] {
                for (index, address) in addresses.enumerated() {
                    let port = 5000 + index
                    let family = address.contains(":") ? "TCP6" : "TCP4"
                    _ = try place.start(["socat", "\(family)-LISTEN:\(port),fork,reuseaddr", "EXEC:cat"])
                    try await eventually("somebody listens") {
                        try await place.shell("ss -Htln sport = :\(port)").text.contains("LISTEN")
                    }
                    let target = address.contains(":") ? "[\(address)]" : address
                    let client = try field.host.client.start(["socat", "EXEC:sleep 30", "\(family):\(target):\(port)"])
                    // The first SYN of all: nothing needs to be warm, and nothing is sent twice.
                    try await eventually("connected", within: .seconds(3)) {
                        try await place.shell("ss -Htn state established sport = :\(port)").text.contains(":\(port)")
                    }
                    let socket = try await place.shell("ss -Htnie state established sport = :\(port)").text
                    for option in [" ts ", " sack ", "wscale:"] {
                        #expect(socket.contains(option), "\(address): \(socket)")
                    }
                    #expect(socket.contains(address.contains(":") ? "mss:1428" : "mss:1448"), "\(socket)")
                    await client.kill()
                }
            }
            let report = try #require(try await field.host.control.shieldReport().synDefence)
            #expect(report.accepted >= 4 && report.refused == 0 && report.left == 0, "\(report)")
        }
    }

    @Test func `policy comes first, and what it allows is a tracked flow`() async throws {
        try await withTestBed(subnet: 57) { bed in
            let field = try await SynField(
                bed, "always",
                policy: """
                    apiVersion: networking.k8s.io/v1
                    kind: NetworkPolicy
                    metadata: {name: web, namespace: default}
                    spec:
                      podSelector: {matchLabels: {app: web}}
                      policyTypes: [Ingress]
                      ingress:
                        - from: [{ipBlock: {cidr: 100.0.0.0/8}}]
                          ports: [{port: 80}]

                    """)
            _ = try await field.start()
            let client = field.host.client
            try await eventually("the policy is in force") {
                try await WebUsers(address: field.workload.address6, port: 80)
                    .visit(from: client, for: .seconds(1), patience: .milliseconds(300), countMax: 1).served == 0
            }
            let allowed = try await WebUsers(address: field.workload.address4, port: 80)
                .visit(from: client, for: .seconds(5), countMax: 20)
            #expect(allowed.failures.isEmpty && allowed.served == 20, "\(allowed)")
            let refused = try await WebUsers(address: field.workload.address6, port: 80)
                .visit(from: client, for: .seconds(3), patience: .milliseconds(300), countMax: 3)
            #expect(refused.served == 0 && refused.failures.allSatisfy { $0 == "connect: no answer" }, "\(refused)")
            let flows = try await field.host.agent.tool("map", "dump", "conntrack")
            #expect(flows.output.contains(field.workload.address4), "\(flows.output)\(flows.errors)")
            let report = try #require(try await field.host.control.shieldReport().synDefence)
            #expect(report.accepted >= 20, "\(report)")
        }
    }

    @Test func `the defence outlives the agent, and goes with detach`() async throws {
        try await withTestBed(subnet: 57) { bed in
            let field = try await SynField(bed, "auto")
            let agent = try await field.start()
            await agent.kill()
            for target in [field.host.hostAddresses[0], field.workload.address4] {
                let (served, sent) = try await field.visit(target, flooded: 20_000)
                #expect(served.failures.isEmpty && served.served >= 40, "\(target): \(served) of \(sent)")
            }
            let again = try await field.start()
            let (served, _) = try await field.visit(field.workload.address6, flooded: 20_000)
            #expect(served.failures.isEmpty, "\(served)")
            _ = await again.stop()
            let detach = try await field.host.agent.tool("detach", "--bpffs", field.host.agent.pinDirectory)
            #expect(detach.status == 0, "\(detach.output)\(detach.errors)")
            #expect(try await bed.run(["find", field.host.agent.pinDirectory, "-type", "f"]).text.isEmpty)
            for namespace in [field.host.host.namespace, field.workload.namespace] {
                let programs = try await namespace.shell("bpftool net show 2>/dev/null || true").text
                #expect(!programs.contains("tc_syn"), "\(programs)")
            }
        }
    }

    @Test func `a namespace that forbids cookies is named, and left alone`() async throws {
        try await withTestBed(subnet: 57) { bed in
            let field = try await SynField(bed, "always")
            try await field.workload.namespace.shell("echo 0 > /proc/sys/net/ipv4/tcp_syncookies")
            _ = try await field.start()
            let users = WebUsers(address: field.workload.address4, port: 80)
            let served = try await users.visit(from: field.host.client, for: .seconds(3), countMax: 10)
            #expect(served.served == 10, "\(served)")
            let report = try #require(try await field.host.control.shieldReport().synDefence)
            #expect(report.places.first { $0.name == "web" }?.limits == ["tcp_syncookies = 0: not defended"])
            #expect(
                report.listeners.first { $0.address == field.workload.address4 }?.obstacles == ["tcp_syncookies is 0"])
            #expect(report.answered == 0)
            let text = try await field.host.agent.tool("shield", "status").output
            #expect(text.contains("tcp_syncookies = 0"), "\(text)")
            // Changed while the program is there.
            try await field.workload.namespace.shell(
                "echo 1 > /proc/sys/net/ipv4/tcp_syncookies; echo 0 > /proc/sys/net/ipv4/tcp_sack")
            try await field.host.host.namespace.shell("echo 0 > /proc/sys/net/ipv4/tcp_timestamps")
            let places = try #require(try await field.host.control.shieldReport().synDefence).places
            #expect(places.first { $0.name == "web" }?.limits == ["tcp_sack = 0: no SACK"])
            #expect(places.first { $0.name == "up0" }?.limits == ["tcp_timestamps = 0: no timestamps"])
        }
    }
}

/// What goes wrong with cookies where one does not look.
@Suite(.serialized) struct SynTrapTests {
    @Test func `senders that leave checksums to the device are answered, and those that do not`() async throws {
        try await withTestBed(subnet: 57) { bed in
            let field = try await SynField(bed, "always")
            _ = try await field.start()
            for offload in ["off", "on"] {
                for namespace in [field.host.client, field.workload.namespace] {
                    try await namespace.shell("ethtool -K eth0 tx \(offload)")
                }
                for target in field.host.hostAddresses + [field.workload.address4, field.workload.address6] {
                    let served = try await WebUsers(address: target, port: 80)
                        .visit(from: field.host.client, for: .seconds(5), countMax: 10)
                    #expect(served.served == 10, "\(target), offload \(offload): \(served)")
                }
            }
            let report = try #require(try await field.host.control.shieldReport().synDefence)
            #expect(report.accepted >= 80, "\(report)")
        }
    }

    @Test(arguments: ["off", "tcx"])
    func `a client that takes its port again is served by the socket that waits for it`(front: String) async throws {
        try await withTestBed(subnet: 57) { bed in
            let field = try await SynField(bed, "{mode: always, front: \(front)}")
            _ = try await field.start()
            for target in [field.host.hostAddresses[0], field.workload.address4, field.workload.address6] {
                // The server closes first, and waits.
                for round in 0..<4 {
                    let served = try await WebUsers(address: target, port: 80, localPort: 47_011)
                        .visit(from: field.host.client, for: .seconds(4), countMax: 1)
                    #expect(served.served == 1, "\(target), round \(round): \(served)")
                }
            }
        }
    }

    /// Nobody saw them close: what is answered ahead of the listener is answered with a cookie.
    @Test(arguments: [false, true])
    func `who closed before the defence was there takes the same port again in a flood`(isIPv6: Bool) async throws {
        try await withTestBed(subnet: 57) { bed in
            let field = try await SynField(bed, "{mode: auto, front: tcx}")
            let target = isIPv6 ? field.workload.address6 : field.workload.address4
            func visit(_ port: UInt16) async throws -> Served {
                try await WebUsers(address: target, port: 80, localPort: port)
                    .visit(from: field.host.client, for: .seconds(4), countMax: 1)
            }
            // Who closes first is a race; where it is the server, its socket waits.
            var next: UInt16 = 47_100
            var waiting: [UInt16] = []
            while waiting.count < 4, next < 47_400 {
                for port in next..<(next + 20) {
                    let served = try await visit(port)
                    #expect(served.served == 1, "from port \(port), nothing defended: \(served)")
                }
                next += 20
                let text = try await field.workload.namespace.shell("ss -Htan state time-wait sport = :80").text
                waiting = text.split(separator: "\n").compactMap { line in
                    line.split(separator: ":").last.flatMap { UInt16($0.prefix { $0.isNumber }) }
                }
            }
            #expect(waiting.count >= 4)
            _ = try await field.start()
            async let sent = field.flood(target).send(from: field.host.client, rate: 20_000, for: .seconds(6))
            try await Task.sleep(for: .milliseconds(500))
            for port in waiting.prefix(20) {
                let served = try await visit(port)
                #expect(served.served == 1, "from port \(port): \(served)")
            }
            #expect(try await sent > 10_000)
            let report = try #require(try await field.host.control.shieldReport().synDefence)
            #expect(report.answeredAhead > 10_000 && report.refused == 0, "\(report)")
        }
    }

    @Test func `while nobody accepts SYNs are dropped, and afterwards users are served`() async throws {
        try await withTestBed(subnet: 57) { bed in
            let field = try await SynField(bed, "always")
            _ = try await field.start()
            let place = field.workload.namespace
            let sleeper = try place.start(["nc", "-l", "-k", "7070"])
            try await eventually("somebody listens") {
                try await place.shell("ss -Htln sport = :7070").text.contains("LISTEN")
            }
            // Stopped it accepts nothing: connections wait until the queue is full.
            try await place.shell("kill -STOP \(sleeper.pid)")
            var clients: [SpawnedProcess] = []
            for _ in 0..<8 {
                clients.append(
                    try field.host.client.start(["nc", "-w", "20", field.workload.address4, "7070"]))
                try await Task.sleep(for: .milliseconds(40))
            }
            try await eventually("SYNs are dropped") {
                try await field.host.control.shieldReport().synDefence.map { $0.queueFull > 0 } == true
            }
            for client in clients { await client.kill() }
            try await place.shell("kill -CONT \(sleeper.pid)")
            try await eventually("the listener answers again", within: .seconds(10)) {
                try await field.host.client.run(["nc", "-z", "-w", "2", field.workload.address4, "7070"]).status == 0
            }
        }
    }
}

/// An address as bytes in network order.
func networkBytes(_ text: String) -> [UInt8] {
    if !text.contains(":") { return text.split(separator: ".").compactMap { UInt8($0) } }
    let halves = text.split(separator: "::", maxSplits: 1, omittingEmptySubsequences: false)
    func bytes(_ part: Substring) -> [UInt8] {
        part.split(separator: ":").flatMap { word -> [UInt8] in
            let value = UInt16(word, radix: 16) ?? 0
            return [UInt8(value >> 8), UInt8(value & 255)]
        }
    }
    let head = bytes(halves[0]), tail = halves.count > 1 ? bytes(halves[1]) : []
    return head + [UInt8](repeating: 0, count: 16 - head.count - tail.count) + tail
}
