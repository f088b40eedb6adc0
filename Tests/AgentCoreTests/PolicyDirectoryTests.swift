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

    @Test mutating func `a policy that another file has refuses the whole file, until the other one gives it up`()
        throws
    {
        try write(Self.text("a", app: "second"), to: "2.yaml")
        #expect(touched(by: "2.yaml") == ["a"])
        try write(Self.text("a", "x", app: "first"), to: "1.yaml")
        #expect(touched(by: "1.yaml") == [], "who has it keeps it, wherever its file sorts")
        #expect(subject(of: "a")?.contains("second") == true && subject(of: "x") == nil)
        let problem = try #require(directory.problems["\(scratch.path)/1.yaml"])
        #expect(problem.contains("defined twice") && problem.contains("2.yaml"))
        // A file with good content keeps that, the duplicate and everything else that is new stay out.
        try write(Self.text("c"), to: "3.yaml")
        #expect(touched(by: "3.yaml") == ["c"])
        try write(Self.text("a", "c", app: "third"), to: "3.yaml")
        #expect(touched(by: "3.yaml") == [])
        #expect(subject(of: "c")?.contains("db") == true && directory.problems.count == 2)
        remove("2.yaml")
        #expect(touched(by: "2.yaml") == ["a", "x"])
        #expect(subject(of: "a")?.contains("first") == true)
        #expect(directory.problems.keys.map { $0.hasSuffix("3.yaml") } == [true])
        // What is refused may go without anybody noticing; what it held goes with it.
        remove("3.yaml")
        #expect(touched(by: "3.yaml") == ["c"])
        #expect(directory.problems.isEmpty && directory.count == 2)
    }

    @Test mutating func `of two files that are new at once the one that sorts first is taken`() throws {
        try write(Self.text("a", "b", app: "second"), to: "2.yaml")
        try write(Self.text("a", app: "first"), to: "1.yaml")
        #expect(directory.refreshAll().map(\.name) == ["a"])
        #expect(subject(of: "a")?.contains("first") == true)
        #expect(directory.problems.keys.map { $0.hasSuffix("2.yaml") } == [true])
    }

    @Test mutating func `two files may swap their policies, at once or one after the other`() throws {
        try write(Self.text("a"), to: "1.yaml")
        try write(Self.text("b"), to: "2.yaml")
        _ = directory.refreshAll()
        try write(Self.text("b", app: "one"), to: "1.yaml")
        try write(Self.text("a", app: "two"), to: "2.yaml")
        #expect(touched(by: "1.yaml", "2.yaml") == ["a", "b"])
        #expect(directory.problems.isEmpty && subject(of: "a")?.contains("two") == true)
        try write(Self.text("a"), to: "1.yaml")
        #expect(touched(by: "1.yaml") == [] && directory.problems.count == 1)
        try write(Self.text("b"), to: "2.yaml")
        #expect(touched(by: "2.yaml") == ["a", "b"])
        #expect(directory.problems.isEmpty && directory.count == 2)
    }

    @Test mutating func `a refused file keeps its policies, which may refuse another file`() throws {
        for name in ["a", "b", "c"] { try write(Self.text(name), to: "\(name).yaml") }
        _ = directory.refreshAll()
        // `b.yaml` takes over a, but `a.yaml` cannot give it up, because `c.yaml` keeps c.
        try write(Self.text("c"), to: "a.yaml")
        try write(Self.text("a", "b"), to: "b.yaml")
        #expect(touched(by: "a.yaml", "b.yaml") == [])
        #expect(directory.count == 3 && directory.problems.count == 2)
        remove("c.yaml")
        #expect(Set(touched(by: "c.yaml")).isSuperset(of: ["a", "c"]))
        #expect(directory.problems.isEmpty && directory.count == 3)
    }

    @Test(arguments: ["", "\n \n"])
    mutating func `a file cut to nothing keeps what it held, and status says how to be rid of it`(_ text: String) throws
    {
        try write(Self.text("a"), to: "1.yaml")
        _ = directory.refreshAll()
        try write(text, to: "1.yaml")
        #expect(touched(by: "1.yaml") == [])
        #expect(directory.count == 1)
        let problem = try #require(directory.problems["\(scratch.path)/1.yaml"])
        #expect(problem.contains("the file is empty") && problem.contains("delete the file"))
        // Comments are meant.
        try write("# nothing for now\n", to: "1.yaml")
        #expect(touched(by: "1.yaml") == ["a"])
        #expect(directory.count == 0 && directory.problems.isEmpty)
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
