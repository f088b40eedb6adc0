// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Glibc
import IdentityAllocation
import LinuxHost
import PolicyCompiler

/// Numbers given out since the files of all numbers were written: one line for each change that gave out some.
///
/// A new policy so costs one short line on disk, however many policies there are.
final class NumberLog {
    /// What one change gave out.
    struct Record: Codable {
        var identities: IdentityAllocator.Snapshot?
        var rules: RuleRegistry.Snapshot?

        var isEmpty: Bool { identities == nil && rules == nil }
    }

    private let path: String
    private(set) var byteCount = 0

    init(path: String) { self.path = path }

    /// Reads every record, oldest first.
    ///
    /// A last line without an end was cut off by a crash before anything relied on it.
    func read() throws(AgentError) -> [Record] {
        let bytes: [UInt8]
        do throws(HostError) {
            bytes = try readFile(path, bytesMax: 256 << 20)
        } catch {
            guard error.code == ENOENT else { throw AgentError(error.description) }
            return []
        }
        let whole = bytes[..<((bytes.lastIndex(of: UInt8(ascii: "\n")) ?? -1) + 1)]
        // The next record takes the place of what was cut off.
        byteCount = whole.count
        var records: [Record] = []
        for line in whole.split(separator: UInt8(ascii: "\n")) {
            guard let record = try? APICoding.decode(Record.self, from: Array(line)) else {
                throw AgentError(
                    "cannot read \(path): line \(records.count + 1) is damaged; move it away to start with the numbers "
                        + "of the files beside it")
            }
            records.append(record)
        }
        return records
    }

    /// Adds a record and waits until it is on disk; takes back what did not fit.
    func append(_ record: Record) throws(AgentError) {
        do {
            let line = try APICoding.encode(record) + [UInt8(ascii: "\n")]
            try AtomicFile.append(line, to: path, at: byteCount)
            byteCount += line.count
        } catch {
            throw AgentError("\(error)")
        }
    }

    /// Forgets everything: the files of all numbers are up to date.
    func clear() {
        unsafe unlink(path)
        byteCount = 0
    }
}
