// SPDX-License-Identifier: Apache-2.0

import KubernetesClient
import Testing

@Suite struct ChangeBacklogTests {
    private let a = ObjectKey(name: "a")
    private let b = ObjectKey(name: "b")
    private let c = ObjectKey(name: "c")

    /// What a consumer knows that takes everything now.
    private func drain(_ backlog: inout ChangeBacklog<Int>, into known: [ObjectKey: Int] = [:]) -> (
        known: [ObjectKey: Int], steps: Int
    ) {
        var (known, steps) = (known, 0)
        while let change = backlog.take() {
            steps += 1
            switch change {
            case .replaced(let all, let keeping):
                known = known.filter { keeping.contains($0.key) }.merging(all) { $1 }
            case .upserted(let key, let value): known[key] = value
            case .removed(let key): known[key] = nil
            case .status: break
            }
        }
        return (known, steps)
    }

    @Test func `what became of an object waits once`() {
        var backlog = ChangeBacklog<Int>()
        for value in 0..<1_000 {
            backlog.put(.upserted(a, value))
            backlog.put(.upserted(b, value))
        }
        backlog.put(.removed(b))
        let (known, steps) = drain(&backlog, into: [b: 7])
        #expect(known == [a: 999] && steps == 2)
    }

    @Test func `a list takes the place of what waits, and takes up what follows`() {
        var backlog = ChangeBacklog<Int>()
        backlog.put(.upserted(c, 1))
        backlog.put(.replaced([a: 1, b: 1], keeping: []))
        backlog.put(.removed(b))
        backlog.put(.upserted(a, 2))
        let (known, steps) = drain(&backlog, into: [c: 0])
        #expect(known == [a: 2] && steps == 1)
    }

    @Test func `what cannot be read stays as it was known, also if that still waits`() {
        var backlog = ChangeBacklog<Int>()
        backlog.put(.upserted(a, 1))
        backlog.put(.removed(b))
        backlog.put(.replaced([c: 1], keeping: [a, b, ObjectKey(name: "d")]))
        #expect(
            drain(&backlog, into: [a: 0, b: 0, ObjectKey(name: "d"): 4]).known == [a: 1, c: 1, ObjectKey(name: "d"): 4])
        backlog.put(.replaced([a: 5, c: 5], keeping: [b]))
        backlog.put(.replaced([:], keeping: [a, b, ObjectKey(name: "d")]))
        #expect(drain(&backlog, into: [a: 1, b: 2, ObjectKey(name: "d"): 4]).known == [a: 5, b: 2])
    }

    @Test func `the last word on how it stands is told, and on what cannot be read`() {
        var backlog = ChangeBacklog<Int>()
        backlog.put(.status(.retrying("one")))
        backlog.put(.status(.unreadable([a: "odd"])))
        backlog.put(.status(.connected))
        var told: [InformerStatus] = []
        while case .status(let status)? = backlog.take() { told.append(status) }
        #expect(told == [.unreadable([a: "odd"]), .connected])
    }

    @Test func `a consumer that is always one behind costs no memory and misses nothing`() {
        var backlog = ChangeBacklog<Int>()
        var known: [ObjectKey: Int] = [:]
        for value in 0..<10_000 {
            backlog.put(.upserted(ObjectKey(name: "\(value % 7)"), value))
            if value % 2 == 0, case .upserted(let key, let value)? = backlog.take() { known[key] = value }
        }
        known = drain(&backlog, into: known).known
        #expect(known.values.sorted() == Array(9_993..<10_000))
    }
}
