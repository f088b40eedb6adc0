// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import Testing

/// By what nodes and controllers of different versions compare documents.
@Suite struct DocumentMarkTests {
    private func mark(_ key: String, _ generation: Int? = 1, uid: String = "u", version: String = "") -> DocumentMark {
        DocumentMark(key: key, uid: uid, generation: generation, version: version)
    }

    @Test func `a token is the same in every version of the program`() {
        #expect(mark("networkpolicies.networking.k8s.io/shop/web", 3).token == 0x634f_68fa_699c_d7ff)
    }

    @Test func `object, incarnation and state each make another token`() {
        let marks = [
            mark("a/x"), mark("a/y"), mark("a/x", 2), mark("a/x", uid: "v"), mark("a/x", nil, version: "7"),
            mark("a/x", nil, version: "8"), mark("a/xu", uid: ""),
        ]
        #expect(Set(marks.map(\.token)).count == marks.count)
        #expect(
            mark("a/x", 2, version: "7") == mark("a/x", 2, version: "8"), "the generation counts where there is one")
        #expect(mark("a/x", nil, version: "7").generation == 0)
    }

    @Test func `digests are equal if the documents are, in whichever order they came`() {
        var one = DocumentMarks()
        var two = DocumentMarks()
        for number in 0..<50 { one.set("a/\(number)", mark("a/\(number)")) }
        for number in (0..<50).reversed() {
            two.set("a/\(number)", mark("a/\(number)", 9))
            two.set("b/\(number)", mark("b/\(number)"))
            two.set("a/\(number)", mark("a/\(number)"))
        }
        #expect(one.digests["a"] == two.digests["a"] && one.digests["b"] == nil)
        two.set("a/7", mark("a/7", 2))
        #expect(one.digests["a"] != two.digests["a"] && two.digests["a"]?.count == 50)
        for number in 0..<50 { two.set("b/\(number)", nil) }
        #expect(two.digests["b"] == nil && two.keys.count == 50)
    }

    @Test func `a report names as many exceptions as it may, and the number of all others`() {
        var report = NodePolicyReport()
        for number in 0..<300 {
            report.exceptions["k/\(number)"] = .init(.refused, generation: 1, message: "")
        }
        report.bound()
        let first = report
        report.bound()
        #expect(report == first && report.exceptions.count == 250 && report.omitted == 50)
    }
}
