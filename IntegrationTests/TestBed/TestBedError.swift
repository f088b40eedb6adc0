// SPDX-License-Identifier: Apache-2.0

/// The test bed could not make, run or see something; fails the test that asked.
package struct TestBedError: Error, CustomStringConvertible {
    /// What went wrong, with command and output where there was one.
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// Waits until `condition` holds, looking every 10 ms.
///
/// - Parameters:
///   - what: the state waited for, for the error text: `the endpoint is listed`.
///   - condition: false, nil-like throw included, means not yet; the last error thrown is quoted if time runs out.
/// - Throws: `TestBedError` when the time is over, `CancellationError` when cancelled.
package func eventually(
    _ what: String, within limit: Duration = .seconds(10), _ condition: () async throws -> Bool
) async throws {
    let clock = ContinuousClock()
    let deadline = clock.now + limit
    var lastError: (any Error)?
    while true {
        do {
            if try await condition() { return }
            lastError = nil
        } catch {
            lastError = error
        }
        guard clock.now < deadline else {
            let cause = lastError.map { ": \($0)" } ?? ""
            throw TestBedError("not within \(limit): \(what)\(cause)")
        }
        try await Task.sleep(for: .milliseconds(10))
    }
}

/// Waits until `value` returns something, looking every 10 ms, and returns it.
package func eventuallySome<Value>(
    _ what: String, within limit: Duration = .seconds(10), _ value: () async throws -> Value?
) async throws -> Value {
    var found: Value?
    try await eventually(what, within: limit) {
        found = try await value()
        return found != nil
    }
    guard let found else { throw TestBedError("not within \(limit): \(what)") }
    return found
}
