// SPDX-License-Identifier: Apache-2.0

/// A service as rules name it.
struct ReferenceService {
    var name: String
    var namespace: String
    var labels: CaseNode
    /// Addresses are listed, not workloads selected.
    var isByAddress: Bool
    var ports: [Port]

    /// Where who is behind it is reached.
    struct Port {
        var proto: String
        /// A number or a name; nil: everywhere.
        var text: String?
    }
}

/// What documents of the kinds Node, Service, Endpoints and EndpointSlice say about a party.
struct ReferenceClusterObjects {
    private let documents: [CaseNode]

    static let kinds = ["Node", "Service", "Endpoints", "EndpointSlice"]

    init(_ policies: [CaseNode]) {
        documents = policies.filter { Self.kinds.contains($0["kind"]?.string ?? "") }
    }

    /// The party with the nodes and services that it stands for.
    func described(_ party: ReferenceParty) -> ReferenceParty {
        var party = party
        for document in documents {
            let labels = document["metadata"]?["labels"] ?? [:]
            if document["kind"]?.string == "Node" {
                if party.kind != .workload, addresses(document).contains(party.address) { party.nodes.append(labels) }
            } else if standsFor(document, party) {
                party.services.append(
                    ReferenceService(
                        name: serviceName(document), namespace: namespace(document), labels: labels,
                        isByAddress: document["kind"]?.string != "Service", ports: ports(document)))
            }
        }
        return party
    }

    private func namespace(_ document: CaseNode) -> String { document["metadata"]?["namespace"]?.string ?? "default" }

    private func serviceName(_ document: CaseNode) -> String {
        let metadata = document["metadata"]
        let name =
            document["kind"]?.string == "EndpointSlice"
            ? metadata?["labels"]?["kubernetes.io/service-name"] : metadata?["name"]
        return name?.string ?? ""
    }

    private func ports(_ document: CaseNode) -> [ReferenceService.Port] {
        let list =
            switch document["kind"]?.string {
            case "Service": document["spec"]?["ports"]
            case "Endpoints": document["subsets"]?.elements.first?["ports"]
            default: document["ports"]
            }
        return (list?.elements ?? []).map { port in
            ReferenceService.Port(
                proto: port["protocol"]?.string ?? "TCP", text: (port["targetPort"] ?? port["port"])?.string)
        }
    }

    /// A selector means workloads of the service's namespace; addresses mean whoever has them.
    private func standsFor(_ document: CaseNode, _ party: ReferenceParty) -> Bool {
        guard document["kind"]?.string == "Service" else {
            return addresses(document).contains(party.address)
        }
        let wanted = document["spec"]?["selector"]?.members ?? []
        return !wanted.isEmpty && party.isWorkload && party.namespace == namespace(document)
            && wanted.allSatisfy { party.values($0.key).contains($0.value.string ?? "") }
    }

    private func addresses(_ document: CaseNode) -> [ReferenceAddress] {
        let texts: [String?] =
            switch document["kind"]?.string {
            case "Node":
                (document["status"]?["addresses"]?.elements ?? [])
                    .filter { ["InternalIP", "ExternalIP"].contains($0["type"]?.string) }.map { $0["address"]?.string }
            case "Endpoints":
                (document["subsets"]?.elements ?? []).flatMap { $0["addresses"]?.elements ?? [] }
                    .map { $0["ip"]?.string }
            case "EndpointSlice":
                (document["endpoints"]?.elements ?? []).filter { $0["conditions"]?["ready"].map(\.isTrue) ?? true }
                    .flatMap { $0["addresses"]?.elements ?? [] }.map(\.string)
            default: []
            }
        return texts.compactMap { $0.flatMap(ReferenceAddress.init) }
    }
}
