// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import KubernetesDouble

/// The double of the API server as a process, for agents in network namespaces; objects are put into it over HTTP.
@main struct KubernetesDoubleServer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kubernetes-double", abstract: "An API server in memory, for tests.")

    @Option(help: "The address to serve on.") var host = "127.0.0.1"
    @Option(help: "The port to serve on; 0: any.") var port = 0
    @Option(help: "Kinds besides those of the core, as apis/cilium.io/v2/ciliumnetworkpolicies.") var kind: [String] =
        []

    func run() async throws {
        let double = try await KubernetesDouble.start(
            host: host, port: port, kinds: KubernetesDouble.coreKinds.union(kind))
        print(double.url)
        while true { try await Task.sleep(for: .seconds(3600)) }
    }
}
