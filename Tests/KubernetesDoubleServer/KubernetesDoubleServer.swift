// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import FoundationEssentials
import KubernetesDouble

/// The double of the API server as a process, for agents in network namespaces.
///
/// `/_double` puts objects in and makes things go wrong; Tests/KubernetesDouble/Control says how.
@main struct KubernetesDoubleServer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kubernetes-double", abstract: "An API server in memory, for tests.")

    @Option(help: "The address to serve on.") var host = "127.0.0.1"
    @Option(help: "The port to serve on; 0: any.") var port = 0
    @Flag(help: "Speak TLS, HTTP/2 too.") var tls = false
    @Option(help: "Let in who sends this token, or a client certificate, and nobody else.") var token: String?
    @Option(help: "Where to write a kubeconfig for this server.") var kubeconfig: String?
    @Option(help: "Time between bookmarks.") var bookmarkMilliseconds: Int64 = 60_000
    @Option(help: "Make so many nodes.") var nodes = 0
    @Option(help: "Make so many pods.") var pods = 0
    @Option(help: "Make so many NetworkPolicies.") var policies = 0
    @Option(help: "Make so many changes of pods a second.") var churn = 0

    func run() async throws {
        var options = DoubleOptions()
        options.address = host
        options.port = port
        options.usesTLS = tls
        options.bookmarkMilliseconds = bookmarkMilliseconds
        options.hasControl = true
        let double = try await KubernetesDouble.start(options)
        if let token { double.access.require(token: token) }
        if nodes + pods + policies > 0 {
            try double.load.make(ClusterSize(nodes: nodes, pods: pods, policies: policies))
        }
        if churn > 0 { double.load.startChurn(perSecond: churn) }
        if let kubeconfig {
            let credential = token.map { KubernetesDouble.Credential.token($0) } ?? .none
            try double.kubeconfig(credential).write(toFile: kubeconfig, atomically: true, encoding: .utf8)
        }
        print(double.url)
        while true { try await Task.sleep(for: .seconds(3600)) }
    }
}
