// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import IdentityModel
import NetworkModel
import Testing

@Suite struct SlicePackerTests {
    private static func workload(_ number: UInt32, app: String = "web") -> ClusterWorkload {
        ClusterWorkload(
            node: "n\(number % 7)",
            labels: LabelSet([Label(source: "k8s", key: "app", value: app), Label(source: "k8s", key: "empty")]),
            addresses: [IPAddress(v4: 0x0a00_0000 + number), IPAddress(high: 0xfd00 << 48, low: UInt64(number))],
            namedPorts: NamedPorts([NamedPort(proto: .tcp, name: "http"): [80, 8080]]))
    }

    @Test func `a slice is the same after it was written and read`() throws {
        let slice = WorkloadSlice([
            "shop/a": Self.workload(1), "shop/b": Self.workload(2), "shop/c": Self.workload(3, app: "db"),
        ])
        let record = WorkloadSliceRecord(slice)
        #expect(record.labelSets == [["k8s:app=web", "k8s:empty"], ["k8s:app=db", "k8s:empty"]])
        #expect(record.workloads.map(\.labels) == [0, 0, 1])
        #expect(record.workloads[0].ports == ["tcp/http/80", "tcp/http/8080"])
        #expect(try record.slice() == slice)
    }

    @Test func `a slice with anything wrong in it is no slice`() throws {
        let good = WorkloadSliceRecord(WorkloadSlice(["shop/a": Self.workload(1)]))
        func wrong(_ change: (inout WorkloadSliceRecord) -> Void) -> WorkloadSliceRecord {
            var record = good
            change(&record)
            return record
        }
        let cases = [
            wrong { $0.workloads[0].labels = 1 }, wrong { $0.workloads[0].labels = -1 },
            wrong { $0.workloads[0].addresses = ["10.0.0.300"] }, wrong { $0.workloads[0].ports = ["tcp/http"] },
            wrong { $0.workloads[0].ports = ["tcp/http/99999"] }, wrong { $0.workloads[0].ports = ["odd/http/1"] },
            wrong { $0.labelSets[0][0] = "=x" }, wrong { $0.labelSets[0][0] = String(repeating: "k", count: 2000) },
            wrong { $0.workloads = Array(repeating: good.workloads[0], count: 1001) },
        ]
        for record in cases { #expect(throws: WorkloadSliceError.self) { try record.slice() } }
    }

    /// What a packer holds after random changes is what it was told, in slices that are not too long and say each
    /// workload once; what it wants written leads whoever follows to the same.
    @Test(arguments: 0..<20) func `random changes lead followers to the same workloads`(seed: UInt64) {
        var random = SplitMix(state: seed)
        var packer = SlicePacker(workloadsMax: 5)
        var told: [String: ClusterWorkload] = [:]
        var written: [String: WorkloadSlice] = [:]
        for _ in 0..<200 {
            var changes: [String: ClusterWorkload?] = [:]
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let number = UInt32.random(in: 0..<60, using: &random)
                let app = ["web", "db"].randomElement(using: &random) ?? ""
                changes["shop/p\(number)"] = Bool.random(using: &random) ? .some(nil) : Self.workload(number, app: app)
            }
            for (key, workload) in changes { told[key] = workload }
            packer.apply(changes)
            for (name, slice) in packer.takeChanges() { written[name] = slice }
            #expect(packer.workloads == told)
            #expect(written.values.allSatisfy { !$0.workloads.isEmpty && $0.workloads.count <= 5 })
            let read = written.values.reduce(into: [String: ClusterWorkload]()) {
                $0.merge($1.workloads) { _, new in new }
            }
            #expect(read == told && written.values.reduce(0) { $0 + $1.workloads.count } == told.count)
        }
        // Who takes over writes nothing that stands there, and goes on.
        var successor = SlicePacker(written, workloadsMax: 5)
        successor.replace(with: told)
        #expect(successor.takeChanges().isEmpty)
        successor.replace(with: [:])
        for (name, slice) in successor.takeChanges() { written[name] = slice }
        #expect(written.isEmpty)
    }

    @Test func `a change is written in one slice, and sparse slices run empty`() {
        var packer = SlicePacker()
        packer.replace(
            with: Dictionary(uniqueKeysWithValues: (0..<10_000).map { ("shop/p\($0)", Self.workload(UInt32($0))) }))
        #expect(packer.takeChanges().count == 10)
        packer.apply(["shop/p77": Self.workload(77, app: "db")])
        #expect(packer.takeChanges().count == 1)
        packer.apply(["shop/p78": nil, "shop/new": Self.workload(20_000)])
        #expect(packer.takeChanges().count == 1, "what comes takes the room of what went")
        packer.apply(["shop/p77": Self.workload(77, app: "db")])
        #expect(packer.takeChanges().isEmpty)
    }

    @Test func `a workload that stands in two slices is the first one's`() {
        let written = [
            "workloads-000001": WorkloadSlice(["shop/a": Self.workload(1)]),
            "workloads-000002": WorkloadSlice(["shop/a": Self.workload(2), "shop/b": Self.workload(3)]),
        ]
        var packer = SlicePacker(written)
        #expect(packer.workloads == ["shop/a": Self.workload(1), "shop/b": Self.workload(3)])
        #expect(packer.takeChanges() == ["workloads-000002": WorkloadSlice(["shop/b": Self.workload(3)])])
        packer.apply(["shop/c": Self.workload(4)])
        #expect(packer.takeChanges().keys.sorted() == ["workloads-000001"])
    }
}

private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
