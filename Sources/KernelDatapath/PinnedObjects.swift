// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import Glibc

/// The pins of one build of the kernel programs, as `DatapathLoading` leaves them.
struct PinnedObjects: ~Copyable {
    let directory: PinDirectory
    /// Of the object's bytes: programs of another build are pinned under other names.
    let fingerprint: String

    /// Where a program of this build is pinned.
    func path(ofProgram name: String) -> String { directory.program("\(name)-\(fingerprint)") }

    /// True if every one of these programs is pinned.
    func holds(programs names: [String]) throws(BPFError) -> Bool {
        for name in names where try FileDescriptor.pinned(at: path(ofProgram: name)) == nil { return false }
        return true
    }

    func program(_ name: String) throws(BPFError) -> BPFProgram {
        try BPFProgram(descriptor: open(path(ofProgram: name)), name: name)
    }

    func map<Key, Value>(_ name: String) throws(BPFError) -> BPFMap<Key, Value> {
        try BPFMap(descriptor: mapDescriptor(name), name: name)
    }

    func mapDescriptor(_ name: String) throws(BPFError) -> FileDescriptor { try open(directory.map(name)) }

    private func open(_ path: String) throws(BPFError) -> FileDescriptor {
        guard let descriptor = try FileDescriptor.pinned(at: path) else {
            throw BPFError(
                errno: ENOENT, operation: "open the pin \(path)",
                remedy: "another program removed it; start the agent again")
        }
        return descriptor
    }
}

/// The 64-bit FNV-1a hash of some bytes, as 16 hexadecimal digits: tells builds apart, and guards against nothing.
func fingerprint(of bytes: [UInt8]) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}
