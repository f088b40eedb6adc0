// SPDX-License-Identifier: Apache-2.0

import TestBed
import Testing

/// What the command-line tool takes for files of megabytes: the kernel holds it to the bounds, and ends it past them.
@Suite(.serialized) struct LargeInputTests {
    /// All memory of its own that a process may write to, MiB.
    private static let memoryMax = 512
    /// Seconds of CPU; an optimised build takes a twentieth.
    private static let secondsMax = 120

    /// A file to make of a head, a unit again and again, and a tail.
    struct Filling: Sendable, CustomTestStringConvertible {
        var name: String
        var head = ""
        var unit: String
        var tail = ""
        var bytes = 11 << 20
        /// Of what is said about it.
        var code: String

        var testDescription: String { name }

        var text: String {
            var block = unit
            while block.utf8.count < 1 << 19 { block += block }
            var text = head
            while text.utf8.count < bytes { text += block }
            return text + tail
        }
    }

    private static let calico = "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: x}\n"

    private static let fillings = [
        Filling(name: "one value", head: "kind: ", unit: "x", code: "BH1103"),
        Filling(name: "brackets", unit: "[", code: "BH1004"),
        Filling(name: "lists in lists", unit: "- ", code: "BH1004"),
        Filling(name: "elements", head: "apiVersion: v1\nkind: List\nitems:\n", unit: "- 1\n", code: "BH1005"),
        Filling(name: "aliases", head: "a: &a 1\nb: [", unit: "*a,", code: "BH1005"),
        Filling(
            name: "a list of aliases for a list of aliases",
            head: "a0: &a0 [x]\n" + (1...60).map { "a\($0): &a\($0) [*a\($0 - 1), *a\($0 - 1)]\n" }.joined(),
            unit: "#\n",
            code: "BH1005"),
        Filling(name: "one key", unit: "a: 1\n", code: "BH1006"),
        Filling(name: "documents", unit: "---\nkind: x\n", code: "BH1103"),
        Filling(name: "zeros", unit: "\0", code: "BH1009"),
        Filling(
            name: "a selector of brackets", head: calico + "spec: {selector: \"", unit: "(", tail: "\"}\n",
            code: "BH1304"),
        Filling(
            name: "more than is read", head: "kind: ", unit: "x", bytes: 17 << 20, code: "BH1002"),
    ]

    /// Runs the tool with a file, within the bounds; throws if it takes longer than anybody waits.
    private static func run(
        _ arguments: [String], _ text: String, _ bed: TestBed
    ) async throws -> (status: Int32, lines: [Substring], usage: SpawnedProcess.Usage) {
        let path = "\(bed.directory)/large.yaml"
        try writeFile(path, text)
        let limits = "ulimit -d \(memoryMax << 10) && ulimit -t \(secondsMax) && exec \"$@\""
        let process = try SpawnedProcess(
            ["sh", "-c", limits, "sh", TestAgent.product("bulkhead"), "policy"] + arguments + [path],
            outputStem: "\(bed.directory)/large.\(arguments[0])")
        let status = try await process.waitForExit(within: .seconds(600))
        guard let status, let usage = process.usage else {
            await process.kill()
            throw TestBedError("\(process.command) has not ended")
        }
        return (status, (process.output + process.errors).split(separator: "\n"), usage)
    }

    @Test(arguments: fillings) func `ten million bad bytes end in an error within bounds`(filling: Filling) async throws
    {
        try await withTestBed(subnet: 87) { bed in
            let (status, lines, usage) = try await Self.run(["validate"], filling.text, bed)
            #expect(status == 1, "\(filling.name): status \(status), \(usage): \(lines.prefix(3))")
            #expect(lines.contains { $0.contains("error[\(filling.code)]") }, "\(filling.name): \(lines.prefix(3))")
            #expect(lines.count < 1000, "\(filling.name): \(lines.count) lines")
        }
    }

    @Test func `keys without number end in an error within bounds`() async throws {
        try await withTestBed(subnet: 87) { bed in
            let text = (0..<900_000).map { "k\($0): \($0)\n" }.joined()
            let (status, lines, usage) = try await Self.run(["validate"], text, bed)
            #expect(status == 1 && lines.contains { $0.contains("error[BH1103]") }, "\(usage): \(lines.prefix(3))")
        }
    }

    @Test(arguments: ["validate", "lint"]) func `seven million bytes of policies are read within bounds`(
        verb: String
    ) async throws {
        try await withTestBed(subnet: 87) { bed in
            let text = (0..<10_000).map(Self.policy).joined(separator: "---\n")
            #expect(text.utf8.count > 7_000_000)
            let (status, lines, usage) = try await Self.run(verb == "lint" ? [verb, "--offline"] : [verb], text, bed)
            #expect(status == 0, "\(usage): \(lines.suffix(3))")
            let told = verb == "lint" ? "in 10000 policies" : "is valid"
            #expect(lines.last?.contains(told) == true && lines.count >= 10_000, "\(lines.suffix(3))")
        }
    }

    /// Of one namespace, so that each may have to do with each.
    private static func policy(_ index: Int) -> String {
        """
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata:
          name: p-\(index)
          namespace: shop
          annotations: {example.org/why: "\(String(repeating: "why it is there, in words. ", count: 10))"}
        spec:
          podSelector: {matchLabels: {app: app-\(index)}}
          policyTypes: [Ingress, Egress]
          ingress:
            - from: [{podSelector: {matchLabels: {app: app-\(index % 97)}}}, {ipBlock: {cidr: 10.\(index % 250).0.0/16}}]
              ports: [{port: \(1000 + index % 40)}]
          egress:
            - to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}]
              ports: [{port: 53, protocol: UDP}]

        """
    }
}
