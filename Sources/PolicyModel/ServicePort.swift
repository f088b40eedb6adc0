// SPDX-License-Identifier: Apache-2.0

package import IdentityModel
package import NetworkModel

/// A port behind a service, as its group's labels say it: no selector can name such a label.
package struct ServicePort: Hashable, Sendable {
    package enum Number: Hashable, Sendable {
        case all
        case number(UInt16)
        /// As whoever is behind the service calls it.
        case named(String)
    }

    package var proto: IPProtocol
    package var number: Number

    package init(proto: IPProtocol, number: Number) {
        self.proto = proto
        self.number = number
    }

    private static let prefix = "port:"

    package var label: Label {
        let text =
            switch number {
            case .all: "*"
            case .number(let number): "\(number)"
            case .named(let name): "=\(name)"
            }
        return Label(source: LabelSource.service, key: "\(ServicePort.prefix)\(proto.rawValue)/\(text)")
    }

    /// Nil: the label is another one.
    package init?(_ label: Label) {
        guard label.source == LabelSource.service, label.key.hasPrefix(ServicePort.prefix) else { return nil }
        let parts = label.key.dropFirst(ServicePort.prefix.count).split(separator: "/", maxSplits: 1)
        guard parts.count == 2, let proto = UInt8(parts[0]) else { return nil }
        self.proto = IPProtocol(rawValue: proto)
        if parts[1] == "*" {
            number = .all
        } else if parts[1].hasPrefix("=") {
            number = .named(String(parts[1].dropFirst()))
        } else if let port = UInt16(parts[1]) {
            number = .number(port)
        } else {
            return nil
        }
    }
}

/// The ports of services: which group's, and of which protocol.
package struct ServicePortSelector: Hashable, Sendable {
    /// Selects groups by their labels.
    package var services: LabelSelector
    /// Nil: of every protocol.
    package var proto: IPProtocol?

    package init(services: LabelSelector, proto: IPProtocol? = nil) {
        self.services = services
        self.proto = proto
    }

    /// The ports that it means of a peer in these groups, none twice.
    package func ports(of groups: [LabelSet]) -> [ServicePort] {
        var found: [ServicePort] = []
        for group in groups where services.matches(group) {
            for label in group.labels {
                guard let port = ServicePort(label), proto == nil || proto == port.proto, !found.contains(port) else {
                    continue
                }
                found.append(port)
            }
        }
        return found
    }
}
