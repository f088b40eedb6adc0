// SPDX-License-Identifier: Apache-2.0

import CNIHost
import Glibc
import LinuxHost
import Testing

@Suite struct PluginFileTests {
    private let scratch: ScratchDirectory
    private var source: String { "\(scratch.path)/source" }
    private var target: String { "\(scratch.path)/bulkhead-cni" }

    init() throws { scratch = try ScratchDirectory() }

    private func mode() -> mode_t {
        var status = stat()
        unsafe stat(target, &status)
        return status.st_mode & 0o7777
    }

    @Test func `the plugin is copied where it is not, or is another`() throws {
        try AtomicFile.write([1, 2, 3], to: source)
        #expect(try PluginFile.copy(source, into: scratch.path))
        #expect(try readRegularFile(target, bytesMax: 9) == [1, 2, 3])
        #expect(mode() & 0o700 == 0o700)
        #expect(try !PluginFile.copy(source, into: scratch.path))
        try AtomicFile.write([4], to: source)
        #expect(try PluginFile.copy(source, into: scratch.path))
        #expect(try readRegularFile(target, bytesMax: 9) == [4])
        #expect(try directoryEntries(scratch.path).sorted() == ["bulkhead-cni", "source"])
    }

    @Test func `what cannot be copied leaves what was there`() throws {
        try AtomicFile.write([1], to: target)
        #expect(throws: HostError.self) { try PluginFile.copy("\(scratch.path)/none", into: scratch.path) }
        #expect(throws: HostError.self) { try PluginFile.copy(target, into: "\(scratch.path)/none") }
        #expect(try readRegularFile(target, bytesMax: 9) == [1])
    }
}
