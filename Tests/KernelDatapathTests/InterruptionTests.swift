// SPDX-License-Identifier: Apache-2.0
import KernelDatapath
import PolicyCompiler
import Testing

extension DatapathKernelTests {
    /// A commit that breaks off at any point: what is in force is whole, and the next start goes on from there.
    @Suite struct InterruptionTests {
        @Test(arguments: CommitStep.allCases)
        func `a commit that breaks off leaves the old state or the new one whole`(step: CommitStep) async throws {
            try await Workbench.run { bench in
                let isNew = step == .switched || step == .otherBankHalfWritten
                do {
                    let datapath = try bench.datapath()
                    try datapath.attach(bench.endpoint())
                    try datapath.replace(with: .open)
                    datapath.interruptNextCommit(after: step)
                    #expect(throws: DatapathError.self) {
                        try datapath.commit(MapState.open.changes(to: .closed))
                    }
                    #expect(bench.canPing() == !isNew)
                }
                #expect(bench.canPing() == !isNew, "no agent runs")
                let datapath = try bench.datapath()
                #expect(datapath.status().isReady)
                #expect(bench.canPing() == !isNew, "taken over")
                try datapath.replace(with: .open)
                #expect(bench.canPing())
                try datapath.commit(MapState.open.changes(to: .closed))
                #expect(!bench.canPing())
            }
        }

        @Test(arguments: CommitStep.allCases)
        func `a first state that breaks off leaves the workload cut off`(step: CommitStep) async throws {
            try await Workbench.run { bench in
                do {
                    let datapath = try bench.datapath()
                    try datapath.attach(bench.endpoint())
                    datapath.interruptNextCommit(after: step)
                    #expect(throws: DatapathError.self) { try datapath.replace(with: .open) }
                }
                let datapath = try bench.datapath()
                #expect(!datapath.status().isReady)
                #expect(!bench.canPing())
                try datapath.replace(with: .open)
                #expect(bench.canPing())
            }
        }
    }
}
