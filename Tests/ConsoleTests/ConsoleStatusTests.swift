// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ControlAPI
import Testing

@testable import Console

@Suite struct ConsoleStatusTests {
    private static let commandLines: [(arguments: String, status: Int32)] = [
        ("frobnicate", 2), ("explain", 2), ("explain --from a --to b --port 70000", 2), ("map dump nothing", 2),
        ("audit maybe", 2), ("--help", 0), ("--version", 0), ("completions bash", 0), ("completions tcsh", 2),
        ("status --socket /nonexistent/bulkhead.sock", 3), ("policy apply -f /nonexistent/x.yaml", 4),
    ]

    @Test(arguments: commandLines)
    func `a command line ends with its documented status`(arguments: String, status: Int32) async {
        #expect(await runConsole(arguments.split(separator: " ").map(String.init)) == status)
    }

    @Test(arguments: [
        (APIError.Code.notFound, ConsoleStatus.negative), (.forbidden, .refused), (.refused, .refused),
        (.invalidPolicy, .refused), (.badRequest, .refused), (.commitFailed, .failed), (.unavailable, .unreachable),
    ])
    func `every error code of the API has its exit status`(code: APIError.Code, status: ConsoleStatus) {
        #expect(ConsoleFailure(APIError(code, "x")).status == status)
    }

    @Test func `observe passes every filter on and asks for history only without follow`() throws {
        let command = try ObserveCommand.parse([
            "--endpoint", "a", "--endpoint", "b", "--verdict", "deny", "--port", "53", "--cidr", "10.0.0.0/8",
            "--direction", "ingress", "--follow",
        ])
        #expect(command.query.endpoints == ["a", "b"] && command.query.verdicts == ["deny"])
        #expect(command.query.follow && command.query.last == 0)
        #expect(try ObserveCommand.parse([]).query.last == 20)
    }
}
