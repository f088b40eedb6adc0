// SPDX-License-Identifier: Apache-2.0

import ControlAPI

/// Exit codes of `bulkhead`; documented in docs/reference/cli.md and stable.
enum ConsoleStatus: Int32 {
    case success = 0
    /// The answer is no: denied, not valid, differs, not found.
    case negative = 1
    case usage = 2
    /// No agent answers on the socket.
    case unreachable = 3
    /// The agent refuses: invalid input, missing right, protection that `--force` overrides.
    case refused = 4
    /// The change could not be brought into force; the old state stays.
    case failed = 5
}

/// An error with the exit status it ends the program with.
struct ConsoleFailure: Error {
    let status: ConsoleStatus
    /// Empty if everything was printed already.
    let message: String

    /// - Parameters:
    ///   - message: one line: a line break in it came with a name that somebody typed, and is spelled out.
    ///   - details: lines below it.
    init(_ status: ConsoleStatus, _ message: String = "", details: [String] = []) {
        self.status = status
        self.message = ([message.forTerminal] + details).joined(separator: "\n")
    }

    /// Classifies what a client call threw.
    init(_ error: any Error) {
        switch error {
        case let failure as ConsoleFailure: self = failure
        case let fault as DocumentFault:
            self.init(.refused, fault.message + (fault.remedy.map { ": \($0)" } ?? ""))
        case let error as APIError:
            self.init(
                ConsoleFailure.status(of: error.code), error.message, details: error.diagnostics.map(\.text))
        case ControlClientError.unreachable(let text): self.init(.unreachable, text)
        case ControlClientError.forbidden(let text): self.init(.refused, text)
        default: self.init(.failed, "\(error)")
        }
    }

    private static func status(of code: APIError.Code) -> ConsoleStatus {
        switch code {
        case .notFound: .negative
        case .badRequest, .forbidden, .invalidPolicy, .refused: .refused
        case .commitFailed: .failed
        case .unavailable: .unreachable
        }
    }
}
