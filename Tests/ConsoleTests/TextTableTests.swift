// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Console

@Suite struct TextTableTests {
    private static let table: TextTable = {
        var table = TextTable(["SOURCE", "STATE", "ITEMS"])
        table.add(["docker", "cannot use socket /run/docker.sock: it does not exist; trying again", "0"])
        table.add(["policies", "watching", "12"])
        table.add(["x", "k8s:app=web,k8s:tier=frontend-of-the-shop,k8s:zone=a", ""])
        return table
    }()

    @Test func `without a terminal a row is a line, however long`() {
        let lines = Self.table.lines(none: "none")
        #expect(lines.count == 4)
        #expect(lines[2] == "policies  watching" + String(repeating: " ", count: 61) + "12")
        #expect(lines[3].hasSuffix("zone=a" + String(repeating: " ", count: 17) + "-"))
    }

    @Test func `on a narrow terminal the widest column goes on in the next line`() {
        let lines = TextTable.$terminalWidth.withValue(50) { Self.table.lines(none: "none") }
        #expect(
            lines == [
                "SOURCE    STATE                            ITEMS",
                "docker    cannot use socket                0",
                "          /run/docker.sock: it does not",
                "          exist; trying again",
                "policies  watching                         12",
                "x         k8s:app=web,k8s:tier=frontend-o  -",
                "          f-the-shop,k8s:zone=a",
            ])
        #expect(lines.allSatisfy { $0.count <= 48 }, "with the indent it fits")
    }

    @Test func `nothing is lost on a terminal that is too narrow for any table`() {
        let lines = TextTable.$terminalWidth.withValue(5) { Self.table.lines(none: "none") }
        let joined = lines.joined().filter { $0 != " " }
        for part in ["docker", "policies", "/run/docker.sock:", "12"] { #expect(joined.contains(part), "\(lines)") }
        #expect(lines[0] == "SOURCE    STATE             ITEMS")
    }
}
