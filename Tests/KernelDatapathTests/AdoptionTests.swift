// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import Glibc
import IdentityModel
import KernelDatapath
import KernelTesting
import NetworkModel
import PolicyCompiler
import Testing

extension DatapathKernelTests {
    @Suite struct AdoptionTests {
        @Test(arguments: [AttachmentKind.tcx, .clsact])
        func `enforcement goes on without the agent, and the next one takes over`(kind: AttachmentKind) async throws {
            try await Workbench.run { bench in
                let generation: UInt32
                do {
                    let datapath = try bench.datapath(attachment: kind)
                    #expect(!datapath.status().isAdopted)
                    try datapath.attach(bench.endpoint())
                    generation = try datapath.replace(with: .closed).generation
                }
                #expect(!bench.canPing(), "no agent runs")
                let datapath = try bench.datapath(attachment: kind)
                let status = datapath.status()
                #expect(status.isAdopted && status.isReady && status.generation == generation)
                #expect(datapath.endpoints() == [bench.endpoint()])
                #expect(!bench.canPing(), "taken over, nothing written yet")
                #expect(try datapath.replace(with: .open).generation == generation + 1)
                #expect(bench.canPing())
                try datapath.detach(interface: bench.endpoint().interface)
            }
        }

        @Test func `only one process holds the pins`() async throws {
            try await Workbench.run { bench in
                let first = try bench.datapath()
                do throws(DatapathError) {
                    _ = try Datapath(directory: bench.directory, sizes: .small)
                    Issue.record("a second agent took the directory")
                } catch {
                    guard case .inUse = error else { throw error }
                }
                #expect(throws: DatapathError.self) { try Datapath.remove(directory: bench.directory) }
                _ = first.status()
            }
        }

        @Test func `a start that stopped half-way is completed`() async throws {
            try await Workbench.run { bench in
                do { _ = try bench.datapath() }
                for name in ["metrics_map", "subject_map", "event_rings_map"] {
                    #expect(try unpin("\(bench.directory.path)/maps/\(name)"))
                }
                let datapath = try bench.datapath()
                try datapath.attach(bench.endpoint())
                try datapath.replace(with: .open)
                #expect(bench.canPing())
            }
        }

        @Test func `garbage in the bank that nobody reads does no harm`() async throws {
            try await Workbench.run { bench in
                do {
                    let datapath = try bench.datapath()
                    try datapath.attach(bench.endpoint())
                    try datapath.replace(with: .open)
                }
                try bench.scribbleOverInactiveBank()
                let datapath = try bench.datapath()
                try datapath.replace(with: .open)
                #expect(bench.canPing())
                _ = try datapath.commit(MapState.open.changes(to: .closed))
                #expect(!bench.canPing())
                _ = try datapath.commit(MapState.closed.changes(to: .open))
                #expect(bench.canPing())
            }
        }

        @Test func `an endpoint whose device is gone is forgotten, and said so`() async throws {
            try await Workbench.run { bench in
                do {
                    let datapath = try bench.datapath()
                    try datapath.attach(bench.endpoint())
                }
                try shell("ip link del bhkd-w")
                let datapath = try bench.datapath()
                #expect(datapath.endpoints().isEmpty)
                #expect(datapath.status().notes.contains { $0.contains("is gone") })
            }
        }

        @Test func `what an agent of another version left is taken away`() async throws {
            try await Workbench.run { bench in
                do {
                    let datapath = try bench.datapath()
                    try datapath.replace(with: .closed)
                    try datapath.attach(bench.endpoint())
                }
                #expect(!bench.canPing())
                try shell("mv \(bench.directory.path) \(bench.root)/v0")
                let datapath = try bench.datapath()
                #expect(bench.canPing() && datapath.endpoints().isEmpty)
                try shell("test ! -e \(bench.root)/v0")
            }
        }

        @Test func `sizes of tables in use are kept, and said so`() async throws {
            try await Workbench.run { bench in
                do { _ = try bench.datapath() }
                var larger = DatapathSizes.small
                larger.conntrackEntries = 8192
                let status = try bench.datapath(sizes: larger).status(), notes = status.keptSizes
                #expect(status.conntrackCapacity == 4096)
                #expect(notes.count == 1 && notes[0].contains("conntrack_map keeps its size of 4096"), "\(notes)")
            }
        }

        @Test func `a pinned map of another layout is refused with a remedy`() async throws {
            try await Workbench.run { bench in
                do { _ = try bench.datapath() }
                let maps = "\(bench.directory.path)/maps"
                try shell(
                    "rm \(maps)/metrics_map && cp -l \(maps)/config_map \(maps)/metrics_map 2>/dev/null || "
                        + "bpftool map create \(maps)/metrics_map type array key 4 value 8 entries 1 name other")
                do throws(DatapathError) {
                    _ = try Datapath(directory: bench.directory, sizes: .small)
                    Issue.record("adopted a map of another layout")
                } catch {
                    #expect(error.description.contains("run `bulkhead detach`"), "\(error)")
                }
            }
        }

        @Test(arguments: [AttachmentKind.tcx, .clsact])
        func `cleanup leaves the host as it was`(kind: AttachmentKind) async throws {
            try await Workbench.run { bench in
                do {
                    let datapath = try bench.datapath(attachment: kind)
                    try datapath.attach(bench.endpoint())
                    try datapath.replace(with: .closed)
                }
                #expect(!bench.canPing())
                #expect(try Datapath.remove(directory: bench.directory) == 1)
                #expect(bench.canPing())
                #expect(try Datapath.remove(directory: bench.directory) == nil)
                try shell("! test -e \(bench.root)")
                try shell("! tc qdisc show dev bhkd-w | grep -q clsact")
            }
        }

        @Test func `two interfaces that share a slot both have their record`() async throws {
            try await Workbench.run { bench in
                let first = bench.endpoint()
                let index = first.interface + 65536
                try shell("ip link add bhkd-x index \(index) type veth peer name bhkd-y")
                let second = DatapathEndpoint(
                    interface: index, number: 2, subject: 4, identity: NumericIdentity(rawValue: 301), addresses: [])
                do {
                    let datapath = try bench.datapath()
                    try datapath.attach(first)
                    try datapath.attach(second)
                }
                let datapath = try bench.datapath()
                #expect(datapath.endpoints() == [first, second])
                try datapath.detach(interface: first.interface)
                try datapath.replace(with: .open)
                #expect(datapath.endpoints() == [second])
            }
        }
    }
}

extension Workbench {
    /// Fills the inactive bank with ones, as a crash in the middle of a commit might leave anything there.
    fileprivate func scribbleOverInactiveBank() throws {
        func open(_ name: String) throws -> MappedArray {
            guard let pinned = try FileDescriptor.pinned(at: "\(directory.path)/maps/\(name)") else {
                throw BPFError(errno: ENOENT, operation: "open \(name)")
            }
            return try MappedArray(pinned, name: name)
        }
        let inactive = 1 - Int(try open("config_map").loadAcquiring(at: 0))
        let chunk = 1 << 20
        let ones = [UInt8](repeating: 0xff, count: chunk)
        for name in ["policy_heads_map", "policy_entries_map", "ipcache_map"] {
            let map = try open(name)
            for start in stride(from: inactive * chunk, to: map.byteCount, by: 2 * chunk) {
                map.write(ones, range: 0..<chunk, base: start)
            }
        }
        let subjects = try open("subject_map")
        let half = subjects.byteCount / 2
        // Epochs too, but not the highest one, after which the counter would begin anew.
        map(subjects, half: half, inactive: inactive)
    }

    private func map(_ subjects: borrowing MappedArray, half: Int, inactive: Int) {
        subjects.write([UInt8](repeating: 0x77, count: half), range: 0..<half, base: inactive * half)
    }
}
