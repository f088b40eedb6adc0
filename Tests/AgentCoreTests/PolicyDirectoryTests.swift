// SPDX-License-Identifier: Apache-2.0

import Glibc
import PolicyModel
import PolicyReading
import Testing

@testable import AgentCore
@testable import LinuxHost

@Suite struct PolicyDirectoryTests {
    private let scratch: Scratch
    private var directory: PolicyDirectory

    init() throws {
        scratch = try Scratch()
        directory = PolicyDirectory(path: scratch.path, reader: PolicyReader())
    }

    private static func text(_ names: String..., app: String = "db") -> String {
        names.map { name in
            """
            apiVersion: cilium.io/v2
            kind: CiliumNetworkPolicy
            metadata: {name: \(name), namespace: shop}
            spec:
              endpointSelector: {matchLabels: {app: \(app)}}
              ingress: [{fromEntities: [all]}]

            """
        }.joined(separator: "---\n")
    }

    private func write(_ text: String, to name: String) throws {
        try AtomicFile.write(Array(text.utf8), to: "\(scratch.path)/\(name)")
    }

    private func remove(_ name: String) { unsafe unlink("\(scratch.path)/\(name)") }

    /// Names of the policies that a report about these files touches.
    private mutating func touched(by names: String...) -> [String] {
        directory.refresh(DirectoryChange(names: Set(names))).map(\.name).sorted()
    }

    private func subject(of name: String) -> String? {
        let reference = PolicyReference(kind: "CiliumNetworkPolicy", namespace: "shop", name: name)
        return directory[reference].map { "\($0.rules[0].subject)" }
    }

    @Test mutating func `a file that is renamed over touches only what became another policy`() throws {
        try write(Self.text("a", "b"), to: "1.yaml")
        try write(Self.text("c"), to: "2.yaml")
        #expect(directory.refreshAll().count == 3)
        try write(Self.text("a") + "---\n" + Self.text("d") + "---\n" + Self.text("b", app: "other"), to: "1.yaml")
        // `a` is what it was where it was; `b` is another one, `d` is new, `c` was not even read.
        #expect(touched(by: "1.yaml") == ["b", "d"])
        #expect(subject(of: "b")?.contains("other") == true)
        #expect(directory.count == 4)
        #expect(touched(by: "1.yaml") == [])
    }

    @Test mutating func `a deleted file takes its policies along and no others`() throws {
        try write(Self.text("a", "b"), to: "1.yaml")
        try write(Self.text("c"), to: "2.yaml")
        _ = directory.refreshAll()
        remove("1.yaml")
        #expect(touched(by: "1.yaml") == ["a", "b"])
        #expect(directory.references.map(\.name) == ["c"])
        #expect(touched(by: "1.yaml") == [])
    }

    @Test mutating func `of two files with one policy the first counts, and the other takes over when it goes`() throws
    {
        try write(Self.text("a", app: "second"), to: "2.yaml")
        #expect(touched(by: "2.yaml") == ["a"])
        try write(Self.text("a", app: "first"), to: "1.yaml")
        #expect(touched(by: "1.yaml") == ["a"])
        #expect(subject(of: "a")?.contains("first") == true)
        let problem = try #require(directory.problems["\(scratch.path)/2.yaml"])
        #expect(problem.contains("defined twice") && problem.contains("1.yaml"))
        try write(Self.text("a", app: "third"), to: "3.yaml")
        #expect(touched(by: "3.yaml") == [])
        #expect(directory.problems.count == 2)
        remove("1.yaml")
        #expect(touched(by: "1.yaml") == ["a"])
        #expect(subject(of: "a")?.contains("second") == true)
        #expect(directory.problems.keys.map { $0.hasSuffix("3.yaml") } == [true])
        // What does not count may go without anybody noticing.
        remove("3.yaml")
        #expect(touched(by: "3.yaml") == [])
        #expect(directory.problems.isEmpty && directory.count == 1)
    }

    @Test mutating func `a policy that moves from one file to another is never without a definition`() throws {
        try write(Self.text("a", "b"), to: "1.yaml")
        _ = directory.refreshAll()
        try write(Self.text("a"), to: "1.yaml")
        try write(Self.text("b"), to: "0.yaml")
        #expect(touched(by: "0.yaml", "1.yaml") == ["b"])
        #expect(directory.count == 2 && directory.problems.isEmpty)
    }

    @Test mutating func `a bad file keeps what it held, and good again it is compared with that`() throws {
        try write(Self.text("a", "b"), to: "1.yaml")
        _ = directory.refreshAll()
        try write("kind: CiliumNetworkPolicy\nspec: {", to: "1.yaml")
        #expect(touched(by: "1.yaml") == [])
        #expect(directory.count == 2 && directory.problems.count == 1)
        try write(Self.text("a", "b"), to: "1.yaml")
        #expect(touched(by: "1.yaml") == [])
        #expect(directory.problems.isEmpty)
        try write("kind: CiliumNetworkPolicy\nspec: {", to: "1.yaml")
        #expect(touched(by: "1.yaml") == [])
        try write(Self.text("b"), to: "1.yaml")
        #expect(touched(by: "1.yaml") == ["a", "b"], "`b` moved to another line")
        #expect(directory.count == 1)
    }

    @Test mutating func `a directory that is replaced is compared file by file`() throws {
        try write(Self.text("a"), to: "1.yaml")
        try write(Self.text("b"), to: "2.yaml")
        _ = directory.refreshAll()
        #expect(directory.refresh(DirectoryChange(isComplete: false, directoryExists: false)).isEmpty)
        #expect(directory.problems[scratch.path]?.contains("is gone") == true && directory.count == 2)
        remove("1.yaml")
        try write(Self.text("c"), to: "3.yaml")
        let touched = directory.refresh(DirectoryChange(isComplete: false))
        #expect(touched.map(\.name).sorted() == ["a", "c"])
        #expect(directory.problems.isEmpty)
    }

    @Test mutating func `a switched link to the data of a mounted ConfigMap is a change of every file`() throws {
        try write(Self.text("a"), to: "1.yaml")
        _ = directory.refreshAll()
        try write(Self.text("b"), to: "1.yaml")
        #expect(touched(by: "..data") == ["a", "b"])
        #expect(touched(by: ".1.yaml.swp", "notes.txt") == [])
    }
}
