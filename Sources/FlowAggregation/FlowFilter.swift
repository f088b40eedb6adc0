// SPDX-License-Identifier: Apache-2.0

package import EventModel
package import IdentityModel
package import NetworkModel

/// Which flows a reader wants: every field that is set must match; of the values in one field one must.
package struct FlowFilter: Sendable {
    /// Names or numbers; either side.
    package var endpoints: [String] = []
    /// Selectors; either side's identity.
    package var labels: [LabelSelector] = []
    /// Either side.
    package var identities: [NumericIdentity] = []
    package var verdicts: [Verdict] = []
    package var reasons: [DropReason] = []
    /// Either side; host order.
    ///
    /// Not for ICMP.
    package var ports: [UInt16] = []
    package var protocols: [IPProtocol] = []
    /// Either side.
    package var prefixes: [CIDR] = []
    package var direction: Direction?

    package init() {}

    /// True if the flow passes every field; cheap comparisons come first.
    package func matches(_ flow: Flow) -> Bool {
        let event = flow.event
        return (direction == nil || event.direction == direction)
            && (verdicts.isEmpty || verdicts.contains(event.verdict))
            && (reasons.isEmpty || reasons.contains(event.reason))
            && (protocols.isEmpty || protocols.contains(event.ipProtocol))
            && (ports.isEmpty || matchesPort(event))
            && (identities.isEmpty || identities.contains(event.identity) || identities.contains(event.peerIdentity))
            && (prefixes.isEmpty || prefixes.contains { $0.contains(event.source) || $0.contains(event.destination) })
            && (endpoints.isEmpty || matchesEndpoint(flow)) && (labels.isEmpty || matchesLabels(flow))
    }

    private func matchesPort(_ event: FlowEvent) -> Bool {
        !event.isICMP && (ports.contains(event.sourcePort) || ports.contains(event.destinationPort))
    }

    private func matchesEndpoint(_ flow: Flow) -> Bool {
        [flow.endpoint, flow.peer].contains { side in
            guard let side else { return false }
            return endpoints.contains { $0 == side.name || $0 == String(side.number) }
        }
    }

    private func matchesLabels(_ flow: Flow) -> Bool {
        [flow.identity, flow.peerIdentity].contains { side in
            guard let side else { return false }
            return labels.contains { $0.matches(side.labels) }
        }
    }
}
