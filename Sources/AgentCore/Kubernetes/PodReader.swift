// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import KubernetesClient
import NetworkModel
import Synchronization

/// Makes facts of pods as the API tells them; what pods have in common is made once.
final class PodReader: Sendable {
    private struct State {
        /// Keys of labels, as far as they make up identities; nil: one does not.
        var keys: [String: String?] = [:]
        var texts = SharedValues<String>(room: 16_384)
        var ports = SharedValues<NamedPorts>()
        var templates = SharedValues<PodTemplate>()
    }

    /// Keys may be as many as pods.
    private static let keysMax = 16_384

    private let filter: LabelFilter
    private let node: String
    private let state = Mutex(State())

    /// `node`: this one.
    init(filter: LabelFilter, node: String) {
        self.filter = filter
        self.node = node
    }

    /// Reads an object of the API; throws what is wrong with it.
    func facts(of object: RawObject) throws -> PodFacts {
        let pod = try Pod(object)
        let spec = pod.spec, status = pod.status
        let containers = (spec?.containers ?? []) + (spec?.initContainers ?? []).filter { $0.restartPolicy == "Always" }
        let texts = (status?.podIPs ?? []).compactMap(\.ip) + [status?.podIP].compactMap(\.self)
        let isHostNetwork = spec?.hostNetwork ?? false
        let place = spec?.nodeName ?? ""
        return PodFacts(
            template: template(of: pod, containers),
            node: state.withLock { $0.texts.shared(place) },
            addresses: isHostNetwork ? [] : IPAddress.inOrder(texts.compactMap { IPAddress($0) }),
            createdAt: object.meta.creationTimestamp.flatMap(RFC3339.microseconds) ?? 0,
            own: place == node
                ? PodFacts.Own(uid: object.meta.uid ?? "", image: containers.first?.image) : nil,
            isHostNetwork: isHostNetwork, isTerminating: object.meta.deletionTimestamp != nil,
            // What newer servers call an end nobody knows: it counts as running, so that policy stays on it.
            hasEnded: status?.phase == "Succeeded" || status?.phase == "Failed")
    }

    private func template(of pod: Pod, _ containers: [Pod.Container]) -> PodTemplate {
        let ports = containers.flatMap { $0.ports ?? [] }.compactMap(\.named)
        let namedPorts = NamedPorts(Dictionary(ports) { $0.union($1) })
        return state.withLock { state in
            let labels = labels(pod.metadata.labels ?? [:], &state)
            return state.templates.shared(
                PodTemplate(
                    namespace: state.texts.shared(pod.metadata.namespace ?? ""), labels: labels,
                    serviceAccount: state.texts.shared(pod.spec?.serviceAccountName ?? ""),
                    namedPorts: state.ports.shared(namedPorts)))
        }
    }

    private func labels(_ all: [String: String], _ state: inout State) -> [Label] {
        var labels: [Label] = []
        labels.reserveCapacity(all.count)
        for (key, value) in all {
            guard let kept = kept(key, &state) else { continue }
            labels.append(Label(source: LabelSource.kubernetes, key: kept, value: state.texts.shared(value)))
        }
        labels.sort()
        return labels
    }

    /// The key, one text for all labels; nil: it is no part of identities.
    private func kept(_ key: String, _ state: inout State) -> String? {
        if let known = state.keys[key] { return known }
        if state.keys.count >= Self.keysMax { state.keys = [:] }
        let kept = filter.keeps(Label(source: LabelSource.kubernetes, key: key)) ? key : nil
        state.keys[key] = .some(kept)
        return kept
    }
}

extension Pod.Port {
    /// Nil: it has no name, or is none that packets can have.
    fileprivate var named: (NamedPort, Set<UInt16>)? {
        guard let name, !name.isEmpty, let number = containerPort.flatMap({ UInt16(exactly: $0) }), number > 0,
            let proto = IPProtocol((`protocol` ?? "TCP").lowercased())
        else { return nil }
        return (NamedPort(proto: proto, name: name), [number])
    }
}
