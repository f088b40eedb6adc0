// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Testing

@testable import Console

@Suite struct TerminalTextTests {
    /// Colour, title, bell, C1 introducer, a line of its own, reversed writing, invisible characters.
    private static let evil =
        "web\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\nforged line\r\u{202e}lave\u{2066}\u{200b}\u{2028}\u{85}\u{7f}\u{feff}\u{e0041}"

    @Test func `what a terminal would obey is spelled out, the rest stays`() {
        #expect("a\u{1b}[0m\nb".forTerminal == #"a\u{1b}[0m\u{a}b"#)
        #expect("naïve 名前 ✓ é\t|".forTerminal == "naïve 名前 ✓ é\t|")
        #expect("a\tb".forTerminalCell == #"a\tb"#)
        #expect(Self.isHarmless(Self.evil.forTerminal))
        #expect("one\ntwo\u{1b}".linesForTerminal == ["one", #"two\u{1b}"#])
    }

    @Test func `no table, list, flow or status line carries a foreign control character`() throws {
        let endpoint = EndpointRecord(
            id: 1, name: Self.evil, source: Self.evil, condition: .enforced, identity: 300,
            labels: [Self.evil, Self.evil], addresses: [Self.evil], interface: Self.evil, interfaceIndex: 1,
            ingress: .open, egress: .open, audit: false, details: [Self.evil: Self.evil], problem: Self.evil)
        let identity = IdentityRecord(id: 1, scope: "workload", labels: [Self.evil], endpoints: [Self.evil])
        let side = FlowSide(address: "10.0.0.1", port: 1, endpoint: Self.evil, identity: 1, labels: [Self.evil])
        let flow = FlowRecord(
            sequence: 1, time: "2026-11-21T01:02:03Z", verdict: "deny", reason: Self.evil, direction: Self.evil,
            endpoint: Self.evil, protocol: Self.evil, source: side, destination: side, state: "new", rule: Self.evil,
            ruleSource: Self.evil, packets: 1, bytes: 1, generation: 1)
        #expect(Self.isHarmless(FlowRendering.line(flow)))
        let table = ListRendering.lines([identity]) + ListRendering.lines([endpoint]).prefix(2)
        // Cells are safe before the line printer sees them, so that columns fit.
        #expect(table.allSatisfy(Self.isHarmless))
        let lines = ListRendering.lines([endpoint]) + ListRendering.lines(endpoint)
        #expect(lines.map(\.forTerminal).allSatisfy(Self.isHarmless))
        #expect(lines.map(\.forTerminal).count { $0.contains("forged line") } == 9)
    }

    private static func isHarmless(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy {
            ![.control, .format, .lineSeparator, .paragraphSeparator].contains($0.properties.generalCategory)
        }
    }
}
