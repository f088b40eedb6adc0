// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

/// An agent in a world that lacks something: it says what, and what to do.
@Suite(.serialized) struct PrivilegeTests {
    /// How the agent ends when it is started through `wrapper`.
    private func ending(_ shop: Shop, _ wrapper: [String]) async throws -> (status: Int32?, errors: String) {
        let agent = try shop.host.namespace.start(
            wrapper + [TestAgent.product("bulkhead-agent"), "--config", "\(shop.agent.directory)/agent.yaml"])
        let status = try await agent.waitForExit(within: .seconds(10))
        await agent.kill()
        return (status, agent.errors)
    }

    @Test func `without root or a capability the agent names what it lacks and ends`() async throws {
        try await withTestBed(subnet: 54) { bed in
            let shop = try await Shop(bed)
            // The one capability that nobody gets lets the program itself be found in root's home.
            let reading = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=+dac_read_search"]
            let nobody = try await ending(
                shop, ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"] + reading)
            #expect(nobody.status == 1, "\(nobody.errors)")
            for word in ["CAP_NET_ADMIN", "CAP_PERFMON", "CAP_BPF", "run as root"] {
                #expect(nobody.errors.contains(word), "\(nobody.errors)")
            }
            let cuts = [
                ("-net_admin", "CAP_NET_ADMIN"), ("-bpf,-sys_admin", "CAP_BPF"), ("-perfmon,-sys_admin", "CAP_PERFMON"),
            ]
            for (cut, name) in cuts {
                let ended = try await ending(shop, ["setpriv", "--inh-caps=-all", "--bounding-set", cut])
                #expect(ended.status == 1, "\(cut): \(ended.errors)")
                #expect(ended.errors.contains("lacks \(name);"), "\(ended.errors)")
                #expect(ended.errors.contains("CapabilityBoundingSet="), "\(ended.errors)")
            }
            // Nothing was begun.
            let lookup = try await bed.run(["find", shop.agent.pinDirectory, "-mindepth", "1"])
            #expect(lookup.text.isEmpty)
        }
    }

    @Test func `without a BPF file system the agent mounts one, or says what to mount`() async throws {
        try await withTestBed(subnet: 54) { bed in
            let shop = try await Shop(bed)
            // In a mount namespace of its own; the machine's mounts stay.
            let bare = ["unshare", "--mount", "--", "sh", "-c", "umount -l /sys/fs/bpf && exec \"$@\"", "sh"]
            let poor = try await ending(shop, bare + ["setpriv", "--inh-caps=-all", "--bounding-set", "-sys_admin"])
            #expect(poor.status == 1)
            #expect(poor.errors.contains("mount -t bpf bpf /sys/fs/bpf"), "\(poor.errors)")
            let agent = try shop.host.namespace.start(
                bare + [TestAgent.product("bulkhead-agent"), "--config", "\(shop.agent.directory)/agent.yaml"])
            try await eventually("it runs on a file system that it mounted", within: .seconds(20)) {
                try await shop.control.status().state.attachedEndpoints == 3
            }
            #expect(try await shop.control.status().problems.map(\.subject) == ["pins"])
            try await shop.enforce(Shop.clientOnly)
            #expect(try await !shop.intruder.canConnect(to: shop.server.address4, port: 80))
            #expect(try await shop.client.canConnect(to: shop.server.address4, port: 80))
            // Here, outside, nothing was pinned.
            #expect(try await bed.run(["find", shop.agent.pinDirectory, "-mindepth", "1"]).text.isEmpty)
            await agent.kill()
        }
    }
}
