// SPDX-License-Identifier: Apache-2.0

import KernelPolicyTesting
import PolicyReading
import PolicyTesting

/// Time of a thousand files of policy tests, as `bulkhead policy test` reads and judges them.
enum PolicyTestTime: Benchmark {
    static let name = "policy-test"
    static let summary = "400 000 probes in 1 000 files of policy tests, by the model and by the kernel"
    private static let modelSecondsMax = 60.0
    private static let kernelSecondsMax = 300.0
    private static let probes = 400
    private static let workloads = 40

    static func run(_ effort: Effort) throws -> [Row] {
        let files = effort.isQuick ? 50 : 1000
        let model = try seconds("model", [ModelEngine()], files: files, clock: { Clocks.thread })
        let kernel = try seconds("kernel", [try KernelEngine()], files: files, clock: { Clocks.wall })
        return [
            Row("policy test, model", unit: "s CPU", ours: model, bound: modelSecondsMax),
            Row("policy test, kernel", unit: "s", ours: kernel, bound: kernelSecondsMax),
        ]
    }

    private static func seconds(
        _ title: String, _ engines: [any PolicyTestEngine], files: Int, clock: () -> UInt64
    ) throws -> Double {
        let runner = PolicyTestRunner(engines: engines) { path, _ in
            throw BenchError("the tests name no file, but \(path) was asked for")
        }
        let texts = (0..<files).map(text)
        var verdicts: [PolicyTest.Expectation: Int] = [:]
        let begin = clock()
        for (number, text) in texts.enumerated() {
            let set = PolicyTestReader().read(bytes: text, file: "\(number).yaml")
            for test in set.tests {
                for outcome in try runner.run(test).outcomes { verdicts[outcome.verdict, default: 0] += 1 }
            }
        }
        let seconds = Double(clock() - begin) / 1e9
        guard verdicts.values.reduce(0, +) == files * probes, verdicts[.allow] ?? 0 > files,
            verdicts[.deny] ?? 0 > files
        else { throw BenchError("\(verdicts) of \(files * probes) probes: nothing was measured") }
        report(
            "  \(title): \(ResultTable.number(seconds)) s for \(files * probes) probes in \(files) files: \(verdicts)")
        return seconds
    }

    /// A file: 40 workloads in 8 namespaces on 4 nodes, 9 policies, 400 probes between changing pairs.
    private static func text(_ file: Int) -> [UInt8] {
        var text = """
            apiVersion: bulkhead.dev/v1alpha1
            kind: PolicyTest
            metadata: {name: bench-\(file)}
            workloads:

            """
        for index in 0..<workloads {
            text += """
                  - {namespace: ns-\(index % 8), name: w-\(index), labels: {app: app-\(index % 10)}, node: n\(index % 4),
                     addresses: [10.\(file % 250).1.\(index + 1), "fd00:\(file)::\(index + 1)"]}

                """
        }
        text += "policies:\n"
        for index in 0..<8 {
            text += """
                  - inline:
                      apiVersion: networking.k8s.io/v1
                      kind: NetworkPolicy
                      metadata: {name: p-\(index), namespace: ns-\(index)}
                      spec:
                        podSelector: {matchLabels: {app: app-\(index)}}
                        ingress:
                          - from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: app-\((index + file) % 10)}}}]
                            ports: [{port: 80, endPort: 443}, {port: 53, protocol: UDP}]
                          - from: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.128/25]}}]

                """
        }
        text += """
              - inline:
                  apiVersion: cilium.io/v2
                  kind: CiliumClusterwideNetworkPolicy
                  metadata: {name: no-metadata}
                  spec: {endpointSelector: {}, egressDeny: [{toCIDR: [169.254.169.254/32]}], enableDefaultDeny: {egress: false}}
            probes:

            """
        for index in 0..<probes {
            let (from, to) = (index % workloads, (index * 7 + file) % workloads)
            let end = index % 10 == 9 ? "192.0.2.\(index % 256)" : "ns-\(from % 8)/w-\(from)"
            text += """
                  - {from: \(end), to: ns-\(to % 8)/w-\(to), port: \([80, 443, 53, 8080][index % 4]),
                     protocol: \(["TCP", "TCP", "UDP"][index % 3]), family: \(index % 10 == 9 || index % 2 == 0 ? "IPv4" : "IPv6"), expect: allow}

                """
        }
        return Array(text.utf8)
    }
}
