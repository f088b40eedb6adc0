// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

/// A state directory on a file system of a few pages.
@Suite(.serialized) struct FullDiskTests {
    /// The client alone reaches tcp/80.
    private func expectOldState(_ shop: Shop) async throws {
        let probes = Probe.all([.tcp(80), .tcp(81)], [shop.server.address4, shop.server.address6])
        let open = Probe.all([.tcp(80)], [shop.server.address4, shop.server.address6])
        #expect(try await shop.client.namespace.reach(probes, expecting: open) == open)
        #expect(try await shop.intruder.namespace.reach(probes).isEmpty)
    }

    private static func apply(_ shop: Shop, _ policy: String) async throws -> CommandResult {
        try await shop.agent.tool("policy", "apply", "-f", "-", input: policy)
    }

    @Test func `a full disk refuses changes whole, and they go through once there is room`() async throws {
        try await withTestBed(subnet: 53) { bed in
            let shop = try await Shop(bed)
            let state = "\(shop.agent.directory)/state"
            try bed.noteCleanup("umount -l \(state)")
            try await bed.shell("mkdir -p \(state) && mount -t tmpfs -o size=512k tmpfs \(state)")
            let agent = try await shop.startAgent()
            let applied = try await Self.apply(shop, Shop.clientOnly)
            #expect(applied.status == 0, "\(applied.errors)")
            try await expectOldState(shop)
            try await bed.shell("cat /dev/zero > \(state)/filler 2>/dev/null || true")
            // The journal of rule numbers may end in an addition that broke off: its readers pass over that.
            let sums = "cd \(state) && find . -type f ! -name numbers.log -exec cksum {} + | sort"
            let files = try await bed.shell(sums).text

            // Through the API: another text, and a policy more.
            for policy in [Shop.udpOnly(7001), Shop.udpOnly(7001).replacing("name: server", with: "name: second")] {
                let refused = try await Self.apply(shop, policy)
                #expect(refused.status != 0)
                #expect(refused.errors.contains("no space left on device"), "\(refused.errors)")
                #expect(refused.errors.contains("the old state stays in force"), "\(refused.errors)")
            }
            #expect(try await shop.control.policies().map(\.name) == ["server"])
            // Through the watched directory.
            // So many new rules that their numbers do not fit into what is left of the journal's last page.
            let peer = "\n    - from: [{podSelector: {matchLabels: {app: intruder}}}]\n      ports: [{port: 80}]\n"
            let first = Shop.clientOnly.replacing("name: server", with: "name: watched")
            let second = first + String(repeating: peer, count: 200)
            try shop.agent.writePolicy("watched.yaml", second)
            let problem = try await eventuallySome("the refusal is shown") {
                try await shop.control.status().problems.first
            }
            #expect(problem.message.contains("no space left on device") && problem.message.contains("free space"))
            try await expectOldState(shop)
            #expect(try await bed.shell(sums).text == files, "half-written")

            // An agent that starts now cannot write either: what is in the kernel stays.
            await agent.kill()
            _ = try shop.agent.start()
            try await eventually("the next agent says so", within: .seconds(20)) {
                try await shop.control.status().problems.contains { $0.message.contains("no space left on device") }
            }
            try await expectOldState(shop)
            #expect(try await shop.control.history(limit: 10).revisions.map(\.number) == [1])

            try await bed.shell("rm \(state)/filler")
            try await eventually("the directory's policy comes into force by itself", within: .seconds(20)) {
                let report = try await shop.control.status()
                guard report.problems.isEmpty else { throw TestBedError("\(report.problems)") }
                return report.condition == .ready
            }
            let web = Probe.all([.tcp(80)], [shop.server.address4, shop.server.address6])
            #expect(try await shop.intruder.namespace.reach(web, expecting: web) == web)
            #expect(try await Self.apply(shop, Shop.udpOnly(7002)).status == 0)
            let revisions = try await shop.control.history(limit: 10).revisions.map(\.number)
            #expect(revisions == [2, 1], "what was refused is no revision")
            #expect(try await shop.agent.tool("policy", "rollback", "1").status == 0)
            #expect(try await shop.control.policy("server").document?.contains("app: client") == true)
        }
    }

    /// Two policies that change together.
    private static func both(_ port: Int) -> String {
        Shop.udpOnly(port) + "---\n" + Shop.udpOnly(port).replacing("name: server", with: "name: second")
    }

    /// The port that both policies open; nil if they differ.
    private static func port(_ shop: Shop) async throws -> Substring? {
        var ports: Set<Substring> = []
        for name in ["server", "second"] {
            let document = try await shop.control.policy(name).document ?? ""
            ports.insert(document.split(separator: "port: ").last?.prefix(4) ?? "none")
        }
        return ports.count == 1 ? ports.first : nil
    }

    @Test func `a disk that fills up in the middle of a change leaves all of it or nothing`() async throws {
        try await withTestBed(subnet: 53) { bed in
            let shop = try await Shop(bed)
            let state = "\(shop.agent.directory)/state"
            try bed.noteCleanup("umount -l \(state)")
            try await bed.shell("mkdir -p \(state) && mount -t tmpfs -o size=512k tmpfs \(state)")
            var agent = try await shop.startAgent()
            #expect(try await Self.apply(shop, Self.both(7000)).status == 0)
            var (known, revisions, refusals) = ("7000", 1, 0)
            // One page of room more each time: the change breaks off at another of its steps.
            for pages in 0..<14 {
                let bytes = pages * 4096
                try await bed.shell(
                    "cat /dev/zero > \(state)/filler 2>/dev/null || true; truncate -s -\(bytes) \(state)/filler")
                let isDone = try await Self.apply(shop, Self.both(7001 + pages)).status == 0
                if isDone { (known, revisions) = ("\(7001 + pages)", revisions + 1) } else { refusals += 1 }
                #expect(try await Self.port(shop) == known[...], "\(pages) pages")
                if pages % 4 == 1 {
                    await agent.kill()
                    try await bed.shell("rm \(state)/filler")
                    agent = try await shop.startAgent()
                    #expect(try await Self.port(shop) == known[...], "\(pages) pages, another agent")
                }
                let numbers = try await shop.control.history(limit: 100).revisions.map(\.number)
                #expect(numbers == Array((1...revisions).reversed()), "\(pages) pages")
                try await bed.shell("rm -f \(state)/filler")
            }
            #expect(refusals > 0 && revisions > 2, "\(refusals) refusals, \(revisions) revisions")
            #expect(try await shop.agent.tool("policy", "rollback", "1").status == 0)
            #expect(try await Self.port(shop) == "7000")
        }
    }
}
