// SPDX-License-Identifier: Apache-2.0

import ContainerRuntimes
import KubernetesClient
import NetworkModel

extension PodFacts {
    /// Reads an object of the API; throws what is wrong with it.
    init(_ object: RawObject) throws {
        let pod = try Pod(object)
        let spec = pod.spec, status = pod.status
        let containers = (spec?.containers ?? []) + (spec?.initContainers ?? []).filter { $0.restartPolicy == "Always" }
        let texts = (status?.podIPs ?? []).compactMap(\.ip) + [status?.podIP].compactMap(\.self)
        let isHostNetwork = spec?.hostNetwork ?? false
        // What newer servers call an end nobody knows: it counts as running, so that policy stays on it.
        let hasEnded = status?.phase == "Succeeded" || status?.phase == "Failed"
        self.init(
            uid: object.meta.uid ?? "", namespace: object.meta.namespace ?? "", name: object.meta.name ?? "",
            node: spec?.nodeName ?? "", labels: object.meta.labels ?? [:],
            serviceAccount: spec?.serviceAccountName ?? "",
            addresses: isHostNetwork ? [] : Set(texts.compactMap { IPAddress($0) }).sorted(),
            namedPorts: containers.flatMap { $0.ports ?? [] }.compactMap(NamedPort.init),
            image: containers.first?.image,
            createdAt: object.meta.creationTimestamp ?? "", isHostNetwork: isHostNetwork,
            isTerminating: object.meta.deletionTimestamp != nil, hasEnded: hasEnded)
    }
}

extension ContainerRuntimes.NamedPort {
    /// Nil: it has no name, or is none that packets can have.
    fileprivate init?(_ port: Pod.Port) {
        guard let name = port.name, !name.isEmpty, let number = port.containerPort.flatMap({ UInt16(exactly: $0) }),
            number > 0, let transport = IPProtocol((port.protocol ?? "TCP").lowercased())
        else { return nil }
        self.init(name: name, port: number, transport: transport)
    }
}
