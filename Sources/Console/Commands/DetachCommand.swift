// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ControlAPI

struct DetachCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "detach",
        abstract: "Take every program off and remove the pins: the host is as it was before.",
        discussion: "With an agent: it does this and stops. Without one: done directly, as root.")

    @OptionGroup var agent: AgentOptions

    func run() async throws {
        let report = try await agent.client.detach()
        try agent.output.show(report) { ["\($0.detached) programs detached, \($0.unpinned) pins removed"] }
    }
}
