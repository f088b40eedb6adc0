// SPDX-License-Identifier: Apache-2.0
package import IdentityModel
package import NetworkModel

/// One interface of an endpoint, as the kernel programs need to know it.
package struct DatapathEndpoint: Hashable, Sendable {
    /// The host side of the endpoint's link.
    package var interface: UInt32
    /// Number of the endpoint on this host, from 1.
    ///
    /// Interfaces of the host endpoint share one number.
    package var number: UInt16
    /// Slot in the subject table.
    package var subject: UInt16
    package var identity: NumericIdentity
    /// The addresses it may use as its own.
    package var addresses: Set<IPAddress>
    package var options: EndpointOptions

    package init(
        interface: UInt32, number: UInt16, subject: UInt16, identity: NumericIdentity, addresses: Set<IPAddress>,
        options: EndpointOptions = []
    ) {
        self.interface = interface
        self.number = number
        self.subject = subject
        self.identity = identity
        self.addresses = addresses
        self.options = options
    }
}

/// What is special about an endpoint; bits of `ENDPOINT_*` in `bpf/abi/endpoint.h`.
package struct EndpointOptions: OptionSet, Hashable, Sendable {
    package let rawValue: UInt16

    package init(rawValue: UInt16) { self.rawValue = rawValue }

    /// Nothing is dropped for policy at this endpoint; what would have been is reported.
    package static let audit = EndpointOptions(rawValue: 1 << 0)
    /// The host itself: failsafe ports apply, and traffic that it forwards is not judged.
    package static let host = EndpointOptions(rawValue: 1 << 1)
    /// The endpoint forwards for others, so its source addresses are not checked.
    package static let noSourceCheck = EndpointOptions(rawValue: 1 << 2)
    /// Packets begin with the IP header (tun).
    package static let noLinkLayer = EndpointOptions(rawValue: 1 << 3)
}

/// A port of the host that no policy closes.
package struct FailsafePort: Hashable, Sendable {
    /// The local port for ingress, the remote one for egress.
    package var port: UInt16
    package var proto: IPProtocol
    package var direction: Direction

    package init(port: UInt16, proto: IPProtocol, direction: Direction) {
        self.port = port
        self.proto = proto
        self.direction = direction
    }
}

/// How a program hangs on a device.
package enum AttachmentKind: String, Hashable, Sendable {
    /// A pinned link (Linux 6.6 and later).
    case tcx
    /// A filter of the clsact queueing discipline.
    case clsact
}
