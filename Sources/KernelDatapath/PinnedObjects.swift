// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import Glibc
import KernelPrograms

/// The pins of one build of the kernel programs, as `DatapathLoading` leaves them.
struct PinnedObjects: ~Copyable {
    let directory: PinDirectory
    /// Tells the build: programs of another one are pinned under other names.
    let build: String

    /// Those of this process's own build.
    init(directory: PinDirectory) {
        self.directory = directory
        build = [KernelProgram.endpoint, .service].map { String("\($0.digest)".prefix(8)) }.joined()
    }

    /// Where a program of this build is pinned.
    func path(ofProgram name: String) -> String { directory.program("\(name)-\(build)") }

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

    /// Runs of the programs that are pinned; empty if none was counted.
    func programRuns() throws(BPFError) -> [ProgramRuns] {
        var runs: [ProgramRuns] = []
        for name in PinnedObjects.countedPrograms {
            guard let descriptor = try FileDescriptor.pinned(at: path(ofProgram: name)) else { continue }
            let info = try BPFProgram(descriptor: descriptor, name: name).info()
            runs.append(ProgramRuns(program: name, count: info.runCount, nanoseconds: info.runTimeNanoseconds))
        }
        return runs.contains { $0.count > 0 } ? runs : []
    }

    private static let countedPrograms = [
        "tc_from_endpoint", "tc_to_endpoint", "tc_from_network", "tc_to_network", "cgroup_egress", "cgroup_ingress",
    ]

    private func open(_ path: String) throws(BPFError) -> FileDescriptor {
        guard let descriptor = try FileDescriptor.pinned(at: path) else {
            throw BPFError(
                errno: ENOENT, operation: "open the pin \(path)",
                remedy: "another program removed it; start the agent again")
        }
        return descriptor
    }
}
