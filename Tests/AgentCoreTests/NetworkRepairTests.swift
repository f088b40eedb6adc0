// SPDX-License-Identifier: Apache-2.0

import CNIHost
import CNIPlugin
import KernelDatapath
import LinuxHost
import Logging
import Testing

@testable import AgentCore

@Suite struct NetworkRepairTests {
    private let scratch: Scratch

    init() throws {
        scratch = try Scratch()
        try createDirectory("\(scratch.path)/net.d")
    }

    private var path: String { "\(scratch.path)/net.d/10-podnet.conflist" }

    private static let list = """
        {"cniVersion": "1.0.0", "name": "podnet", "plugins": [{"type": "ptp"}]}
        """

    private func write(_ text: String) throws { try AtomicFile.write(Array(text.utf8), to: path) }

    private func repair() async throws -> (NetworkRepair, AgentState) {
        let state = try await AgentState.adopted(in: "\(scratch.path)/agent", InMemoryDatapath())
        var settings = NetworkRepairSettings()
        settings.directory = "\(scratch.path)/net.d"
        settings.networks = ["podnet"]
        settings.plugin.seconds = 7
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        return (NetworkRepair(settings: settings, state: state, logger: logger), state)
    }

    private var isInstalled: Bool {
        (try? readTextFile(path))?.contains("\"timeout\": 7") == true
    }

    @Test func `one look puts the plugin in, the next leaves it`() async throws {
        try write(Self.list)
        let (repair, _) = try await repair()
        #expect(repair.look().repaired == ["podnet"] && isInstalled)
        #expect(repair.look() == ([], []))
    }

    @Test func `what cannot be repaired is said`() async throws {
        let (repair, _) = try await repair()
        #expect(repair.look().faults.count == 1, "no such network")
        let macvlan = Self.list.replacing("ptp", with: "macvlan")
        try write(macvlan)
        #expect(repair.look().faults.count == 1)
        #expect(try readTextFile(path) == macvlan)
    }

    @Test func `a file that is written anew gets the plugin back`() async throws {
        try write(Self.list)
        let (repair, state) = try await repair()
        let running = Task { try await repair.run() }
        for _ in 0..<2 {
            while !isInstalled { try await Task.sleep(for: .milliseconds(5)) }
            try write(Self.list)
        }
        while !isInstalled { try await Task.sleep(for: .milliseconds(5)) }
        try write("{")
        while await state.problems["network plugin"] == nil { try await Task.sleep(for: .milliseconds(5)) }
        try write(Self.list)
        while !isInstalled { try await Task.sleep(for: .milliseconds(5)) }
        while await state.problems["network plugin"] != nil { try await Task.sleep(for: .milliseconds(5)) }
        running.cancel()
        _ = try? await running.value
    }

    @Test func `the configuration says which networks, and how`() throws {
        var configuration = AgentConfiguration()
        let text = """
            cni:
              directory: /x
              networks: [a, b]
              withoutAgent: open
              workload: attachment
              whenUnknown: closed
              timeout: 3
              labels: {app: web}

            """
        try configuration.read(Array(text.utf8), file: "agent.yaml")
        let repair = configuration.networkRepair
        #expect(repair.directory == "/x" && repair.networks == ["a", "b"])
        #expect(repair.plugin.withoutAgent == .open && repair.plugin.workload == .attachment)
        #expect(repair.plugin.whenUnknown == .closed && repair.plugin.seconds == 3)
        #expect(repair.plugin.labels == ["app": "web"])
        for wrong in ["cni: {withoutAgent: ajar}", "cni: {timeout: 121}", "cni: {network: [a]}"] {
            #expect(throws: (any Error).self) { try configuration.read(Array(wrong.utf8), file: "agent.yaml") }
        }
    }
}
