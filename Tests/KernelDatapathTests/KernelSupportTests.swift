// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import KernelDatapath
import KernelTesting
import Testing

extension DatapathKernelTests {
    @Suite struct KernelSupportTests {
        @Test func `each feature is either there or missing with a reason and a cost`() {
            let support = KernelSupport.probe { $0 == .tcx || $0 == .membarrier ? "no \($0.rawValue)" : nil }
            #expect(support.gaps.map(\.feature) == ["tcx", "membarrier"])
            #expect(support.gaps.map(\.reason) == ["no tcx", "no membarrier"])
            #expect(support.gaps.map(\.cost) == [KernelFeature.tcx.cost, KernelFeature.membarrier.cost])
            #expect(support.available.count == KernelFeature.allCases.count - 2)
        }

        /// A kernel that runs these tests has everything without which the agent does not start.
        @Test func `this kernel answers every probe`() {
            let support = KernelSupport.probe()
            #expect(support.available.count + support.gaps.count == KernelFeature.allCases.count)
            for needed in ["capabilities", "bpf-file-system", "ring-buffer", "memory-mapped-arrays"] {
                #expect(support.available.contains(needed))
            }
        }

        @Test(arguments: [AttachmentKind.tcx, .clsact])
        func `what a datapath says of tcx is how it attaches`(kind: AttachmentKind) async throws {
            try await Workbench.run { bench in
                let support = try bench.datapath(attachment: kind).kernelSupport()
                #expect(support.available.contains("tcx") == (kind == .tcx))
                #expect(
                    support.gaps.first { $0.feature == "tcx" }?.reason == (kind == .tcx ? nil : "clsact was asked for"))
            }
        }

        @Test(arguments: [AttachmentKind.tcx, .clsact])
        func `removal without an agent counts the interfaces it frees`(kind: AttachmentKind) async throws {
            try await Workbench.run { bench in
                do {
                    let datapath = try bench.datapath(attachment: kind)
                    try datapath.attach(bench.endpoint())
                }
                #expect(try Datapath.remove(directory: bench.directory) == 1)
                #expect(try Datapath.remove(directory: bench.directory) == nil)
            }
        }
    }
}
