// SPDX-License-Identifier: Apache-2.0

/// How large a made-up cluster is.
package struct ClusterSize: Sendable {
    package var nodes: Int
    package var pods: Int
    package var policies: Int

    package init(nodes: Int, pods: Int, policies: Int) {
        self.nodes = nodes
        self.pods = pods
        self.policies = policies
    }

    /// Namespaces of about 300 pods.
    var namespaces: Int { max(1, pods / 300) }

    func namespace(ofPod number: Int) -> String { "team-\(Self.padded(number % namespaces, 4))" }
    func node(ofPod number: Int) -> Int { nodes == 0 ? 0 : number % nodes }
    func name(ofNode number: Int) -> String { "node-\(Self.padded(number, 5))" }

    /// The application of a pod; about ten pods of a namespace are of one.
    func application(ofPod number: Int) -> String { "app-\(Self.padded(number / namespaces / 10, 2))" }

    static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
