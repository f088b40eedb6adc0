// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import Testing

@testable import ClusterSchema

private typealias Fixture = StoreFixture

@Suite struct PublicationTests {
    private static let key = "/t/v1/workloads/a/shop/cart"

    private func told(_ names: [String] = ["shop/cart"]) -> Publication {
        var publication = Publication(layout: Fixture.layout, node: "a")
        publication.tell(Dictionary(uniqueKeysWithValues: names.map { ($0, Fixture.cluster("a")) }))
        return publication
    }

    /// Writes until nothing is left, as a store would take it.
    private func settle(_ publication: inout Publication, lease: Int64 = 1) -> Int {
        var rounds = 0
        while case let batch = publication.next(lease: lease), !batch.isEmpty {
            rounds += 1
            publication.didWrite(batch, revision: Int64(10 + rounds), lease: lease)
        }
        return rounds
    }

    @Test func `what is told is written once`() {
        var publication = told()
        #expect(publication.next(lease: 1).puts.keys.sorted() == [Self.key])
        #expect(settle(&publication) == 1)
        publication.tell(["shop/cart": Fixture.cluster("a")])
        #expect(publication.next(lease: 1).isEmpty)
    }

    @Test func `what is not told any more is deleted`() {
        var publication = told()
        _ = settle(&publication)
        publication.tell([:])
        #expect(publication.next(lease: 1) == Publication.Batch(deletes: [Self.key]))
        #expect(settle(&publication) == 1)
    }

    @Test func `before anything is told nothing is touched, then what an earlier run left is`() {
        var publication = Publication(layout: Fixture.layout, node: "a")
        publication.replace(with: [Fixture.workload("a", "shop/old"), Fixture.workload("b", "shop/other")])
        #expect(publication.next(lease: 1).isEmpty)
        publication.tell(["shop/cart": Fixture.cluster("a")])
        let batch = publication.next(lease: 1)
        #expect(batch.deletes == ["/t/v1/workloads/a/shop/old"])
        #expect(batch.puts.keys.sorted() == [Self.key])
    }

    @Test func `a new lease means every key again`() {
        var publication = told(["s/a", "s/b"])
        _ = settle(&publication)
        publication.reopen()
        #expect(publication.next(lease: 1).isEmpty)
        publication.reopen()
        #expect(publication.next(lease: 2).count == 2)
    }

    @Test func `a key that somebody deleted or overwrote is put back`() {
        var publication = told()
        _ = settle(&publication)
        publication.take([.delete(key: Self.key, revision: 20)])
        #expect(publication.next(lease: 1).count == 1)
        _ = settle(&publication)
        publication.take([.put(StoreEntry(key: Self.key, value: [1], revision: 30, lease: 1))])
        #expect(publication.next(lease: 1).count == 1)
    }

    @Test func `news from before its own writing is no news`() {
        var publication = told()
        _ = settle(&publication)
        publication.take([.delete(key: Self.key, revision: 5), .put(StoreEntry(key: Self.key, value: [], revision: 6))])
        #expect(publication.next(lease: 1).isEmpty)
    }

    @Test func `a batch holds what a transaction may`() {
        var publication = told((0..<250).map { "s/w\($0)" })
        #expect(publication.next(lease: 1).count == 100)
        #expect(settle(&publication) == 3)
    }

    @Test func `a name that fits no key is told`() {
        let publication = told(["cart"])
        #expect(publication.problems.keys.sorted() == ["workload cart"])
    }
}
