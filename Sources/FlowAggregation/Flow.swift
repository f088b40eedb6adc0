// SPDX-License-Identifier: Apache-2.0

package import EventModel
package import IdentityModel

/// A flow event with the names that were true when it was read.
package struct Flow: Sendable {
    /// Counts every event the aggregator has taken, from 1; a gap seen by a reader is a loss.
    package let sequence: UInt64
    /// Nanoseconds since 1970, from the event's monotonic time stamp.
    package let time: Int64
    package let event: FlowEvent
    /// The endpoint whose program judged the packet.
    package let endpoint: EndpointName?
    /// The other side, if it is an endpoint of this host.
    package let peer: EndpointName?
    package let identity: ResolvedIdentity?
    package let peerIdentity: ResolvedIdentity?
    package let rule: RuleName?

    /// Looks every number of the event up in `names`; a few table reads and no allocation.
    @inline(__always)
    package init(_ event: FlowEvent, sequence: UInt64, time: Int64, names: borrowing FlowNames) {
        self.sequence = sequence
        self.time = time
        self.event = event
        self.endpoint = names.endpoint(event.endpoint)
        self.peer = names.endpoint(at: event.peerAddress)
        self.identity = names.identity(event.identity)
        self.peerIdentity = names.identity(event.peerIdentity)
        self.rule = names.rule(event.rule)
    }
}
