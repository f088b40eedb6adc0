// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// Whom no action may hit: what the host itself, its network and its operator need.
package struct GuardRails: Hashable, Sendable {
    /// As configured.
    package var protected: [CIDR]
    /// Addresses of this host.
    package var own: Set<IPAddress>
    /// Next hops of its routes.
    package var gateways: Set<IPAddress>
    /// Name servers of its resolver.
    package var resolvers: Set<IPAddress>
    /// Addresses of workloads on this host, by which a quarantine finds them.
    package var workloads: Set<IPAddress>
    /// Who sits in a session of administration.
    package var sessions: Set<IPAddress>
    /// False while the host's own addresses are not known: nothing is blocked then.
    package var areKnown: Bool

    package init(
        protected: [CIDR] = [], own: Set<IPAddress> = [], gateways: Set<IPAddress> = [],
        resolvers: Set<IPAddress> = [], workloads: Set<IPAddress> = [], sessions: Set<IPAddress> = [],
        areKnown: Bool = true
    ) {
        self.protected = protected
        self.own = own
        self.gateways = gateways
        self.resolvers = resolvers
        self.workloads = workloads
        self.sessions = sessions
        self.areKnown = areKnown
    }

    /// Never a single somebody: this network, loopback, link-local, multicast, reserved; and what tunnels carry for others.
    private static let special = [
        "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/96", "64:ff9b::/96", "2001::/32", "2002::/16",
        "fe80::/10", "ff00::/8",
    ].compactMap { CIDR($0) }

    /// Why a prefix may not be blocked; nil: it may.
    package func refusal(toBlock prefix: CIDR) -> String? {
        guard (prefix.isIPv4 ? [32] : [64, 128]).contains(prefix.length) else {
            return "\(prefix) is wider than what shares an address"
        }
        guard areKnown else { return "the host's own addresses are not known yet" }
        if let special = GuardRails.special.first(where: { GuardRails.overlap($0, prefix) }) {
            return "\(prefix) lies in \(special), which is nobody in particular"
        }
        if let need = need(of: prefix) { return need }
        if let address = workloads.filter(prefix.contains).min() {
            return "\(address) is a workload of this host: quarantine is for those"
        }
        if let network = protected.first(where: { GuardRails.overlap($0, prefix) }) { return "\(network) is protected" }
        return nil
    }

    /// Whom of a prefix the host cannot do without, and why; nil: nobody.
    package func need(of prefix: CIDR) -> String? {
        for (name, addresses) in [
            ("this host's own", own), ("a gateway", gateways), ("a resolver", resolvers),
            ("in a session of administration", sessions),
        ] {
            if let address = addresses.filter(prefix.contains).min() { return "\(address) is \(name)" }
        }
        return nil
    }

    /// Everybody whom the host cannot do without.
    package var needed: Set<IPAddress> { own.union(gateways).union(resolvers).union(sessions) }

    /// Why an address may not be put in quarantine; nil: it may.
    package func refusal(toQuarantine address: IPAddress) -> String? {
        guard areKnown else { return "the host's own addresses are not known yet" }
        if own.contains(address) { return "\(address) is this host's own: a host is not put in quarantine" }
        guard workloads.contains(address) else { return "\(address) is no workload of this host" }
        if let network = protected.first(where: { $0.contains(address) }) { return "\(network) is protected" }
        return nil
    }

    /// Why a destination may not be defended; nil: it may.
    package func refusal(toDefend address: IPAddress) -> String? {
        own.contains(address) || workloads.contains(address) ? nil : "\(address) is not on this host"
    }

    private static func overlap(_ a: CIDR, _ b: CIDR) -> Bool { a.contains(b) || b.contains(a) }
}
