// SPDX-License-Identifier: Apache-2.0

extension DropReason {
    /// The words for one reason.
    struct Text: Sendable {
        let name: String
        let explanation: String
        let remedy: String

        init(_ name: String, _ explanation: String, remedy: String) {
            self.name = name
            self.explanation = explanation
            self.remedy = remedy
        }
    }

    /// Indexed by raw value.
    static let texts: [Text] = [
        Text("none", "the packet was not dropped", remedy: "nothing to do"),
        Text(
            "policy-default-deny", "a policy selects the endpoint in this direction and no rule allows the packet",
            remedy: "add an allow rule for this peer and port; `bulkhead explain` names the policies that close it"),
        Text(
            "policy-deny", "a deny rule matches the packet",
            remedy: "remove or narrow the deny rule named in the flow; deny beats allow within a tier"),
        Text(
            "source-address", "the endpoint sent from an address that is not its own",
            remedy: "if the workload forwards for others, set `sourceCheck: false` for it in the workloads file"),
        Text(
            "truncated", "the packet ends inside a header",
            remedy: "look for a broken sender or a scanner at the source address"),
        Text(
            "ip-header", "version, length or addresses (IPv4-mapped in IPv6) of the IP header are impossible",
            remedy: "look for a broken sender or a scanner at the source address"),
        Text(
            "extension-headers", "more IPv6 extension headers than the parser walks, or a malformed one",
            remedy: "such chains are rare outside evasion attempts; make the sender use fewer headers"),
        Text(
            "vlan-depth", "the frame carries more than two VLAN tags",
            remedy: "end the outer tags at the host's bridge before the workload's interface"),
        Text(
            "ethertype", "the frame is neither IP nor ARP",
            remedy: "workloads speak IP only; give other protocols an interface that is not an endpoint"),
        Text(
            "protocol", "ICMPv6 inside IPv4, or ICMP inside IPv6",
            remedy: "look for a broken sender or a scanner at the source address"),
        Text(
            "fragment-untracked", "a later fragment whose first fragment was not seen or not allowed",
            remedy: "see the verdict on the first fragment; otherwise lower the sender's MTU so it need not fragment"),
        Text(
            "fragment-malformed", "a fragment overlaps the header or overflows the datagram",
            remedy: "a sign of an attack tool; look at the source address"),
        Text(
            "conntrack-full", "no room in the conntrack table for a new flow",
            remedy: "raise `conntrackEntries` in the agent's configuration, or find the flood with `bulkhead observe`"),
        Text(
            "endpoint-unknown", "the program runs on an interface that has no endpoint record",
            remedy: "restart the agent so that it repairs the record; report it if it comes back"),
        Text(
            "configuration", "a table the program needs is missing, so workload traffic fails closed",
            remedy: "start the agent; if it runs, `bulkhead status` says what could not be set up"),
        Text(
            "icmp-unrelated", "an ICMP error about a packet that no tracked flow sent",
            remedy: "allow ICMP from this peer with an `icmps` rule if it is wanted"),
        Text(
            "icmp-malformed", "an ICMP message too short for its type, or an error about an error",
            remedy: "look for a broken sender or a scanner at the source address"),
        Text(
            "arp-spoofed", "ARP from an address that is not the endpoint's own",
            remedy: "if the address is legitimate, add it to the workload; otherwise the workload is impersonating"),
        Text(
            "neighbor-spoofed", "IPv6 neighbour discovery for an address that is not the endpoint's own",
            remedy: "if the address is legitimate, add it to the workload; otherwise the workload is impersonating"),
        Text(
            "tcp-flags", "an impossible combination of TCP flags: SYN+FIN, SYN+RST or none at all",
            remedy: "a sign of a port scanner; look at the source address"),
        Text(
            "policy-table", "the policy table is damaged: a chain is longer than its bound",
            remedy: "restart the agent so that it writes the table anew; report it if it comes back"),
        Text(
            "destination-address", "a packet for an address that is not the endpoint's own reached its interface",
            remedy: "if it forwards for others, set `sourceCheck: false`; otherwise frames of another are led to it"),
        Text(
            "conntrack-share", "the endpoint holds its share of the conntrack table: no room for a new flow of it",
            remedy: "find its flood with `bulkhead observe`, or raise `conntrackEntries` (a share is a quarter of them)"
        ),
        Text(
            "link-payload", "ARP, neighbour discovery or group membership carries more than such a message needs",
            remedy: "a sign of a hidden channel; for routers and VMs that forward set `sourceCheck: false`"),
        Text(
            "shield-feed", "the source is in a deny feed of the shield, and in no allow feed",
            remedy: "`bulkhead shield feeds` counts by feed; put the address into an allow feed if it is wanted"),
        Text(
            "shield-block", "the source is blocked for a time", remedy: "`bulkhead shield unblock` lifts it"),
        Text(
            "shield-martian", "a source address that no packet on a wire has",
            remedy: "somebody forges; if it is your own network, set `shield.martians: false`"),
        Text(
            "shield-land", "source and destination are the same address",
            remedy: "forged: no host sends to itself over a wire"),
        Text(
            "shield-transport", "lengths or ports of the TCP or UDP header are impossible",
            remedy: "look for a broken sender or a scanner at the source address"),
        Text(
            "shield-reflector", "an answer of a service that amplifies, which nobody here has asked for",
            remedy: "if clients use that source port with a service of yours, add its port to `shield.servedPorts`"),
        Text(
            "shield-packets", "more packets than the limit of source, network or destination allows",
            remedy: "raise the limit in `shield.limits`, or put the source into an allow feed"),
        Text(
            "shield-bytes", "more bytes than the limit of source, network or destination allows",
            remedy: "raise the limit in `shield.limits`, or put the source into an allow feed"),
        Text(
            "shield-connections", "more new connections than the limit of source, network or destination allows",
            remedy: "raise the limit in `shield.limits`, or put the source into an allow feed"),
        Text(
            "shield-fragments", "more fragments than the limit of source, network or destination allows",
            remedy: "lower the senders' MTU so that they need not fragment, or raise the limit"),
        Text(
            "shield-icmp", "more ICMP messages than the limit of source, network or destination allows",
            remedy: "raise the limit in `shield.limits`, or put the source into an allow feed"),
    ]
}
