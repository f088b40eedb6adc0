// SPDX-License-Identifier: Apache-2.0

import FlowAggregation
import Glibc
import KernelDatapath
import LinuxHost
import Logging
import Testing

@testable import AgentCore

/// A directory that goes with the test.
final class Scratch {
    let path: String

    init() throws {
        var template = Array("/tmp/bulkhead-test-XXXXXX".utf8CString)
        let made = unsafe template.withUnsafeMutableBufferPointer { buffer in
            unsafe buffer.baseAddress.flatMap { unsafe mkdtemp($0) } != nil
        }
        try #require(made)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { Scratch.remove(path) }

    static func removeAll(_ path: String) { remove(path) }

    private static func remove(_ path: String) {
        for name in (try? directoryEntries(path)) ?? [] { remove("\(path)/\(name)") }
        if unsafe rmdir(path) != 0 { unsafe unlink(path) }
    }
}

extension AgentState {
    /// One with its directories below this one, without a word in the log, that has adopted what is there.
    ///
    /// `sources`: those that it waits for.
    static func adopted(
        in directory: String, _ datapath: InMemoryDatapath = InMemoryDatapath(), awaiting sources: [String] = ["test"],
        _ configure: (inout AgentConfiguration) -> Void = { _ in }
    ) async throws -> AgentState {
        var configuration = AgentConfiguration()
        configuration.policyDirectory = "\(directory)/policies"
        configuration.stateDirectory = "\(directory)/state"
        configure(&configuration)
        for path in [directory, configuration.policyDirectory, configuration.stateDirectory] {
            try createDirectory(path)
        }
        let state = try AgentState(
            configuration: configuration, datapath: datapath, aggregator: FlowAggregator(capacity: 8),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        await state.expect(sources: sources)
        await state.adopt()
        return state
    }

    /// Waits until nothing is being attached or detached.
    func settle() async {
        while endpointStep != nil { try? await Task.sleep(for: .milliseconds(1)) }
    }
}
