// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CNIPlugin

@Suite struct PluginResultTests {
    private func object(_ text: String) throws -> JSONObject {
        try #require(try JSONValue(json: Array(text.utf8)).object)
    }

    @Test(arguments: CNIVersion.allCases)
    func `a result of the caller's version is handed on as it is`(version: CNIVersion) throws {
        let text = """
            {"ips": [{"version": "4", "address": "10.1.0.3/24", "later": [1, {"a": null}]}], "cniVersion":
            "\(version.rawValue)", "routes": [{"dst": "::/0", "mtu": 1400, "table": 4294967296}], "z": 0.10, "a": -0}
            """
        #expect(try PluginResult(object: object(text)).converted(to: version) == object(text))
    }

    @Test func `addresses say of which family they are before 1_0, and not from there on`() throws {
        let old = try object(
            """
            {"cniVersion": "0.4.0", "ips": [{"version": "4", "address": "10.1.0.3/24", "interface": 0},
             {"version": "6", "address": "fd00::3/64"}], "x": 1}
            """)
        let new = try object(
            """
            {"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.3/24", "interface": 0}, {"address": "fd00::3/64"}],
             "x": 1}
            """)
        #expect(try PluginResult(object: old).converted(to: .v110) == new)
        #expect(try PluginResult(object: new).converted(to: .v040) == old)
        var same = old
        same["cniVersion"] = .string("0.3.1")
        #expect(try PluginResult(object: old).converted(to: .v031) == same)
    }

    @Test func `a result without a version is of the caller's`() throws {
        let result = try PluginResult(object: object("{\"dns\": {}}")).converted(to: .v040)
        #expect(result == (try object("{\"cniVersion\": \"0.4.0\", \"dns\": {}}")))
    }

    @Test func `a result that is odd is handed on`() throws {
        for text in [
            "{\"cniVersion\": \"0.4.0\", \"ips\": 7}", "{\"cniVersion\": \"0.4.0\", \"ips\": [7, {\"address\": 1}]}",
            "{\"cniVersion\": \"0.4.0\"}",
        ] {
            var expected = try object(text)
            expected["cniVersion"] = .string("1.0.0")
            let result = PluginResult(object: try object(text))
            #expect(try result.converted(to: .v100) == expected)
            #expect(result.addresses(of: "eth0").isEmpty && result.hostInterfaces.isEmpty)
        }
    }

    @Test func `addresses are those of the interface in the container`() throws {
        let result = PluginResult(object: try object(Call.previous))
        #expect(result.addresses(of: "eth0") == ["10.1.0.3", "fd00::3"])
        #expect(result.addresses(of: "eth1").isEmpty)
        #expect(result.hostInterfaces == ["br0", "veth1"])
        let loose = PluginResult(
            object: try object("{\"ips\": [{\"address\": \"10.1.0.3/24\"}, {\"address\": \"x\", \"interface\": 9}]}"))
        #expect(loose.addresses(of: "eth0") == ["10.1.0.3"])
    }
}
