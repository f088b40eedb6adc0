// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import IdentityModel
import KernelDatapath
import NetworkModel
import Testing

@testable import AgentCore

/// What takes the kernel a while, and what need not wait for it.
@Suite struct EndpointStepTests {
    private struct Bench {
        let datapath = InMemoryDatapath()
        let state: AgentState

        init(_ scratch: Scratch) async throws {
            state = try await AgentState.adopted(in: "\(scratch.path)/agent", datapath, awaiting: ["test"])
        }

        /// Names workloads: the value of a label by the index of the interface.
        ///
        /// A network plugin has just told of them.
        func report(_ labels: [UInt32: String]) async {
            for index in labels.keys { await state.noteFresh(index) }
            let workloads = labels.map { index, value in
                Workload(
                    key: "test:w\(index)", name: "w\(index)", source: "test",
                    labels: LabelSet([Label(source: LabelSource.container, key: "n", value: value)]),
                    addresses: [IPAddress(v4: 0x0a01_0000 + index)],
                    interfaces: [.init(name: "veth\(index)", index: index)])
            }
            await state.update(source: "test", workloads: workloads, state: "ok", location: "")
            await state.settle()
        }

        /// As if nothing had been attached for a while.
        func pass(_ seconds: Int) async {
            await state.settleEndpoints(now: .now + .seconds(seconds))
            await state.settle()
        }

        var settled: [String] { datapath.withContent { $0.calls.filter { $0.hasPrefix("settle") } } }
    }

    @Test func `links take the place of filters, one at a time, when nothing was attached for a while`() async throws {
        let scratch = try Scratch()
        let bench = try await Bench(scratch)
        await bench.report([7: "a", 8: "b"])
        #expect(await bench.state.attachments == [7: .clsact, 8: .clsact])
        await bench.pass(2)
        #expect(bench.settled.isEmpty)
        await bench.pass(10)
        #expect(bench.settled == ["settle 7"])
        await bench.pass(10)
        #expect(bench.settled == ["settle 7", "settle 8"])
        #expect(await bench.state.attachments == [7: .tcx, 8: .tcx])
        await bench.pass(10)
        #expect(bench.settled.count == 2)
    }

    @Test func `an interface that was there before gets links at once`() async throws {
        let scratch = try Scratch()
        let bench = try await Bench(scratch)
        await bench.report([7: "a"])
        #expect(await bench.state.freshInterfaces.isEmpty)
        await bench.pass(10)
        await bench.report([7: "other"])
        #expect(await bench.state.attachments == [7: .tcx])
        let workload = Workload(
            key: "test:w9", name: "w9", source: "test", labels: LabelSet([]), addresses: [],
            interfaces: [.init(name: "veth9", index: 9)])
        await bench.state.update(source: "test", workloads: [workload], state: "ok", location: "")
        await bench.state.settle()
        #expect(await bench.state.attachments == [9: .tcx])
    }

    @Test func `where the kernel refuses links the filters stay, and nothing is wrong`() async throws {
        let scratch = try Scratch()
        let bench = try await Bench(scratch)
        await bench.report([7: "a", 8: "b"])
        bench.datapath.withContent { $0.nextError = .incomplete }
        await bench.pass(10)
        await bench.pass(10)
        await bench.pass(10)
        #expect(bench.settled == ["settle 7", "settle 8"], "the refused one is not tried again")
        #expect(await bench.state.attachments == [7: .clsact, 8: .tcx])
        #expect(await bench.state.endpointFailures.isEmpty)
    }

    @Test func `what goes while its links come is detached after them`() async throws {
        let scratch = try Scratch()
        let bench = try await Bench(scratch)
        await bench.report([7: "a"])
        bench.datapath.withContent { $0.areProgramsHeld = true }
        await bench.state.settleEndpoints(now: .now + .seconds(10))
        await bench.state.update(source: "test", workloads: [], state: "ok", location: "")
        bench.datapath.withContent { $0.areProgramsHeld = false }
        await bench.state.settle()
        #expect(bench.datapath.withContent { $0.calls.suffix(2) } == ["settle 7", "detach 7"])
        #expect(await bench.state.attachments.isEmpty)
        #expect(bench.datapath.withContent { $0.interim.isEmpty })
    }

    @Test func `who comes waits for no packet; a policy and a move to another subject do`() async throws {
        let scratch = try Scratch()
        let bench = try await Bench(scratch)
        var ahead = bench.datapath.withContent { $0.commitsAhead }
        func expectAhead(_ isAhead: Bool, _ comment: Comment) {
            let now = bench.datapath.withContent { $0.commitsAhead }
            #expect(now - ahead == (isAhead ? 1 : 0), comment)
            ahead = now
        }
        await bench.report([7: "a"])
        expectAhead(true, "comes")
        await bench.report([7: "a", 8: "b"])
        expectAhead(true, "another one comes")
        await bench.report([7: "other", 8: "b"])
        expectAhead(false, "is judged by another subject")
        await bench.report([8: "b"])
        expectAhead(true, "goes")
        _ = try await bench.state.applyPolicies(
            PolicyDocument(name: "p.yaml", text: Array(databasePolicy("p", port: 5432).utf8)), options: ChangeOptions())
        expectAhead(false, "a policy")
    }
}
