// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// CPU time of the command-line tool for one very large file of valid policies.
enum LargeFile: Benchmark {
    static let name = "large-file"
    static let summary = "7 MB of 10 000 policies: validate and lint"
    private static let validateSecondsMax = 10.0
    private static let lintSecondsMax = 20.0
    private static let policies = 10_000

    static func run(_ effort: Effort) throws -> [Row] {
        let scratch = try ScratchDirectory()
        let path = scratch.path + "/large.yaml"
        let text = text(effort.isQuick ? policies / 10 : policies)
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        report("  \(text.utf8.count) bytes")
        func seconds(_ arguments: String..., expecting ending: String) throws -> Double {
            var least = Double.infinity
            for _ in 0..<effort.rounds {
                // Findings make a status of their own.
                let outcome = try Command.run([effort.toolPath, "policy"] + arguments + [path], acceptingFailure: true)
                let lines = outcome.output.split(separator: "\n")
                guard lines.last?.hasSuffix(ending) == true, !outcome.output.contains(": error") else {
                    throw BenchError("'policy \(arguments[0])' said \(lines.last ?? "nothing"): nothing was measured")
                }
                least = min(least, outcome.cpuSeconds)
            }
            return least
        }
        return [
            Row(
                "7 MB of policies, validate", unit: "s CPU", ours: try seconds("validate", expecting: "is valid"),
                bound: validateSecondsMax),
            Row(
                "7 MB of policies, lint", unit: "s CPU",
                ours: try seconds("lint", "--offline", expecting: "without workloads"), bound: lintSecondsMax),
        ]
    }

    private static func text(_ count: Int) -> String {
        let remark = String(repeating: "why this policy is there, in words. ", count: 6)
        let tiers = (0..<5).map { tier in
            "apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: {name: t\(tier)}\nspec: {order: \(tier)}\n"
        }
        return (tiers + (0..<count).map { $0 % 2 == 0 ? kubernetes($0, remark) : calico($0, remark) })
            .joined(separator: "---\n")
    }

    private static func kubernetes(_ index: Int, _ remark: String) -> String {
        """
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata:
          name: p-\(index)
          namespace: shop
          annotations: {example.org/why: "\(remark)"}
        spec:
          podSelector: {matchLabels: {app: app-\(index / 4)}}
          policyTypes: [Ingress, Egress]
          ingress:
            - from: [{podSelector: {matchLabels: {app: app-\(index % 97)}}}, {ipBlock: {cidr: 10.\(index % 250).0.0/16}}]
              ports: [{port: \(1000 + index % 40)}]
          egress:
            - to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}]
              ports: [{port: 53, protocol: UDP}]

        """
    }

    private static func calico(_ index: Int, _ remark: String) -> String {
        """
        apiVersion: projectcalico.org/v3
        kind: GlobalNetworkPolicy
        metadata: {name: t\(index % 5).g-\(index), annotations: {example.org/why: "\(remark)"}}
        spec:
          tier: t\(index % 5)
          order: \(index)
          selector: app == 'a\(index % 700)' && role in {'x', 'y\(index)'}
          types: [Ingress, Egress]
          ingress:
            - action: Deny
              protocol: TCP
              source: {selector: "app == 'b\(index)'", notNets: [10.1.0.0/16]}
              destination: {ports: [\(index + 1), "100:200"]}
            - {action: Pass, source: {nets: [10.0.0.0/8]}}
          egress:
            - {action: Allow, destination: {namespaceSelector: "team == 'z'"}}

        """
    }
}
