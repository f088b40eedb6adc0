// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import LinuxHost
import NetworkModel
import PolicyModel
import PolicyReading

/// Reports every veth on a watched bridge that leads into another namespace, as an endpoint still being created.
///
/// An engine puts the veth on its bridge before it starts the container, and tells of the container after. So the
/// programs are on before its first process runs; it is closed until a source says whose it is.
struct NewcomerSource: Sendable {
    static let name = "newcomers"

    /// Names of the bridges.
    let bridges: [String]
    let state: AgentState

    static let labels = LabelSet([Label(source: LabelSource.reserved, key: "init")])

    /// What endpoints still being created may do: nothing, unless another policy selects `reserved:init` too.
    static let policy: [PolicyReference: Policy] = {
        let text = """
            apiVersion: cilium.io/v2
            kind: CiliumClusterwideNetworkPolicy
            metadata: {name: bulkhead-start-closed}
            spec:
              endpointSelector: {matchLabels: {"reserved:init": ""}}
              ingress: [{}]
              egress: [{}]

            """
        let policies = PolicyReader().read(text, file: "built-in").policies
        return Dictionary(policies.map { ($0.reference, $0) }) { first, _ in first }
    }()

    /// Runs until cancelled.
    func run() async throws {
        var snapshot = NetworkSnapshot()
        for await update in try NetworkMonitor.updates() {
            snapshot.apply(update)
            await state.update(
                source: NewcomerSource.name, workloads: NewcomerSource.workloads(snapshot, bridges: bridges),
                state: "watching", location: bridges.joined(separator: ","))
        }
    }

    /// One for each such veth.
    static func workloads(_ snapshot: NetworkSnapshot, bridges: [String]) -> [Workload] {
        let masters = Set(snapshot.links.filter { bridges.contains($0.name) }.map(\.index))
        let ports = snapshot.links.filter { link in
            link.kind == "veth" && link.peerNamespaceID != nil && link.master.map(masters.contains) == true
        }
        return ports.sorted { $0.index < $1.index }.map { link in
            Workload(
                key: "newcomer:\(link.index)", name: "init:\(link.name)", source: name,
                labels: labels, addresses: [],
                interfaces: [.init(name: link.name, index: UInt32(link.index))])
        }
    }
}
