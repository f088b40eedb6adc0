// SPDX-License-Identifier: Apache-2.0

import NetworkModel

/// Policy documents of a big installation: each opens ten ports of one application to one prefix of its own.
///
/// One policy is in a file by itself, in two variants that differ in the port they open; `target` is the application it
/// speaks for.
struct PolicyCorpus: FieldContent {
    static let portsPerPolicy = 10
    static let documentsPerFile = 100
    /// The application whose policy changes, the peer it lets in, and the port of each variant.
    static let target = 0
    static let changingPeer: UInt32 = 0xcb00_7107
    static let variantPorts: [UInt16] = [7001, 7002]

    let policies: Int
    let applications: Int

    static func label(_ application: Int) -> String { "app-\(application)" }

    /// File name and content of everything but the changing policy.
    func files() -> [(name: String, text: String)] {
        stride(from: 0, to: policies - 1, by: Self.documentsPerFile).map { start in
            let documents = (start..<min(start + Self.documentsPerFile, policies - 1)).map(document)
            return ("policies-\(start / Self.documentsPerFile).yaml", documents.joined(separator: "---\n"))
        }
    }

    /// The changing policy: the peer may reach one of two ports.
    func changing(_ variant: Int) -> String {
        Self.document(
            name: "changing", application: Self.target, prefix: "\(RuleSet.text(Self.changingPeer))/32",
            ports: [Self.variantPorts[variant]])
    }

    func workloadsFile(endpoints: Int) -> String {
        let entries = (0..<endpoints).map { number in
            """
              - name: bench-\(number)
                interface: v\(number)
                addresses: ["\(RuleSet.text(AgentField.address(number)))"]
                labels: {app: \(Self.label(number % applications))}

            """
        }
        return "workloads:\n" + entries.joined()
    }

    private func document(_ number: Int) -> String {
        let first = UInt16(8000 + number % 1000)
        return Self.document(
            name: "policy-\(number)", application: number % applications,
            prefix: "\(RuleSet.text(0x0ade_0000 + UInt32(number)))/32",
            ports: (0..<UInt16(Self.portsPerPolicy)).map { first + $0 })
    }

    private static func document(name: String, application: Int, prefix: String, ports: [UInt16]) -> String {
        let lines = ports.map { "        - {port: \"\($0)\", protocol: TCP}" }.joined(separator: "\n")
        return """
            apiVersion: cilium.io/v2
            kind: CiliumClusterwideNetworkPolicy
            metadata:
              name: \(name)
            spec:
              endpointSelector:
                matchLabels:
                  app: \(label(application))
              ingress:
              - fromCIDR: ["\(prefix)"]
                toPorts:
                - ports:
            \(lines)

            """
    }
}
