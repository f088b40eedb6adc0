// SPDX-License-Identifier: Apache-2.0

package import IdentityModel
import NetworkModel

/// How the labels of a container become those of a workload.
///
/// Every label `key=value` becomes `container:key=value`. The namespace is the value of the first of
/// `io.kubernetes.pod.namespace` and `bulkhead.dev/namespace` that the container has, else `default`; it is carried as
/// `k8s:io.kubernetes.pod.namespace=<namespace>` so that selectors written for Kubernetes find it.
/// `bulkhead.dev/ports: "http=8080/tcp,dns=53/udp"` names ports; without a protocol a port is TCP.
package enum WorkloadLabels {
    package static let defaultNamespace = "default"
    /// The container label that gives the namespace on a host without Kubernetes.
    package static let namespaceKey = "bulkhead.dev/namespace"
    /// The container label that names ports.
    package static let portsKey = "bulkhead.dev/ports"

    /// The namespace those container labels put a workload in.
    package static func namespace(_ labels: [String: String]) -> String {
        for key in [WellKnownLabel.namespace, namespaceKey] {
            if let value = labels[key], !value.isEmpty { return value }
        }
        return defaultNamespace
    }

    /// The labels of a workload in that namespace.
    /// - Parameter source: `LabelSource.container` or `LabelSource.workload`.
    package static func labels(_ labels: [String: String], source: String, namespace: String) -> [Label] {
        let own = labels.filter { ![WellKnownLabel.namespace, namespaceKey, portsKey].contains($0.key) }
            .sorted { $0.key < $1.key }
            .map { Label(source: source, key: $0.key, value: $0.value) }
        return own + [Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: namespace)]
    }

    /// The ports named by `bulkhead.dev/ports`; entries that cannot be read are left out.
    package static func namedPorts(_ labels: [String: String]) -> [NamedPort] {
        (labels[portsKey] ?? "").split(separator: ",").compactMap { entry in
            let parts = entry.split(separator: "=", maxSplits: 1).map { trimmed($0) }
            guard parts.count == 2, !parts[0].isEmpty else { return nil }
            return namedPort(parts[0], parts[1])
        }
    }

    /// Reads `8080/tcp` or `8080`; nil if it is neither.
    private static func namedPort(_ name: String, _ text: String) -> NamedPort? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let port = UInt16(parts[0]), port > 0 else { return nil }
        let transport = parts.count == 1 ? .tcp : IPProtocol(String(parts[1]))
        guard let transport, [.tcp, .udp, .sctp].contains(transport) else { return nil }
        return NamedPort(name: name, port: port, transport: transport)
    }

    private static func trimmed(_ text: Substring) -> String {
        String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
