// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import Testing

@Suite struct NumberPoolTests {
    @Test func `an owner that returns finds its number again`() {
        var pool = NumberPool<String>(10...12)
        #expect(pool.assign("a") == 10)
        #expect(pool.assign("b") == 11)
        pool.release("a")
        #expect(pool.assign("c") == 12)
        #expect(pool.assign("a") == 10)
    }

    @Test func `numbers given back are handed on only when none is fresh, the longest unused first`() {
        var pool = NumberPool<String>(10...12)
        for owner in ["a", "b", "c"] { #expect(pool.assign(owner) != nil) }
        #expect(pool.assign("d") == nil)
        pool.release("b")
        pool.release("a")
        #expect(pool.assign("d") == 11)
        #expect(pool.assign("e") == 10)
        #expect(pool.assign("b") == nil)
    }

    @Test func `owners that never return are forgotten, the longest unused first`() {
        var pool = NumberPool<Int>(1...1000, rememberedMax: 3)
        for owner in 1...3 { _ = pool.assign(owner) }
        // Jobs that come and go.
        for owner in 4...500 {
            _ = pool.assign(owner)
            pool.release(owner)
        }
        #expect(pool.snapshot.numbers.count <= 3 + 3)
        #expect(pool.snapshot.numbers[500] != nil && pool.snapshot.numbers[1] == 1)
        #expect(pool.snapshot.nextFresh <= 8)
    }

    @Test func `a cluster has more label sets than sixteen bits`() {
        var pool = NumberPool<Int>(NumericIdentity.workloadRange)
        let numbers = (0..<150_000).compactMap { pool.assign($0) }
        #expect(Set(numbers).count == 150_000)
        #expect(numbers.allSatisfy { !NumericIdentity.localRange.contains($0) })
    }

    @Test func `what was issued is what the snapshot gained, stolen numbers too`() {
        var pool = NumberPool<String>(1...2)
        _ = pool.assign("a")
        #expect(pool.takeIssued() == .init(nextFresh: 2, numbers: ["a": 1]))
        _ = pool.assign("a")
        _ = pool.release("a")
        _ = pool.assign("a")
        #expect(pool.takeIssued() == nil)
        _ = pool.assign("b")
        _ = pool.release("a")
        _ = pool.assign("c")
        #expect(pool.takeIssued() == .init(nextFresh: 3, numbers: ["b": 2, "c": 1]))
    }

    @Test func `a snapshot remembers who had what`() {
        var pool = NumberPool<String>(10...20)
        for owner in ["a", "b", "c"] { #expect(pool.assign(owner) != nil) }
        pool.release("b")
        var restored = NumberPool<String>(10...20, restoring: pool.snapshot)
        #expect(restored.assigned.isEmpty)
        #expect(restored.assign("c") == 12)
        #expect(restored.assign("z") == 13)
        #expect(restored.assign("b") == 11)
    }

    @Test func `a damaged snapshot gives no number twice and none outside the range`() {
        var pool = NumberPool<String>(
            10...13, restoring: .init(nextFresh: 12, numbers: ["a": 10, "b": 10, "c": 99, "d": 3, "e": 12]))
        let numbers = ["a", "b", "c", "d", "e"].compactMap { pool.assign($0) }
        #expect(numbers.count == 3)
        #expect(Set(numbers).count == 3)
        #expect(numbers.allSatisfy { (10...13).contains($0) })
    }

    @Test func `a change that is taken back leaves everybody the number they had, handed on ones too`() {
        var pool = NumberPool<String>(1...3)
        for owner in ["a", "b", "c"] { _ = pool.assign(owner) }
        pool.release("a")
        _ = pool.takeIssued()
        let before = pool.snapshot
        pool.revise(.begin)
        pool.release("c")
        // Takes the number of a, then that of c.
        #expect(pool.assign("d") == 1 && pool.assign("e") == 3)
        pool.release("b")
        pool.revise(.revert)
        #expect(pool.snapshot == before && pool.assigned == ["b": 2, "c": 3] && pool.takeIssued() == nil)
        #expect(pool.assign("a") == 1)
        pool.revise(.begin)
        pool.release("b")
        pool.revise(.keep)
        #expect(pool.assigned == ["a": 1, "c": 3] && pool.assign("b") == 2)
    }

    @Test func `numbers that go and come do not pile up`() {
        var pool = NumberPool<Int>(1...10)
        for round in 0..<20_000 {
            _ = pool.assign(round % 5)
            pool.release(round % 5)
        }
        // The longest unused first, although each was given back thousands of times.
        for owner in 5..<10 { #expect(pool.assign(owner) == UInt32(owner + 1)) }
        #expect(pool.assign(10) == 1)
    }
}
