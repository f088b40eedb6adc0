// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import LinuxHost

/// Directories stand in for cgroups.
@Suite struct CgroupTreeTests {
    private func withTree(_ paths: [String], _ body: (CgroupTree) async throws -> Void) async throws {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("cgroups-\(UUID().uuidString)")
        for path in paths {
            try FileManager.default.createDirectory(
                at: root.appendingPathComponent(path), withIntermediateDirectories: true)
        }
        defer { try? FileManager.default.removeItem(at: root) }
        try await body(CgroupTree(root: root.path))
    }

    @Test func `units are found in slices, but not in those of users`() async throws {
        let paths = [
            "init.scope", "system.slice/web.service/worker", "system.slice/system-db.slice/db@1.service",
            "user.slice/user-1000.slice/user@1000.service/web.service", "elsewhere/web.service", "loose.service",
        ]
        try await withTree(paths) { tree in
            let (directories, units) = tree.units()
            #expect(
                units.map(\.path) == [
                    "/init.scope", "/system.slice", "/system.slice/system-db.slice",
                    "/system.slice/system-db.slice/db@1.service", "/system.slice/web.service",
                ])
            #expect(units.map(\.level) == [1, 1, 2, 3, 2])
            #expect(
                Set(directories) == [
                    tree.root, "\(tree.root)/system.slice", "\(tree.root)/system.slice/system-db.slice",
                ])
        }
    }

    @Test func `a cgroup has the number of its directory, and none if it is not there`() async throws {
        try await withTree(["a/b"]) { tree in
            let found = try #require(tree.cgroup(at: "/a//b"))
            #expect(found.path == "/a/b" && found.level == 2 && found.name == "b")
            #expect(tree.cgroup(at: "/a/c") == nil)
            #expect(tree.directories(around: "/a/b/c") == [tree.root, "\(tree.root)/a", "\(tree.root)/a/b"])
            #expect(tree.directories(around: "/x/y") == [tree.root])
        }
    }

    @Test func `what comes and goes is told`() async throws {
        try await withTree(["a"]) { tree in
            let watcher = try TreeWatcher()
            let changes = try watcher.changes()
            #expect(watcher.watch(["\(tree.root)/a", "\(tree.root)/missing"]))
            #expect(!watcher.watch(["\(tree.root)/a", "\(tree.root)/missing"]), "nothing was added")
            try FileManager.default.createDirectory(atPath: "\(tree.root)/a/new", withIntermediateDirectories: false)
            var iterator = changes.makeAsyncIterator()
            #expect(await iterator.next() != nil)
            try FileManager.default.removeItem(atPath: "\(tree.root)/a/new")
            #expect(await iterator.next() != nil)
        }
    }
}
