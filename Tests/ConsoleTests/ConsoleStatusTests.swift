// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ControlAPI
import Testing

@testable import Console

@Suite struct ConsoleStatusTests {
    private static let commandLines: [(arguments: String, status: Int32)] = [
        ("frobnicate", 2), ("explain", 2), ("explain --from a --to b --port 70000", 2),
        ("explain --from a --to b --family 5", 2), ("map dump nothing", 2),
        ("audit maybe", 2), ("--help", 0), ("--version", 0), ("completions bash", 0), ("completions tcsh", 2),
        ("status --socket /nonexistent/bulkhead.sock", 3), ("policy apply -f /nonexistent/x.yaml", 4),
        ("policy test /nonexistent/x.yaml", 2), ("policy test", 2),
        ("policy validate Examples/policies/default-deny.yaml", 0), ("policy validate /nonexistent/x.yaml", 1),
        ("policy validate README.md", 1), ("policy validate", 2), ("policy compile --offline", 2),
        ("policy compile --offline -f Examples/policies/default-deny.yaml", 0),
        ("policy compile --offline -f README.md", 4), ("policy compile --socket /nonexistent/s -f README.md", 3),
        ("policy diff -f Examples/shop/db.yaml -f Examples/shop/db.yaml", 0),
        ("policy diff -f Examples/shop/db.yaml -f Examples/shop/api.yaml", 1),
        ("policy diff -f Examples/shop/db.yaml --socket /nonexistent/s", 3),
        ("policy diff -f Examples/shop/db.yaml -f Examples/policies/cilium-host-firewall.yaml", 1),
        ("", 0), ("policy", 0), ("map", 0), ("help policy diff", 0), ("help", 0),
        ("help frob", 2), ("help policy frob", 2), ("help status frob", 2), ("help cleanup", 0), ("endpoint get", 2),
        ("status -o xml", 2),
        ("observe --direction sideways", 2), ("observe --verdict maybe", 2), ("observe --last=-3", 2),
        ("map dump policy --limit=-1", 2), ("explain --from a --to b --socket /nonexistent/s", 3),
        ("policy apply -f Examples --socket /nonexistent/s", 4),
        ("detach --bpffs /nonexistent/pins --socket /nonexistent/s", 0),
        ("policy diff -f a -f b -f c", 2), ("policy diff -f a --workload app=x", 2),
        ("policy compile -f Examples/shop/db.yaml --workload =x", 2),
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

    @Test func `a socket that may not be opened is a missing right, not a missing agent`() {
        #expect(ConsoleFailure(ControlClientError.forbidden("x")).status == .refused)
        #expect(ConsoleFailure(ControlClientError.unreachable("x")).status == .unreachable)
        #expect(ControlClientError.forbidden("x").isWithoutAgent && !ControlClientError.unreadable("x").isWithoutAgent)
    }

    @Test func `a line break in a name that was typed makes no line of its own`() {
        let unknown = ConsoleFailure(APIError(.notFound, "no endpoint \"a\nb\u{1b}[31m\": see the list"))
        #expect(unknown.message == "no endpoint \"a\\u{a}b\\u{1b}[31m\": see the list")
        let finding = DiagnosticRecord(
            severity: "error", code: "BH1003", file: "a", line: 1, column: 2, message: "m", excerpt: nil, remedy: nil)
        let invalid = ConsoleFailure(APIError(.invalidPolicy, "refused", diagnostics: [finding, finding]))
        #expect(invalid.message.split(separator: "\n").count == 3, "findings are lines: \(invalid.message)")
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
