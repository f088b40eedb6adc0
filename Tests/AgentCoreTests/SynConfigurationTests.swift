// SPDX-License-Identifier: Apache-2.0

import KernelDatapath
import NetworkModel
import Testing

@testable import AgentCore

@Suite struct SynConfigurationTests {
    private func read(_ text: String) throws -> SynSettings {
        var configuration = AgentConfiguration()
        try configuration.read(Array("shield: {\(text)}\n".utf8), file: "agent.yaml")
        return configuration.shield.synDefence
    }

    @Test func `it is off unless somebody switches it on`() throws {
        #expect(try read("mode: monitor") == SynSettings())
        #expect(try read("synDefence: off").mode == .off)
        #expect(try read("synDefence: auto").mode == .auto)
        #expect(try read("synDefence: always").mode == .always)
        #expect(try read("synDefence: {}").mode == .auto)
    }

    @Test func `every key is read`() throws {
        let settings = try read(
            """
            synDefence: {mode: always, ports: {443: auto, 25: off}, engage: 1000, disengage: 10, window: 250ms, hold: 30s, \
            behind: [{address: 10.1.2.0/24, ports: [443, 80]}, {address: fdbb::7, ports: [22]}]}
            """
        )
        var wanted = SynSettings()
        wanted.mode = .always
        wanted.ports = [443: .auto, 25: .off]
        wanted.engage = 1000
        wanted.disengage = 10
        wanted.window = .milliseconds(250)
        wanted.hold = .seconds(30)
        wanted.behind = [
            SynBehind(network: try #require(CIDR("10.1.2.0/24")), ports: [80, 443]),
            SynBehind(network: try #require(CIDR("fdbb::7/128")), ports: [22]),
        ]
        #expect(settings == wanted)
    }

    @Test(arguments: [
        ("synDefence: sometimes", "sometimes"), ("synDefence: {ports: {0: off}}", "a port of 1 to 65535"),
        ("synDefence: {ports: {web: off}}", "a port of 1 to 65535"), ("synDefence: {hold: 1ms}", "at least"),
        ("synDefence: {engage: 50}", "is to be less than"),
        ("synDefence: {behind: [{address: web, ports: [80]}]}", "is not an address, nor a prefix"),
        ("synDefence: {behind: [{ports: [80]}]}", "`address` is missing"),
        ("synDefence: {behind: [{address: 10.1.2.3}]}", "`ports` is missing"),
        ("synDefence: {behind: [{address: 10.1.2.3, ports: []}]}", "`ports` is missing"),
        ("synDefence: {behind: [{address: 10.1.2.3, ports: [0]}]}", "0"),
        ("synDefence: {behind: [{address: 0.0.0.0/0, ports: [80]}]}", "is everybody"),
        ("synDefence: {behind: [{address: 10.1.2.3, ports: [80], port: 1}]}", "port"),
    ])
    func `what makes no sense is refused`(text: String, message: String) {
        let error = #expect(throws: (any Error).self) { try read(text) }
        #expect(error.map { "\($0)" }?.contains(message) == true, "\(error.map { "\($0)" } ?? "")")
    }
}
