// SPDX-License-Identifier: Apache-2.0

import Synchronization
import Testing

@testable import CNIPlugin

@Suite struct ChainedPluginTests {
    @Test func `ADD tells the agent what is known and prints what the main plugin achieved, unchanged`() throws {
        let call = try Call(
            "ADD", Call.configuration(more: ", \"args\": {\"cni\": {\"labels\": [{\"key\": \"a\", \"value\": \"b\"}]}}")
        )
        #expect(call.outcome.status == 0 && call.outcome.log.isEmpty)
        #expect(call.printed == (try JSONValue(json: Array(Call.previous.utf8)).object))
        let request = try #require(call.surroundings.asked.first)
        #expect(request.method == "POST" && request.path == ["attachments"])
        let expected = AttachmentRequest(
            containerID: "c0ffee", interface: "eth0", namespacePath: "/run/netns/x", network: "podnet",
            hostInterfaces: ["br0", "veth1"], addresses: ["10.1.0.3", "fd00::3"], podNamespace: "shop",
            podName: "web-0", podUID: "u-1", labels: ["a": "b"], isWorkload: false, waitMilliseconds: 10_000)
        #expect(request.body == expected.json)
        #expect(call.surroundings.content.withLock { $0.sockets } == ["/run/bulkhead/bulkhead.sock"])
        #expect(call.surroundings.content.withLock { $0.seconds } == [20], "longer than the agent waits")
    }

    @Test func `settings of the list reach the agent`() throws {
        let settings = """
            {"socket": "/x/s", "pendingDirectory": "/x/p", "withoutAgent": "open", "workload": "attachment",
             "timeout": 3, "labels": {"app": "web"}}
            """
        let call = try Call("ADD", Call.configuration(settings: settings))
        let body = try #require(call.surroundings.asked.first?.body?.object)
        #expect(body["isWorkload"] == .boolean(true) && body["waitMilliseconds"] == .integer(3000))
        #expect(body["labels"] == .object(["app": .string("web")]))
        #expect(call.surroundings.content.withLock { $0.sockets } == ["/x/s"])
    }

    @Test(arguments: [
        "{\"withoutAgnet\": \"closed\"}", "{\"withoutAgent\": \"ajar\"}", "{\"timeout\": 0}", "{\"timeout\": 121}",
        "{\"timeout\": \"5\"}",
        "{\"socket\": \"relative\"}", "{\"labels\": [\"a\"]}", "{\"labels\": {\"a\": 1}}",
        "{\"labels\": {\"\": \"b\"}}",
        "[]", "\"open\"",
    ])
    func `a setting that is not understood fails an ADD and hinders no DEL`(settings: String) throws {
        #expect(try Call("ADD", Call.configuration(settings: settings)).code == 7)
        let delete = try Call("DEL", Call.configuration(settings: settings))
        #expect(delete.outcome.status == 0 && delete.surroundings.asked.count == 1)
    }

    @Test func `settings are read back as they are written`() throws {
        var settings = PluginSettings()
        settings.socketPath = "/a"
        settings.pendingDirectory = "/b"
        settings.withoutAgent = .open
        settings.whenUnknown = .closed
        settings.seconds = 7
        settings.labels = ["x": "y"]
        #expect(try PluginSettings(settings.json) == settings)
        settings.seconds = 0
        #expect(try PluginSettings(settings.json) == settings, "closed at once, nobody is waited for")
        settings.workload = .attachment
        settings.whenUnknown = .fail
        #expect(try PluginSettings(settings.json) == settings)
    }

    @Test func `ADD without a result to hand on fails before the agent is asked`() throws {
        let call = try Call("ADD", Call.configuration(previous: nil))
        #expect(call.code == 7 && call.surroundings.asked.isEmpty)
        let strange = try Call("ADD", Call.configuration(previous: "{\"cniVersion\": \"0.2.0\", \"ip4\": {}}"))
        #expect(strange.code == 1 && strange.surroundings.asked.isEmpty)
    }

    @Test func `without an agent ADD fails, to be tried again`() throws {
        let surroundings = FakeSurroundings()
        surroundings.goDown()
        let call = try Call("ADD", Call.configuration("0.4.0"), surroundings: surroundings)
        #expect(call.code == 11 && call.printed?["cniVersion"] == .string("0.4.0"))
        #expect(call.printed?["msg"]?.string?.contains("connection refused") == true)
        #expect(surroundings.pending.isEmpty)
        surroundings.answer(503, ["message": .string("starting")])
        #expect(try Call("ADD", Call.configuration(), surroundings: surroundings).code == 11)
    }

    @Test func `an open list lets the container run without an agent, which hears of it later`() throws {
        let surroundings = FakeSurroundings()
        surroundings.goDown()
        let call = try Call(
            "ADD", Call.configuration(settings: "{\"withoutAgent\": \"open\"}"), surroundings: surroundings)
        #expect(call.outcome.status == 0 && call.printed?["ips"] != nil && !call.outcome.log.isEmpty)
        guard case .add(let request)? = surroundings.pending.first else {
            Issue.record("nothing waits")
            return
        }
        #expect(request.containerID == "c0ffee" && surroundings.pending.count == 1)
        // Not even a full disk is a reason to fail then.
        surroundings.content.withLock { $0.isPendingFull = true }
        let full = try Call(
            "ADD", Call.configuration(settings: "{\"withoutAgent\": \"open\"}"), surroundings: surroundings)
        #expect(full.outcome.status == 0 && full.outcome.log.count == 2)
    }

    @Test func `an agent that says no is obeyed, open or not`() throws {
        for settings in ["{\"withoutAgent\": \"open\"}", "{\"withoutAgent\": \"closed\"}"] {
            let surroundings = FakeSurroundings()
            surroundings.answer(409, ["message": .string("eth0 is a macvlan device")])
            let call = try Call("ADD", Call.configuration(settings: settings), surroundings: surroundings)
            #expect(call.code == 100 && call.printed?["msg"]?.string?.contains("macvlan") == true)
        }
    }

    @Test(arguments: [("closed", 11), ("pending", 11), ("failed", 100), ("leaving", 100), ("later", 100), ("", 100)])
    func `ADD succeeds only when policy is in force`(state: String, code: Int) throws {
        let surroundings = FakeSurroundings()
        surroundings.answer(200, ["state": .string(state), "message": .string("why")])
        let call = try Call("ADD", Call.configuration(), surroundings: surroundings)
        #expect(call.code == code && call.printed?["msg"]?.string?.contains("why") == true)
        let closed = try Call(
            "ADD", Call.configuration(settings: "{\"whenUnknown\": \"closed\"}"), surroundings: surroundings)
        #expect(closed.code == (state == "closed" ? nil : code), "a list may let nobody's container run, closed")
    }

    @Test func `DEL needs neither namespace nor result nor state`() throws {
        for environment in [["CNI_NETNS": ""], ["CNI_NETNS": nil]] as [[String: String?]] {
            let call = try Call("DEL", Call.configuration(previous: nil), environment: environment)
            #expect(call.outcome == ChainedPlugin.Outcome())
            #expect(call.surroundings.asked == [AgentRequest("DELETE", ["attachments", "c0ffee", "eth0"])])
        }
        let surroundings = FakeSurroundings()
        for status in [404, 500, 403] {
            surroundings.answer(status, ["message": .string("no")])
            let call = try Call("DEL", Call.configuration(previous: "{}"), surroundings: surroundings)
            #expect(call.outcome.status == 0 && call.outcome.output.isEmpty)
            #expect(call.outcome.log.isEmpty == (status == 404))
        }
    }

    @Test func `DEL waits for an agent that is down, unless it comes back meanwhile`() throws {
        let surroundings = FakeSurroundings()
        surroundings.goDown()
        let call = try Call(
            "DEL", Call.configuration(previous: nil, settings: "{\"pendingDirectory\": \"/p\"}"),
            surroundings: surroundings)
        #expect(call.outcome == ChainedPlugin.Outcome())
        #expect(surroundings.pending == [.delete(AttachmentName(containerID: "c0ffee", interface: "eth0"))])
        #expect(surroundings.content.withLock { $0.directories } == ["/p"])
        surroundings.content.withLock { $0.comesBack = true }
        _ = try Call("DEL", Call.configuration(), surroundings: surroundings)
        #expect(surroundings.pending.count == 1)
        surroundings.goDown()
        surroundings.content.withLock { $0.isPendingFull = true }
        let full = try Call("DEL", Call.configuration(), surroundings: surroundings)
        #expect(full.outcome.status == 0 && !full.outcome.log.isEmpty, "addresses are freed all the same")
    }

    @Test func `CHECK says whether policy is in force`() throws {
        let surroundings = FakeSurroundings()
        #expect(try Call("CHECK", Call.configuration(), surroundings: surroundings).outcome == .init())
        #expect(surroundings.asked == [AgentRequest("GET", ["attachments", "c0ffee", "eth0"])])
        surroundings.answer(404, ["message": .string("no such")])
        #expect(try Call("CHECK", Call.configuration(), surroundings: surroundings).code == 101)
        surroundings.answer(200, ["state": .string("closed")])
        #expect(try Call("CHECK", Call.configuration(), surroundings: surroundings).code == 101)
        let closed = Call.configuration(settings: "{\"whenUnknown\": \"closed\"}")
        #expect(try Call("CHECK", closed, surroundings: surroundings).code == nil)
        surroundings.goDown()
        #expect(try Call("CHECK", Call.configuration(), surroundings: surroundings).code == 11)
        let open = Call.configuration(settings: "{\"withoutAgent\": \"open\"}")
        #expect(try Call("CHECK", open, surroundings: surroundings).code == nil)
        #expect(try Call("CHECK", Call.configuration(previous: nil)).code == 7)
        #expect(try Call("CHECK", Call.configuration("0.3.1")).code == 1)
    }

    @Test func `GC without a list of the living collects nothing`() throws {
        for more in ["", ", \"cni.dev/valid-attachments\": null", ", \"cni.dev/attachments\": []"] {
            let call = try Call("GC", Call.configuration("1.1.0", previous: nil, more: more))
            #expect(call.outcome == ChainedPlugin.Outcome() && call.surroundings.asked.isEmpty)
        }
    }

    @Test func `GC tells the agent who lives`() throws {
        let more = ", \"cni.dev/valid-attachments\": [{\"containerID\": \"a\", \"ifname\": \"eth0\"}]"
        let call = try Call(
            "GC", Call.configuration("1.1.0", previous: nil, more: more), environment: ["CNI_CONTAINERID": nil])
        #expect(call.outcome.status == 0)
        let expected = AttachmentCollection(
            network: "podnet", valid: [AttachmentName(containerID: "a", interface: "eth0")])
        #expect(call.surroundings.asked == [AgentRequest("POST", ["attachments", "collect"], expected.json)])
        #expect(try Call("GC", Call.configuration("1.0.0", more: more)).code == 1)
        let surroundings = FakeSurroundings()
        surroundings.goDown()
        #expect(try Call("GC", Call.configuration("1.1.0", more: more), surroundings: surroundings).code == 11)
        let nameless = "{\"cniVersion\": \"1.1.0\"\(more)}"
        #expect(try Call("GC", nameless).code == 7)
    }

    @Test(arguments: ["{}", "\"a\"", "[1]", "[{\"containerID\": \"a\"}]", "[{\"containerID\": 1, \"ifname\": \"b\"}]"])
    func `GC with a list that is not understood collects nothing`(list: String) throws {
        let more = ", \"cni.dev/valid-attachments\": \(list)"
        let call = try Call("GC", Call.configuration("1.1.0", more: more))
        #expect(call.code == 7 && call.surroundings.asked.isEmpty)
    }

    @Test func `STATUS says whether an ADD would succeed`() throws {
        let surroundings = FakeSurroundings()
        let all = Call.configuration("1.1.0", previous: nil)
        let nothing = ["CNI_CONTAINERID": nil, "CNI_NETNS": nil, "CNI_IFNAME": nil] as [String: String?]
        #expect(try Call("STATUS", all, environment: nothing, surroundings: surroundings).outcome == .init())
        #expect(surroundings.asked == [AgentRequest("GET", ["attachments", "ready"])])
        surroundings.goDown()
        #expect(try Call("STATUS", all, environment: nothing, surroundings: surroundings).code == 50)
        let open = Call.configuration("1.1.0", previous: nil, settings: "{\"withoutAgent\": \"open\"}")
        #expect(try Call("STATUS", open, environment: nothing, surroundings: surroundings).code == nil)
        #expect(try Call("STATUS", Call.configuration("1.0.0")).code == 1)
    }

    @Test func `VERSION answers whatever else is said`() throws {
        let dummy =
            [
                "CNI_NETNS": "dummy", "CNI_IFNAME": "dummy", "CNI_PATH": "dummy", "CNI_CONTAINERID": "..",
                "CNI_ARGS": ";;",
            ] as [String: String?]
        let known = JSONValue.strings(["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"])
        for (input, version) in [("", "1.1.0"), ("{\"cniVersion\": \"1.0.0\"}", "1.0.0"), (" \n", "1.1.0")] {
            let call = try Call("VERSION", input, environment: dummy)
            #expect(call.outcome.status == 0)
            #expect(call.printed == ["cniVersion": .string(version), "supportedVersions": known])
        }
        #expect(try Call("VERSION", Call.configuration(settings: "{\"nonsense\": 1}")).code == nil)
    }

    @Test func `the environment is checked where it counts`() throws {
        for (name, value) in [
            ("CNI_CONTAINERID", nil), ("CNI_CONTAINERID", ""), ("CNI_CONTAINERID", "../x"), ("CNI_CONTAINERID", "-a"),
            ("CNI_CONTAINERID", "a/b"), ("CNI_CONTAINERID", "a b"), ("CNI_CONTAINERID", "é"), ("CNI_IFNAME", nil),
            ("CNI_IFNAME", ".."), ("CNI_IFNAME", "a/b"), ("CNI_IFNAME", "a:b"), ("CNI_IFNAME", "a b"),
            ("CNI_IFNAME", "sixteen-letters-"), ("CNI_NETNS", nil), ("CNI_NETNS", ""),
        ] as [(String, String?)] {
            let call = try Call("ADD", Call.configuration(), environment: [name: value])
            #expect(call.code == 4 && call.surroundings.asked.isEmpty, "\(name)=\(value ?? "nil")")
        }
        #expect(try Call(nil, "").code == 4)
        #expect(try Call("", "").code == 4)
        #expect(try Call("UPDATE", Call.configuration()).code == 4)
    }

    @Test(arguments: ["", "{", "[]", "null", "{\"cniVersion\": \"1.0.0\"} x", "{\"a\": \"\u{1}\"}", "1e"])
    func `what is no configuration is said to be none`(input: String) throws {
        for command in ["ADD", "DEL", "CHECK", "GC", "STATUS"] {
            let call = try Call(command, input)
            #expect(call.code == 6 && call.surroundings.asked.isEmpty)
        }
    }

    @Test func `versions that are not spoken are named`() throws {
        for version in ["0.2.0", "2.0.0", "1.0", ""] {
            let call = try Call("ADD", Call.configuration(version))
            #expect(call.code == 1 && call.printed?["details"]?.string?.contains("1.1.0") == true)
            #expect(call.printed?["cniVersion"] == .string("1.1.0"))
        }
    }
}
