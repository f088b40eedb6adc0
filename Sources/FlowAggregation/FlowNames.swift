// SPDX-License-Identifier: Apache-2.0

import EventModel
package import IdentityModel
package import NetworkModel
package import PolicyModel

/// What a flow says about an endpoint.
///
/// A shared immutable object, so that a flow holds a reference and no text.
package final class EndpointName: Sendable {
    /// Number of the endpoint on this host; 0: it is of another one.
    package let number: UInt16
    /// The user's name for it, as in `podman/web`.
    package let name: String

    package init(number: UInt16, name: String) {
        self.number = number
        self.name = name
    }
}

/// What a flow says about the rule that decided.
package final class RuleName: Sendable {
    /// Slot in the kernel's rule table.
    package let slot: UInt32
    /// One line: the rule, the policies behind a default deny, or the built-in verdict.
    package let text: String
    /// Where the rule stands; nil for default deny and built-in verdicts.
    package let source: SourceLocation?
    /// Whose verdict it is: the rule's policy, or those that close the direction; none for built-in verdicts.
    package let policies: [PolicyReference]

    package init(slot: UInt32, text: String, source: SourceLocation?, policies: [PolicyReference] = []) {
        self.slot = slot
        self.text = text
        self.source = source
        self.policies = policies
    }
}

/// The tables that turn numbers of an event into names: one array or dictionary lookup each.
///
/// The agent brings them up to date with each state it commits; events decoded later are enriched with the newest.
package struct FlowNames: Sendable {
    private var endpoints: [EndpointName?] = []
    private var byAddress: [IPAddress: EndpointName] = [:]
    /// Workloads of other hosts, by what they are known by: somebody else's texts, for there are very many.
    private var remotesByAddress: [IPAddress: String] = [:]
    private var workloads: [ResolvedIdentity?] = []
    private var otherIdentities: [UInt32: ResolvedIdentity] = [:]
    private var rules: [RuleName?] = []
    /// The shield's, by number.
    private var feeds: [RuleName?] = []

    package init() {}

    /// Names an endpoint, and adds addresses that are its own.
    package mutating func setEndpoint(_ endpoint: EndpointName, addresses: [IPAddress] = []) {
        FlowNames.set(&endpoints, Int(endpoint.number), endpoint)
        for address in addresses { byAddress[address] = endpoint }
    }

    /// Says which endpoint owns which address; replaces what was said before.
    package mutating func setAddresses(_ owners: [IPAddress: EndpointName]) { byAddress = owners }

    /// Names a workload of another host by its addresses; what it is called stands behind the first slash of the key.
    package mutating func setRemote(key: String, addresses: [IPAddress]) {
        for address in addresses { remotesByAddress[address] = key }
    }

    /// A workload of another host has these addresses no more; what somebody else has got stays.
    package mutating func removeRemote(key: String, addresses: [IPAddress]) {
        for address in addresses where remotesByAddress[address] == key { remotesByAddress[address] = nil }
    }

    /// Names an identity.
    package mutating func setIdentity(_ identity: ResolvedIdentity) {
        let number = identity.identity.rawValue
        if number <= NumericIdentity.workloadRange.upperBound {
            FlowNames.set(&workloads, Int(number), identity)
        } else {
            otherIdentities[number] = identity
        }
    }

    /// Names a rule slot.
    package mutating func setRule(_ rule: RuleName) { FlowNames.set(&rules, Int(rule.slot), rule) }

    /// Names the shield's feeds.
    mutating func setFeeds(_ names: [RuleName]) {
        for name in names { FlowNames.set(&feeds, Int(name.slot - FlowEvent.firstFeedRule), name) }
    }

    /// Takes over the names of feeds, which no state of the policies brings.
    mutating func keepFeeds(of other: borrowing FlowNames) { feeds = other.feeds }

    /// The endpoint of that number.
    package func endpoint(_ number: UInt16) -> EndpointName? { FlowNames.get(endpoints, Int(number)) }

    /// The endpoint that owns an address; one of this host before one of another.
    package func endpoint(at address: IPAddress) -> EndpointName? {
        byAddress[address]
            ?? remotesByAddress[address].map { key in
                EndpointName(number: 0, name: key.split(separator: "/", maxSplits: 1).last.map(String.init) ?? key)
            }
    }

    /// The identity of that number.
    package func identity(_ identity: NumericIdentity) -> ResolvedIdentity? {
        identity.rawValue <= NumericIdentity.workloadRange.upperBound
            ? FlowNames.get(workloads, Int(identity.rawValue)) : otherIdentities[identity.rawValue]
    }

    /// The rule in that slot.
    package func rule(_ slot: UInt32) -> RuleName? {
        slot < FlowEvent.firstFeedRule
            ? FlowNames.get(rules, Int(slot)) : FlowNames.get(feeds, Int(slot - FlowEvent.firstFeedRule))
    }

    private static func set<Name>(_ table: inout [Name?], _ index: Int, _ name: Name) {
        if index >= table.count { table += Array(repeating: nil, count: max(index + 1, 2 * table.count) - table.count) }
        table[index] = name
    }

    @inline(__always)
    private static func get<Name>(_ table: [Name?], _ index: Int) -> Name? {
        index < table.count ? table[index] : nil
    }
}
