// SPDX-License-Identifier: Apache-2.0

import TestBed
import Testing

/// Address range of this suite.
private let subnet = 41

@Suite(.serialized) struct TestBedTests {
    private struct Deliberate: Error {}

    @Test func `a test that fails leaves no namespace, process or file behind`() async throws {
        var made: (name: String, directory: String, process: SpawnedProcess)?
        await #expect(throws: Deliberate.self) {
            try await withTestBed(subnet: subnet) { bed in
                let namespace = try await bed.namespace("a")
                let process = try namespace.start(["sleep", "1000"])
                made = (namespace.name, bed.directory, process)
                throw Deliberate()
            }
        }
        let left = try #require(made)
        try await withTestBed(subnet: subnet) { bed in
            let namespaces = try await bed.run(["ip", "netns"]).output
            #expect(!namespaces.contains(left.name))
            let lookup = try await bed.run(["test", "-e", left.directory])
            #expect(lookup.status != 0)
        }
        let status = left.process.exitStatus
        #expect(status == Int32(128 + 9))
    }

    @Test func `a program of ours that crashes fails the test that started it, and what it said is quoted`()
        async throws
    {
        var told = ""
        do {
            try await withTestBed(subnet: subnet) { bed in
                let process = try bed.start(["sh", "-c", "echo 'bulkhead: Fatal error: deliberate' >&2; kill -ILL $$"])
                _ = try await process.waitForExit(within: .seconds(10))
            }
        } catch {
            told = "\(error)"
        }
        #expect(told.contains("ended with 132") && told.contains("Fatal error: deliberate"), "\(told)")
    }

    @Test func `workloads of a host reach each other over IPv4 and IPv6`() async throws {
        try await withTestBed(subnet: subnet) { bed in
            let host = try await bed.host()
            let web = try await host.addWorkload("web", number: 2)
            let client = try await host.addWorkload("client", number: 300)
            _ = try web.namespace.start(["nc", "-lk", "-p", "80"])
            _ = try web.namespace.start(["nc", "-6", "-lk", "-p", "81"])
            try await eventually("both ports answer") {
                let four = try await client.canConnect(to: web.address4, port: 80)
                let six = try await client.canConnect(to: web.address6, port: 81)
                return four && six
            }
            #expect(try await client.canPing(web.address6))
            #expect(try await !client.canConnect(to: web.address4, port: 82))
        }
    }

    @Test func `a podman container runs in the bed and answers`() async throws {
        try await withTestBed(subnet: subnet) { bed in
            let host = try await bed.host()
            let podman = try await bed.podman(in: host.namespace)
            try await podman.runContainer("web", command: ["httpd", "-f", "-p", "80", "-h", "/www"])
            let address = try await podman.run(
                "inspect", "-f", "{{.NetworkSettings.Networks.testnet.IPAddress}}", "web")
            try await eventually("the web server answers") {
                try await host.namespace.run(["curl", "-s", "http://\(address)/"]).text == "hello"
            }
        }
    }

    @Test func `waiting ends with the reason when the time is over`() async {
        let error = await #expect(throws: TestBedError.self) {
            try await eventually("pigs fly", within: .milliseconds(30)) { false }
        }
        #expect(error?.description.hasSuffix("pigs fly") == true)
    }
}
