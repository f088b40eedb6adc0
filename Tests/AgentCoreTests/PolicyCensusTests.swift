// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import KubernetesClient
import Testing

@testable import AgentCore

/// How many nodes have seen a policy, by what they tell of all of them together.
@Suite struct PolicyCensusTests {
    private var census = PolicyCensus()
    private var marks = DocumentMarks()

    private func key(_ name: String) -> ObjectKey { ObjectKey(namespace: "shop", name: name) }

    private func mark(_ name: String, _ generation: Int = 1) -> DocumentMark {
        DocumentMark(key: "k/shop/\(name)", uid: "u-\(name)", generation: generation)
    }

    private var digest: DocumentDigest { marks.digests["k"] ?? DocumentDigest() }

    private mutating func set(_ name: String, _ generation: Int?) {
        census.set(key(name), generation.map { mark(name, $0) })
        marks.set("k/shop/\(name)", generation.map { mark(name, $0) })
    }

    @Test mutating func `a node that tells of a state has seen all that led to it`() {
        census.replace([:], keeping: [])
        set("a", 1)
        let first = digest
        set("b", 1)
        set("a", 2)
        census.note(node: "n1", first)
        census.note(node: "n2", digest)
        #expect(census.seenCount(key("a")) == 1 && census.seenCount(key("b")) == 1)
        #expect(Array(census.unseen(key("a"))) == ["n1"])
        #expect(census.hasSeen("n2", key("a")) && !census.hasSeen("n1", key("a")))
        census.note(node: "n1", digest)
        #expect(census.seenCount(key("a")) == 2 && census.unseenCount(key("b")) == 0)
    }

    @Test mutating func `a node may be ahead, and is met when what it tells of is known`() {
        census.replace([key("a"): mark("a")], keeping: [])
        marks.set("k/shop/a", mark("a"))
        marks.set("k/shop/b", mark("b"))
        census.note(node: "n1", digest)
        #expect(census.seenCount(key("a")) == 0, "nobody knows what else it has seen")
        census.set(key("b"), mark("b"))
        #expect(census.seenCount(key("a")) == 1 && census.seenCount(key("b")) == 1)
    }

    @Test mutating func `one who does not follow, or is gone, has seen nothing`() {
        set("a", 1)
        census.note(node: "n1", digest)
        census.note(node: "n2", nil)
        #expect(census.seenCount(key("a")) == 1 && census.unseenCount(key("a")) == 1)
        census.forget(node: "n2")
        #expect(census.unseenCount(key("a")) == 0)
        census.note(node: "n1", nil)
        #expect(census.seenCount(key("a")) == 0)
        census.forget(node: "n1")
        #expect(census.unseenCount(key("a")) == 0)
    }

    @Test mutating func `only what nodes may have reached is looked at again`() {
        for number in 0..<100 { set("p\(number)", 1) }
        census.note(node: "n1", digest)
        #expect(census.takeTouched().count == 100)
        #expect(census.takeTouched().isEmpty)
        set("p7", 2)
        #expect(census.takeTouched() == [key("p7")])
        census.note(node: "n1", digest)
        #expect(census.takeTouched() == [key("p7")])
        census.note(node: "n1", digest)
        #expect(census.takeTouched().isEmpty)
        set("p8", 2)
        _ = census.takeTouched()
        census.touch(node: "n1")
        #expect(census.takeTouched() == [key("p8")])
    }

    @Test mutating func `what is deleted and what is kept unread is counted as nodes count it`() {
        census.replace([key("a"): mark("a"), key("b"): mark("b")], keeping: [])
        census.replace([key("a"): mark("a", 2)], keeping: [key("b")])
        set("a", 2)
        set("b", 1)
        census.note(node: "n1", digest)
        #expect(census.seenCount(key("a")) == 1)
        set("b", nil)
        #expect(census.seenCount(key("a")) == 1, "that something else goes is no news of this one")
        set("c", 1)
        census.note(node: "n1", digest)
        #expect(census.seenCount(key("c")) == 1)
    }

    @Test mutating func `counts are those of a simple count, whatever happens in whichever order`() {
        struct Node { var seen: [String: Int] = [:], marks = DocumentMarks() }
        var random = SystemRandomNumberGenerator()
        var nodes: [String: Node] = [:]
        var truth: [String: Int] = [:]
        census.replace([:], keeping: [])
        for step in 0..<6000 {
            let name = "p\(Int.random(in: 0..<12, using: &random))"
            let node = "n\(Int.random(in: 0..<6, using: &random))"
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<4:
                // Generations never come back.
                truth[name] = step + 1
                set(name, step + 1)
            case 4:
                truth[name] = nil
                set(name, nil)
            case 5:
                nodes[node] = nil
                census.forget(node: node)
            default:
                // A node is always at some state that the cluster had: here, the present one.
                nodes[node] = Node(seen: truth, marks: marks)
                census.note(node: node, digest)
            }
            for (name, generation) in truth {
                let count = nodes.values.count { $0.seen[name] == generation }
                #expect(census.seenCount(key(name)) == count, "step \(step)")
                #expect(census.seenCount(key(name)) + census.unseenCount(key(name)) == nodes.count)
            }
        }
    }
}
