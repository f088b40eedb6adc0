// SPDX-License-Identifier: Apache-2.0

import CNIPlugin
import Glibc
import LinuxHost
import Testing

@testable import CNIHost

@Suite struct NetworkDirectoryTests {
    private static let list = """
        {"cniVersion": "0.4.0", "name": "podnet", "plugins": [{"type": "bridge"}]}
        """
    private static let single = """
        {"cniVersion": "0.4.0", "name": "old", "type": "ptp"}
        """

    private let scratch: ScratchDirectory
    private var directory: NetworkDirectory { NetworkDirectory(path: scratch.path) }

    init() throws { scratch = try ScratchDirectory() }

    private func write(_ text: String, _ name: String) throws {
        try AtomicFile.write(Array(text.utf8), to: "\(scratch.path)/\(name)")
    }

    private func network(_ name: String) throws -> NetworkDirectory.Network {
        try #require(try directory.networks().first { $0.list?.name == name })
    }

    private func mode(_ name: String) -> mode_t {
        var status = stat()
        unsafe stat("\(scratch.path)/\(name)", &status)
        return status.st_mode & 0o7777
    }

    @Test func `a list is changed in place, with its mode, and back`() throws {
        try write(Self.list, "10-podnet.conflist")
        try #require(unsafe chmod("\(scratch.path)/10-podnet.conflist", 0o640) == 0)
        let before = try network("podnet").list
        #expect(try directory.install(PluginSettings(), in: network("podnet")))
        #expect(try !directory.install(PluginSettings(), in: network("podnet")), "it was so already")
        #expect(try network("podnet").list?.types == ["bridge", "bulkhead-cni"])
        #expect(mode("10-podnet.conflist") == 0o640)
        #expect(try directoryEntries(scratch.path) == ["10-podnet.conflist"])
        #expect(try directory.uninstall(from: network("podnet")))
        #expect(try network("podnet").list == before && mode("10-podnet.conflist") == 0o640)
        #expect(try !directory.uninstall(from: network("podnet")))
    }

    @Test func `a single plugin is kept aside and comes back`() throws {
        try write(Self.single, "20-old.conf")
        #expect(try directory.install(PluginSettings(), in: network("old")))
        #expect(try directoryEntries(scratch.path).sorted() == ["20-old.conf.before-bulkhead", "20-old.conflist"])
        #expect(try network("old").list?.types == ["ptp", "bulkhead-cni"])
        #expect(try directory.uninstall(from: network("old")))
        #expect(try directoryEntries(scratch.path) == ["20-old.conf"])
        #expect(try readTextFile("\(scratch.path)/20-old.conf") == Self.single, "byte for byte")
    }

    @Test func `a list that changed since is not thrown away for what it was made of`() throws {
        try write(Self.single, "20-old.conf")
        #expect(try directory.install(PluginSettings(), in: network("old")))
        let text = String(decoding: try network("old").list?.bytes ?? [], as: UTF8.self)
        try write(text.replacing("\"ptp\"", with: "\"bridge\""), "20-old.conflist")
        #expect(try directory.uninstall(from: network("old")))
        #expect(try network("old").list?.types == ["bridge"])
    }

    @Test func `a list that stands beside the single plugin is not written over`() throws {
        try write(Self.single, "20-old.conf")
        try write(Self.list, "20-old.conflist")
        let found = try network("old")
        #expect(throws: NetworkDirectory.Failure.self) { try directory.install(PluginSettings(), in: found) }
        #expect(try network("podnet").list?.settings == nil)
    }

    @Test func `behind a link the file itself is replaced`() throws {
        let elsewhere = try ScratchDirectory()
        let target = "\(elsewhere.path)/real.conflist"
        try AtomicFile.write(Array(Self.list.utf8), to: target)
        try #require(unsafe symlink(target, "\(scratch.path)/10.conflist") == 0)
        #expect(try directory.install(PluginSettings(), in: network("podnet")))
        #expect(try readTextFile(target).contains("bulkhead-cni"))
        var status = stat()
        #expect(unsafe lstat("\(scratch.path)/10.conflist", &status) == 0 && status.st_mode & S_IFMT == S_IFLNK)
    }

    @Test func `files that cannot be read are listed with their cause and left alone`() throws {
        try write("{", "10-broken.conflist")
        try write(Self.list, "11-fine.conflist")
        try write(Self.list, ".hidden.conflist")
        try write(Self.list, "12.conflist.bak")
        try createDirectory("\(scratch.path)/13.conflist")
        let all = try directory.networks()
        #expect(all.map { $0.list?.name } == [nil, "podnet", nil])
        #expect(throws: NetworkDirectory.Failure.self) { try directory.install(PluginSettings(), in: all[0]) }
        #expect(try readTextFile("\(scratch.path)/10-broken.conflist") == "{")
        #expect(throws: HostError.self) { try NetworkDirectory(path: "\(scratch.path)/none").networks() }
    }
}
