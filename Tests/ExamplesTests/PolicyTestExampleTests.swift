// SPDX-License-Identifier: Apache-2.0

import Foundation
import PolicyModel
import PolicyReading
import PolicyTesting
import Testing

/// The expectations beside the example policies hold, and no example is without any.
@Suite struct PolicyTestExampleTests {
    private static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    private static let folder = repository.appendingPathComponent("Examples/policies")
    private static let testFolder = repository.appendingPathComponent("Examples/policies/tests")

    private static func files(_ folder: URL) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".yaml") }.sorted()
    }

    private static func tests(in name: String) throws -> [PolicyTest] {
        let bytes = try [UInt8](Data(contentsOf: testFolder.appendingPathComponent(name)))
        let set = PolicyTestReader().read(bytes: bytes, file: name)
        #expect(set.diagnostics.map(\.description) == [])
        return set.tests
    }

    @Test(arguments: try files(testFolder))
    func `every probe of the examples is as expected`(name: String) throws {
        let runner = PolicyTestRunner { path, _ in
            try [UInt8](Data(contentsOf: Self.testFolder.appendingPathComponent(path)))
        }
        let tests = try Self.tests(in: name)
        #expect(!tests.isEmpty)
        for test in tests {
            let outcomes = try runner.run(test).outcomes
            #expect(!outcomes.isEmpty)
            #expect(outcomes.compactMap { outcome in outcome.failure.map { "\(outcome.probe.text): \($0)" } } == [])
        }
    }

    @Test func `every example policy has a test`() throws {
        let named = try Self.files(Self.testFolder).flatMap(Self.tests).flatMap(\.policies)
            .compactMap { source -> String? in
                guard case .file(let path, _) = source else { return nil }
                return path
            }
        let missing = try Self.files(Self.folder).filter { !named.contains("../\($0)") }
        #expect(missing == [])
    }
}
