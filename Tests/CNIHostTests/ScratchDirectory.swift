// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxHost
import Testing

/// A directory that goes with the test.
final class ScratchDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/bulkhead-test-XXXXXX".utf8CString)
        let made = unsafe template.withUnsafeMutableBufferPointer { buffer in
            unsafe buffer.baseAddress.flatMap { unsafe mkdtemp($0) } != nil
        }
        try #require(made)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { Self.remove(path) }

    private static func remove(_ path: String) {
        for name in (try? directoryEntries(path)) ?? [] { remove("\(path)/\(name)") }
        if unsafe rmdir(path) != 0 { unsafe unlink(path) }
    }
}
