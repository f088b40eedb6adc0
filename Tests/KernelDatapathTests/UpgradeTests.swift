// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import Glibc
import IdentityModel
import KernelDatapath
import KernelTesting
import PolicyCompiler
import Testing

extension DatapathKernelTests {
    /// What an agent of another version left beside: the same names under another number.
    @Suite struct UpgradeTests {
        /// The number of the version before.
        private static let former = Int(BULKHEAD_ABI_VERSION) - 1

        /// Leaves the workload closed, as an agent of the version before that has ended.
        private func leaveFormer(_ bench: Workbench, _ kind: AttachmentKind) throws {
            do {
                let datapath = try bench.datapath(attachment: kind)
                try datapath.attach(bench.endpoint())
                try datapath.replace(with: .closed)
            }
            try shell("mv \(bench.root)/v\(BULKHEAD_ABI_VERSION) \(bench.root)/v\(Self.former)")
            #expect(!bench.canPing(), "the old programs judge on")
            #expect(try hasPrograms(2, bench))
        }

        /// True if so many programs are on the workload's device: filters of ours, and pinned links of either version.
        private func hasPrograms(_ count: Int, _ bench: Workbench) throws -> Bool {
            let index = bench.endpoint().interface
            var found = 0
            for hook in TrafficHook.allCases {
                if try ClsactFilter.programID(on: index, at: hook) != nil { found += 1 }
                for version in [Self.former, Int(BULKHEAD_ABI_VERSION)] {
                    let path = "\(bench.root)/v\(version)/links/\(index)-\(hook.rawValue)"
                    guard let pinned = try FileDescriptor.pinned(at: path) else { continue }
                    if try TrafficLink(descriptor: pinned).interfaceIndex() == index { found += 1 }
                }
            }
            return found == count
        }

        private func isThere(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

        @Test(arguments: [AttachmentKind.tcx, .clsact])
        func `a start takes away what the version before left, and enforces`(kind: AttachmentKind) async throws {
            try await Workbench.run { bench in
                try leaveFormer(bench, kind)
                let datapath = try bench.datapath(attachment: kind)
                #expect(!isThere("\(bench.root)/v\(Self.former)"))
                #expect(!datapath.status().isAdopted && datapath.endpoints().isEmpty)
                #expect(try hasPrograms(0, bench) && bench.canPing(), "nothing of it judges any more")
                try datapath.attach(bench.endpoint())
                try datapath.replace(with: .open)
                #expect(try bench.canPing() && hasPrograms(2, bench))
                try datapath.commit(MapState.open.changes(to: .closed))
                #expect(!bench.canPing())
            }
        }

        /// A program of the version before may be attached otherwise than this one attaches its own.
        @Test func `what the version before attached by clsact goes where this one attaches by tcx`() async throws {
            try await Workbench.run { bench in
                try leaveFormer(bench, .clsact)
                let datapath = try bench.datapath(attachment: .tcx)
                #expect(try hasPrograms(0, bench))
                try datapath.attach(bench.endpoint())
                try datapath.replace(with: .closed)
                #expect(try !bench.canPing() && hasPrograms(2, bench))
                try datapath.commit(MapState.closed.changes(to: .open))
                #expect(bench.canPing())
            }
        }

        @Test func `endpoint records of another layout do not keep a start from taking the programs off`() async throws
        {
            try await Workbench.run { bench in
                try leaveFormer(bench, .clsact)
                let maps = "\(bench.root)/v\(Self.former)/maps"
                try shell("rm \(maps)/endpoint_map")
                try shell(
                    "bpftool map create \(maps)/endpoint_map type array key 4 value 24 entries 16 name endpoint_map")
                let datapath = try bench.datapath(attachment: .clsact)
                #expect(try hasPrograms(0, bench) && bench.canPing())
                #expect(!isThere("\(bench.root)/v\(Self.former)"))
                try datapath.attach(bench.endpoint())
                try datapath.replace(with: .closed)
                #expect(!bench.canPing())
            }
        }

        @Test(arguments: [AttachmentKind.tcx, .clsact])
        func `detach takes away what several versions left`(kind: AttachmentKind) async throws {
            try await Workbench.run { bench in
                try leaveFormer(bench, kind)
                try shell("mkdir -p \(bench.root)/v1/maps \(bench.root)/v1/programs \(bench.root)/v1/links")
                #expect(try Datapath.remove(directory: bench.directory) == 1)
                #expect(try hasPrograms(0, bench) && bench.canPing())
                #expect(!isThere(bench.root))
                #expect(try Datapath.remove(directory: bench.directory) == nil)
            }
        }
    }
}
