// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CNIPlugin

@Suite struct NetworkListTests {
    private static let list = """
        {"cniVersion": "0.4.0", "name": "podnet", "later": {"x": 1e400}, "plugins": [
          {"type": "bridge", "bridge": "cni0", "odd": [1, null]}, {"type": "portmap"}], "disableCheck": true}
        """

    private func read(_ text: String, isList: Bool = true) throws -> NetworkList {
        try NetworkList(json: Array(text.utf8), isList: isList)
    }

    @Test func `the plugin goes behind all others, and nothing else changes`() throws {
        let before = try read(Self.list)
        let after = try before.installing(PluginSettings())
        #expect(after.types == ["bridge", "portmap", "bulkhead-cni"] && after.settings == PluginSettings().json)
        #expect(after.object.keys == before.object.keys && after.object["later"] == before.object["later"])
        #expect(after.object["plugins"]?.array?.dropLast() == before.object["plugins"]?.array?[...])
        #expect(try after.installing(PluginSettings()) == after, "again: as it was")
        #expect(try after.uninstalling() == before)
        #expect(try read(String(decoding: after.bytes, as: UTF8.self)) == after)
    }

    @Test func `an entry that is there keeps its place and what else stands in it`() throws {
        let text = """
            {"cniVersion": "1.0.0", "name": "n", "plugins": [{"type": "ptp"},
              {"type": "bulkhead-cni", "capabilities": {"x": true}, "bulkhead": {"timeout": 3}}, {"type": "tuning"}]}
            """
        var settings = PluginSettings()
        settings.withoutAgent = .open
        let after = try read(text).installing(settings)
        #expect(after.types == ["ptp", "bulkhead-cni", "tuning"] && after.settings == settings.json)
        let own = after.object["plugins"]?.array?[1].object
        #expect(own?["capabilities"] == .object(["x": .boolean(true)]))
    }

    @Test func `a single plugin becomes a list that means the same`() throws {
        let single = try read(
            "{\"cniVersion\": \"0.3.1\", \"name\": \"n\", \"type\": \"ptp\", \"ipam\": {\"type\": \"host-local\"}}",
            isList: false)
        let expected = try read(
            """
            {"cniVersion": "0.3.1", "name": "n", "plugins": [{"type": "ptp", "ipam": {"type": "host-local"}}]}
            """)
        #expect(single.asList == expected && single.settings == nil)
        #expect(try single.installing(PluginSettings()) == expected.installing(PluginSettings()))
    }

    @Test(arguments: [
        "", "[]", "{}", "{\"name\": \"n\", \"plugins\": [{\"type\": \"ptp\"}]}",
        "{\"cniVersion\": \"0.2.0\", \"name\": \"n\", \"plugins\": [{\"type\": \"ptp\"}]}",
        "{\"cniVersion\": \"2.0.0\", \"name\": \"n\", \"plugins\": [{\"type\": \"ptp\"}]}",
        "{\"cniVersion\": \"1.0.0\", \"name\": \"\", \"plugins\": [{\"type\": \"ptp\"}]}",
        "{\"cniVersion\": \"1.0.0\", \"name\": \"n\", \"plugins\": []}",
        "{\"cniVersion\": \"1.0.0\", \"name\": \"n\", \"plugins\": {\"type\": \"ptp\"}}",
        "{\"cniVersion\": \"1.0.0\", \"name\": \"n\", \"plugins\": [{\"type\": \"ptp\"}, {\"kind\": \"x\"}]}",
        "{\"cniVersion\": \"1.0.0\", \"name\": \"n\", \"plugins\": [{\"type\": \"ptp\"}, 7]}",
        "{\"cniVersion\": \"1.0.0\", \"name\": \"n\", \"type\": \"ptp\"}",
        "{\"cniVersion\": \"1.0.0\", \"name\": \"n\", \"plugins\": [{\"type\": \"ptp\"}, {\"type\": \"bulkhead-cni\"}, "
            + "{\"type\": \"bulkhead-cni\"}]}",
    ])
    func `what is not understood is refused`(text: String) {
        #expect(throws: NetworkListError.self) { try read(text) }
    }

    @Test func `where there is no interface with an end on the host it is refused`() throws {
        for type in ["macvlan", "loopback", "bulkhead-cni"] {
            let list = try read("{\"cniVersion\": \"1.0.0\", \"name\": \"n\", \"plugins\": [{\"type\": \"\(type)\"}]}")
            #expect(throws: NetworkListError.self) { try list.installing(PluginSettings()) }
        }
        let alone = try read(
            "{\"cniVersion\": \"1.0.0\", \"name\": \"n\", \"plugins\": [{\"type\": \"bulkhead-cni\"}]}")
        #expect(throws: NetworkListError.self) { try alone.uninstalling() }
    }
}
