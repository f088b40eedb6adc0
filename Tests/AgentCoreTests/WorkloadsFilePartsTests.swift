// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import AgentCore

@Suite struct WorkloadsFilePartsTests {
    @Test(arguments: 0..<40) func `what is read in parts is what the whole says`(seed: UInt64) throws {
        var random = SeededNumbers(state: seed)
        var text = ChangingText(&random)
        let follower = Follower()
        var inParts = 0
        for step in 0..<60 {
            if try follower.read(text.bytes, "seed \(seed), step \(step)") { inParts += 1 }
            text.change(&random)
        }
        #expect(inParts > 5, "\(inParts)")
    }

    @Test func `one entry of many is read alone`() throws {
        func text(_ port: Int) -> [UInt8] {
            let lines = (0..<2000).map {
                "- {name: pod-\($0), namespace: t, addresses: [10.0.\($0 / 250).\($0 % 250 + 1)], labels: {app: \($0)}}\n"
            }
            return Array(
                ("workloads:\n- {name: here, interface: v0, addresses: [10.1.0.1], ports: {http: \(port)}}\n"
                    + lines.joined()).utf8)
        }
        let before = text(80)
        var parts = try #require(WorkloadsFileParts(before, try .init(before, file: "w.yaml")))
        let localChange = parts.update(to: text(81), file: "w.yaml")
        let local = try #require(localChange)
        #expect(local.remotes.isEmpty && local.entries.map(\.name) == ["here"])
        #expect(local.entries == (try WorkloadsFile(text(81), file: "w.yaml").entries))
        let gone = Array(
            String(decoding: text(81), as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
                .enumerated().filter { $0.offset != 1000 }.map(\.element).joined(separator: "\n").utf8)
        let remoteChange = parts.update(to: gone, file: "w.yaml")
        let remote = try #require(remoteChange)
        #expect(remote.remotes.removals == ["remote:workloads/pod-998"] && remote.remotes.settings.isEmpty)
    }

    @Test(arguments: [
        "workloads: [{name: a, netns: x}]\n",
        "---\nworkloads:\n- {name: a, netns: x}\n",
        "workloads:\n- {name: a, netns: x, labels: &l {a: b}}\n- {name: b, netns: y, labels: *l}\n",
        "workloads:\n- {name: a,\n- netns: x}\n",
        "workloads:\n- {name: a, netns: x}\nother: 1\n",
        "workloads:\n", "", "# nothing\n",
    ])
    func `what cannot be cut for certain is read as a whole`(text: String) {
        let bytes = Array(text.utf8)
        guard let reading = try? WorkloadsFile.Reading(bytes, file: "w.yaml") else { return }
        #expect(WorkloadsFileParts(bytes, reading) == nil)
    }

    @Test func `what is wrong in a part leaves everything as it was`() throws {
        let good = Array("workloads:\n- {name: a, netns: x}\n- {name: b, netns: y}\n".utf8)
        var parts = try #require(WorkloadsFileParts(good, try .init(good, file: "w.yaml")))
        for bad in [
            "- {name: b, netns: y, addresses: [10.0.0.300]}", "- {name: a, netns: y}", "- {name: b, netns: \"y}",
            "- {name: b, netns: y}\n- {name: b, netns: y}", "- {name: b, netns: y, name: b}", "- b",
        ] {
            let change = parts.update(to: Array("workloads:\n- {name: a, netns: x}\n\(bad)\n".utf8), file: "w.yaml")
            #expect(change == nil, "\(bad)")
        }
        let same = parts.update(to: good, file: "w.yaml")
        let change = try #require(same)
        #expect(change.entries.map(\.name) == ["a", "b"] && change.remotes.isEmpty)
    }
}

/// Follows a file as its source does, and compares with the file read as a whole.
private final class Follower {
    private var parts: WorkloadsFileParts?
    private var entries: [WorkloadsFile.Entry] = []
    private var remotes: [String: RemoteWorkload] = [:]

    /// True if it was read in parts.
    func read(_ bytes: [UInt8], _ place: String) throws -> Bool {
        let whole = Result { try WorkloadsFile.Reading(bytes, file: "w.yaml") }
        guard let change = parts?.update(to: bytes, file: "w.yaml") else {
            guard let reading = try? whole.get() else { return false }
            parts = WorkloadsFileParts(bytes, reading)
            (entries, remotes) = (reading.file.entries, reading.file.remotes)
            return false
        }
        entries = change.entries
        for key in change.remotes.removals { remotes[key] = nil }
        remotes.merge(change.remotes.settings) { $1 }
        let file = try whole.get().file
        try #require(entries == file.entries && remotes == file.remotes, "\(place)")
        return true
    }
}

/// Entries of a workloads file, right and wrong, in every style.
private struct ChangingText {
    private var header = "workloads:\n"
    private var indent = ""
    private var entries: [(name: String, text: String)] = []
    private var tail = ""

    init(_ random: inout SeededNumbers) {
        indent = random.chance(50) ? "" : "  "
        for number in 0..<20 { entries.append(Self.entry("n\(number)", &random)) }
    }

    var bytes: [UInt8] {
        let lines = entries.flatMap { $0.text.split(separator: "\n", omittingEmptySubsequences: false) }
        return Array((header + lines.map { $0.isEmpty ? "\n" : "\(indent)\($0)\n" }.joined() + tail).utf8)
    }

    /// Mostly to something right; what is wrong is mostly put right by the next change.
    mutating func change(_ random: inout SeededNumbers) {
        (header, tail) = ("workloads:\n", "")
        var names: Set = [Self.wrongName]
        entries.removeAll { !names.insert($0.name).inserted }
        for _ in 0..<random.number(1...3) {
            let place = random.number(0...(entries.count - 1))
            switch random.number(1...14) {
            case 1, 2, 3: entries[place] = Self.entry("n\(random.number(0...40))", &random)
            case 4, 5: entries.insert(Self.entry("n\(random.number(0...40))", &random), at: place)
            case 6, 7: if entries.count > 3 { entries.remove(at: place) }
            case 8: entries.swapAt(place, 0)
            case 9: entries.insert(entries[place], at: 0)
            case 10, 11:
                entries.insert((Self.wrongName, Self.wrong[random.number(0...(Self.wrong.count - 1))]), at: place)
            case 12:
                header =
                    ["# c\nworkloads:\n", "workloads: # c\n", "---\nworkloads:\n", "workloads:\n\n"][
                        random.number(0...3)]
            case 13: tail = ["# end\n", "other: 1\n", "...\n", "\n\n", "workloads: []\n"][random.number(0...4)]
            default: indent = random.chance(50) ? "" : "  "
            }
        }
    }

    private static func entry(_ name: String, _ random: inout SeededNumbers) -> (name: String, text: String) {
        (name, text(name, &random))
    }

    private static func text(_ name: String, _ random: inout SeededNumbers) -> String {
        let address = "10.0.\(random.number(0...9)).\(random.number(1...9))"
        let label = ["x", "\"- y\"", "'a\n\n  - b'", "\"a\\\n   b\"", "é"][random.number(0...4)]
        switch random.number(1...6) {
        case 1: return "- {name: \(name), addresses: [\(address)], labels: {app: \(label)}}"
        case 2: return "- name: \(name)\n  addresses:\n  - \(address)\n  # - not one\n  labels: {app: \(label)}\n"
        case 3: return "- {name: \(name), interface: v\(random.number(0...9)), addresses: [\(address)]}\n# behind"
        case 4: return "-\n  name: \(name)\n  netns: |-\n    /run/\(name)\n\n    - x"
        case 5: return "-   name: \(name)\n    netns: >\n      a\n      # b\n    labels:\n      app: \(label)"
        default: return "- {name: \(name),\n   addresses: [\(address)\n   ],\n   labels: {a: b}}"
        }
    }

    private static let wrongName = "wrong"
    private static let wrong = [
        "- {name: bad, addresses: [10.0.0.300]}", "- {name: open, addresses: [10.0.0.3]", "- {name: \"open", "]",
        "- {name: cr, netns: x}\r- {name: cr2, netns: x}", "- {name: one, netns: x}}",
        "- name: b\n- {name: c, netns: y}",
        "- {name: al, netns: x, labels: &a {a: b}}\n- {name: al2, netns: x, labels: *a}", "plain", "%YAML 1.1",
        "- - {}",
        "- {name: 'a", "b', netns: x}", "- {name: tab,\n\tnetns: x}", "- !!map {name: tagged, netns: x}", "- ~",
        "- {name: nel, netns: x}\u{85}- {name: nel2, netns: x}",
        "- {name: ls, netns: x}\u{2028}- {name: ls2, netns: y}",
    ]
}

/// Numbers that a seed gives.
private struct SeededNumbers: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    mutating func number(_ range: ClosedRange<Int>) -> Int { .random(in: range, using: &self) }

    mutating func chance(_ percent: Int) -> Bool { number(0...99) < percent }
}
