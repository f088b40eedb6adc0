// SPDX-License-Identifier: Apache-2.0
import ProgramVerification
import Testing

@Suite struct RatchetTests {
    private func report(_ name: String, _ cost: Int) -> ProgramReport {
        ProgramReport(name: name, verifiedInstructions: cost, stackDepths: [176, 24])
    }

    @Test func `a program within its limit is no violation`() throws {
        let ratchet = try Ratchet(parsing: "# limits\na/b 100\n", file: "ratchet")
        #expect(ratchet.violations(of: [report("a/b", 100)]).isEmpty)
    }

    @Test func `a program past its limit, one without a limit and a limit without a program are violations`() throws {
        let ratchet = try Ratchet(parsing: "a/b 100\ngone/c 5", file: "ratchet")
        let found = ratchet.violations(of: [report("a/b", 101), report("new/d", 7)])
        #expect(found.count == 3)
        #expect(found.first == "a/b costs 101 verified instructions, its limit is 100")
    }

    @Test func `a line that is not a name and a number is refused with its place`() {
        let error = #expect(throws: RatchetError.self) { try Ratchet(parsing: "a/b 1\na/b many", file: "ratchet") }
        #expect(error?.description.hasPrefix("ratchet:2: expected") == true)
    }

    @Test func `the line of the table shows the share of the limit rounded up and the deepest frame`() {
        let words = report("a/b", 100_001).line.split(separator: " ").map(String.init)
        #expect(words == ["a/b", "100001", "10.1", "%", "176", "B"])
    }
}
