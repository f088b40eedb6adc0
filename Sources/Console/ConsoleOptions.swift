// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ControlAPI
import Glibc

/// How results are shown.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case table
    case json
}

/// `--output`, shared by every command.
struct OutputOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: ArgumentHelp("table for people, json for programs.", valueName: "format"))
    var output: OutputFormat = .table

    /// Prints a value as JSON or as the lines made for people.
    func show<Value: Encodable>(_ value: Value, _ lines: (Value) -> [String]) throws {
        switch output {
        case .json: printLine(String(decoding: try APICoding.encode(value, pretty: true), as: UTF8.self))
        // A line break inside a line came with somebody's text: it must not make a line of its own.
        case .table: lines(value).forEach { printLine($0.forTerminal) }
        }
    }
}

/// `--socket`, shared by every command that asks the agent.
struct AgentOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The agent's API socket (or the variable BULKHEAD_SOCKET).", valueName: "path"))
    var socket: String?

    @OptionGroup var output: OutputOptions

    var client: ControlClient { ControlClient(transport: SocketTransport(path: socketPath)) }

    /// True if the user said which agent to ask: another answer than that one's would mislead.
    var isSocketNamed: Bool { socket != nil || environment("BULKHEAD_SOCKET") != nil }

    var socketPath: String { socket ?? environment("BULKHEAD_SOCKET") ?? defaultSocketPath }
}

/// Where the agent listens unless told otherwise.
let defaultSocketPath = "/run/bulkhead/bulkhead.sock"

/// The value of an environment variable.
func environment(_ name: String) -> String? {
    guard let value = unsafe getenv(name) else { return nil }
    return unsafe String(cString: value)
}

/// Writes a line at once, so that a reader behind a pipe sees it; ends quietly when that reader has gone.
func printLine(_ line: String) {
    var bytes = Array(line.utf8)
    bytes.append(0x0a)
    var written = 0
    while written < bytes.count {
        let count = unsafe bytes.withUnsafeBytes { buffer in
            unsafe write(STDOUT_FILENO, buffer.baseAddress?.advanced(by: written), bytes.count - written)
        }
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { exit(count < 0 && errno == EPIPE ? 0 : ConsoleStatus.failed.rawValue) }
        written += count
    }
}

/// Writes a line, or several, to standard error.
func printError(_ line: String) {
    let bytes = Array((line.linesForTerminal.joined(separator: "\n") + "\n").utf8)
    _ = unsafe bytes.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
}

/// Columns of the terminal that standard output is; nil if it is none.
var terminalWidth: Int? {
    guard isatty(STDOUT_FILENO) == 1 else { return nil }
    if let columns = environment("COLUMNS").flatMap({ Int($0) }), columns > 0 { return columns }
    var size = winsize()
    guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
}

/// True if people watch: colours then, unless NO_COLOR is set.
var isInteractive: Bool { isatty(STDOUT_FILENO) == 1 && environment("NO_COLOR") == nil }
