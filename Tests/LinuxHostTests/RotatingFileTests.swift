// SPDX-License-Identifier: Apache-2.0

import Foundation
import LinuxHost
import Testing

@Suite struct RotatingFileTests {
    private func inDirectory(_ body: (String) throws -> Void) throws {
        let path = NSTemporaryDirectory() + "/rotating-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    private func text(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }

    private func lines(_ texts: String...) -> [[UInt8]] { texts.map { Array("\($0)\n".utf8) } }

    @Test func `files stay below their size, and the last ones go`() throws {
        try inDirectory { directory in
            let file = RotatingFile(path: "\(directory)/log", bytesMax: 6, filesMax: 3)
            #expect(file.append(lines("aa", "bb", "cc")).written == 3)
            #expect(text("\(directory)/log") == "cc\n" && text("\(directory)/log.1") == "aa\nbb\n")
            #expect(file.append(lines("dd", "ee", "ff", "gg")).problem == nil)
            #expect(text("\(directory)/log") == "gg\n" && text("\(directory)/log.1") == "ee\nff\n")
            #expect(text("\(directory)/log.2") == "cc\ndd\n")
            #expect(text("\(directory)/log.3") == nil, "three files and no more")
        }
    }

    @Test func `a line that is longer than a file is a file, and one file alone begins anew`() throws {
        try inDirectory { directory in
            let file = RotatingFile(path: "\(directory)/log", bytesMax: 4, filesMax: 1)
            #expect(file.append(lines("a", "a long line", "b")).written == 3)
            #expect(text("\(directory)/log") == "b\n")
        }
    }

    @Test func `somebody else may take the file away`() throws {
        try inDirectory { directory in
            let file = RotatingFile(path: "\(directory)/log", bytesMax: 100, filesMax: 2)
            _ = file.append(lines("a"))
            try FileManager.default.moveItem(atPath: "\(directory)/log", toPath: "\(directory)/taken")
            #expect(file.append(lines("b")).written == 1 && text("\(directory)/log") == "b\n")
        }
    }

    @Test func `what cannot be written is said, with how much was`() throws {
        try inDirectory { directory in
            let nowhere = RotatingFile(path: "\(directory)/none/log", bytesMax: 100, filesMax: 2).append(lines("a"))
            #expect(nowhere.written == 0 && nowhere.problem?.remedy == "make its directory")
            try FileManager.default.createSymbolicLink(
                atPath: "\(directory)/link", withDestinationPath: "\(directory)/target")
            let link = RotatingFile(path: "\(directory)/link", bytesMax: 100, filesMax: 2).append(lines("a"))
            #expect(link.written == 0 && link.problem != nil && text("\(directory)/target") == nil)
        }
    }
}
