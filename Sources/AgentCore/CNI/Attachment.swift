// SPDX-License-Identifier: Apache-2.0

import CNIPlugin
import ContainerRuntimes
import IdentityModel
import KernelDatapath
import NetworkModel

/// An interface of a container that a network plugin told of, where the kernel shows it.
struct Attachment: Codable, Hashable, Sendable {
    /// The source's name.
    static let source = "cni"

    var request: AttachmentRequest
    /// The host's end.
    var host: Workload.Interface
    /// Found inside, besides what the plugin said.
    var linkLocalAddresses: [String]
    /// The runtime let it go: nobody's until the interface is gone, and closed.
    var isLeaving = false

    var key: String { "\(Attachment.source):\(request.containerID)/\(request.interface)" }

    /// `<namespace>/<name>`; nil: the runtime did not say.
    var pod: String? { request.podName.map { "\(request.podNamespace ?? WorkloadLabels.defaultNamespace)/\($0)" } }

    /// A workload by itself, or somebody still to be named.
    var isWorkload: Bool { request.isWorkload && !isLeaving }

    private var name: String {
        pod ?? "\(request.containerID.prefix(12))/\(request.interface)"
    }

    /// As whom it is judged while no other source names the interface.
    var workload: Workload {
        let declared = Set(request.addresses.compactMap { IPAddress($0) })
        let read = Set(linkLocalAddresses.compactMap { IPAddress($0) }).subtracting(declared)
        var details = ["container": request.containerID, "network": request.network]
        details["podUID"] = request.podUID
        return Workload(
            key: key, name: isWorkload ? name : "init:\(name)", source: Attachment.source, labels: labels,
            addresses: isWorkload ? declared.union(read) : [], readAddresses: isWorkload ? read : [],
            interfaces: [host], namedPorts: isWorkload ? namedPorts : NamedPorts(), details: details)
    }

    private var labels: LabelSet {
        guard isWorkload else { return NewcomerSource.labels }
        let given = request.labels
        let namespace = request.podNamespace ?? WorkloadLabels.namespace(given)
        var labels = WorkloadLabels.labels(given, source: LabelSource.workload, namespace: namespace)
        if let name = request.podName {
            labels.append(Label(source: LabelSource.kubernetes, key: WellKnownLabel.podName, value: name))
        }
        return LabelSet(labels)
    }

    private var namedPorts: NamedPorts {
        let ports = WorkloadLabels.namedPorts(request.labels).map {
            (IdentityModel.NamedPort(proto: $0.transport, name: $0.name), Set([$0.port]))
        }
        return NamedPorts(Dictionary(ports) { $0.union($1) })
    }
}
