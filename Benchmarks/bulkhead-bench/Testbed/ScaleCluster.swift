// SPDX-License-Identifier: Apache-2.0

import AgentCore
import IdentityModel
import NetworkModel

/// A cluster as big as it gets, seen from one of its hosts: 50 000 workloads elsewhere, 500 here, 10 000 policies,
/// 64 000 identities.
///
/// Every workload elsewhere has labels of its own, so an identity of its own: a hundred teams of fifty applications, ten
/// instances each. The policies are for the 50 applications of this host, ten workloads each; each opens two ports to
/// one application of one team and to one or two prefixes that no other policy names.
struct ScaleCluster: FieldContent {
    static let applicationsHere = 50
    static let teams = 100
    static let applicationsElsewhere = 50
    /// A policy that is in a file by itself, to be changed.
    static let changingFile = "changing.yaml"

    var policies = 10_000
    var prefixes = 14_000
    var remotes = 50_000
    var locals = 500

    // MARK: Workloads

    /// `generation`: another one is another set of labels.
    static func remote(_ number: Int, generation: Int = 0, shift: UInt32 = 0) -> RemoteWorkload {
        RemoteWorkload(
            labels: labels(
                team(number), application(number),
                [("instance", "i-\(number)")] + (generation == 0 ? [] : [("generation", "\(generation)")])),
            addresses: [IPAddress(v4: 0x0a80_0000 + UInt32(number) + shift)])
    }

    static func remoteKey(_ number: Int) -> String {
        RemoteWorkload.keyPrefix(source: "bench") + "\(team(number))/pod-\(number)"
    }

    func remoteWorkloads() -> RemoteDelta {
        var delta = RemoteDelta()
        for number in 0..<remotes { delta[Self.remoteKey(number)] = Self.remote(number) }
        return delta
    }

    /// Workloads of this host without links: what attaching programs costs is not measured with them.
    func localWorkloads() -> [Workload] { (0..<locals).map { Self.local($0, application: $0) } }

    /// `generation`: above 0 it has a label that nobody else has.
    static func local(_ number: Int, application: Int, generation: Int = 0) -> Workload {
        Workload(
            key: "bench:\(number)", name: "bench-\(number)", source: "bench",
            labels: labels(
                "shop", "app-\(application % applicationsHere)",
                generation > 0 ? [("generation", "\(generation)")] : []),
            addresses: [IPAddress(v4: 0x0ae4_0000 + UInt32(number) + 1)], interfaces: [])
    }

    /// The same workloads for a real agent.
    func workloadsFile(endpoints: Int) -> String {
        let here = (0..<endpoints).map { number in
            """
            - {name: bench-\(number), namespace: shop, interface: v\(number), addresses: ["\(RuleSet.text(
                0x0ae4_0000 + UInt32(number) + 1))"], labels: {app: app-\(number % Self.applicationsHere)}}

            """
        }
        let elsewhere = (0..<remotes).map { number in
            """
            - {name: pod-\(number), namespace: \(Self.team(number)), addresses: ["\(RuleSet.text(
                0x0a80_0000 + UInt32(number)))"], labels: {app: \(Self.application(number)), instance: i-\(number)}}

            """
        }
        return "workloads:\n" + here.joined() + elsewhere.joined()
    }

    private static func team(_ number: Int) -> String { "team-\(number % teams)" }
    private static func application(_ number: Int) -> String { "app-\(number / teams % applicationsElsewhere)" }

    private static func labels(_ namespace: String, _ application: String, _ others: [(String, String)]) -> LabelSet {
        LabelSet(
            [
                Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: namespace),
                Label(source: LabelSource.workload, key: "app", value: application),
            ] + others.map { Label(source: LabelSource.workload, key: $0.0, value: $0.1) })
    }

    var settings: String { "tables: {policyEntries: 262144}" }

    // MARK: Policies

    /// File name and content of everything but the changing policy.
    func files() -> [(name: String, text: String)] {
        stride(from: 0, to: policies - 1, by: 100).map { start in
            let documents = (start..<min(start + 100, policies - 1)).map { Self.policy("policy-\($0)", $0, prefixes) }
            return ("policies-\(start / 100).yaml", documents.joined(separator: "---\n"))
        }
    }

    /// One policy of the whole, whose ports and peers differ by variant.
    func changing(_ variant: Int) -> String { Self.policy("changing", policies - 1, prefixes, variant: variant) }

    private static func policy(_ name: String, _ number: Int, _ prefixCount: Int, variant: Int = 0) -> String {
        let prefixes = stride(from: number, to: prefixCount, by: 10_000).map {
            "\"\(RuleSet.text(0xc612_0000 + UInt32($0)))/32\""
        }
        // Each policy for one application of this host means another one elsewhere.
        let turn = number / applicationsHere + 7 * variant
        let peer =
            "app: app-\((3 * number + turn / teams) % applicationsElsewhere), "
            + "k8s:io.kubernetes.pod.namespace: team-\(turn % teams)"
        let ports =
            "[{ports: [{port: \"\(8000 + (number + variant) % 500)\", protocol: TCP}, {port: \"9000\", protocol: TCP}]}]"
        return """
            apiVersion: cilium.io/v2
            kind: CiliumNetworkPolicy
            metadata: {name: \(name), namespace: shop}
            spec:
              endpointSelector: {matchLabels: {app: app-\(number % applicationsHere)}}
              ingress:
              - fromEndpoints:
                - matchLabels: {\(peer)}
                toPorts: \(ports)
              - fromCIDR: [\(prefixes.joined(separator: ", "))]
                toPorts: \(ports)

            """
    }
}
