// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ControlAPI
import Glibc
import KernelDatapath

struct DetachCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "detach",
        abstract: "Take every program off and remove the pins: the host is as it was before.",
        discussion: """
            A running agent does this and ends. Without one it is done directly, which needs root. Workloads are \
            unprotected until an agent runs again.
            """,
        aliases: ["cleanup"])

    @Option(help: ArgumentHelp("Directory of the pins, if no agent answers.", valueName: "directory"))
    var bpffs: String = PinDirectory.defaultRoot

    @OptionGroup var agent: AgentOptions

    func run() async throws {
        do {
            let report = try await agent.client.detach()
            try await waitForEnd(report.pins)
            try agent.output.show(report) {
                ["\(DetachCommand.count($0)) detached, pins removed, the agent has ended"]
            }
        } catch ControlClientError.unreachable(let reason) {
            let found = try detachDirectly(reason)
            try agent.output.show(DetachReport(interfaces: found ?? 0)) { report in
                guard found != nil else { return ["nothing to detach"] }
                return ["no agent was running; \(DetachCommand.count(report)) detached, pins removed"]
            }
        }
    }

    /// The agent answers first and takes its pins away while it ends.
    private func waitForEnd(_ pins: String?) async throws {
        for _ in 0..<100 {
            try? await Task.sleep(for: .milliseconds(100))
            // Who may not look into the directory believes the agent.
            let isGone = pins.map { unsafe access($0, F_OK) != 0 } ?? true
            if isGone, (try? await agent.client.status()) == nil { return }
        }
        throw ConsoleFailure(
            .failed,
            "the agent took \(pins ?? "its pins") not away within 10 s, so programs may still be in force: its log says why; "
                + "once it has ended, `bulkhead detach` as root takes them off")
    }

    private static func count(_ report: DetachReport) -> String {
        "\(report.interfaces) interface\(report.interfaces == 1 ? "" : "s")"
    }

    /// The number of interfaces; nil if there was nothing.
    private func detachDirectly(_ reason: String) throws -> Int? {
        do throws(DatapathError) {
            return try Datapath.remove(directory: PinDirectory(root: bpffs))
        } catch {
            throw ConsoleFailure(.failed, "\(reason); and without it: \(error)")
        }
    }
}
