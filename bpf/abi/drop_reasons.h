/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Why a packet was dropped, or would have been. Numbers are never reused: a retired reason keeps its line and the
 * word "retired". docs/reference/drop-reasons.md explains each to users; the tidy test compares the two lists.
 */
#ifndef BULKHEAD_ABI_DROP_REASONS_H
#define BULKHEAD_ABI_DROP_REASONS_H

enum {
	DROP_NONE = 0,
	DROP_POLICY_DEFAULT_DENY = 1,    /* a policy selects the endpoint in this direction and no rule allows the packet */
	DROP_POLICY_DENY = 2,            /* a deny rule */
	DROP_SOURCE_ADDRESS = 3,         /* the endpoint sent from an address that is not its own */
	DROP_TRUNCATED = 4,              /* the packet ends inside a header */
	DROP_IP_HEADER = 5,              /* version, lengths or addresses (IPv4-mapped in IPv6) are impossible */
	DROP_EXTENSION_HEADERS = 6,      /* more IPv6 extension headers than the parser walks, or a malformed one */
	DROP_VLAN_DEPTH = 7,             /* more than two VLAN tags */
	DROP_ETHERTYPE = 8,              /* neither IP nor ARP */
	DROP_PROTOCOL = 9,               /* ICMPv6 in IPv4 or ICMP in IPv6 */
	DROP_FRAGMENT_UNTRACKED = 10,    /* a later fragment whose first fragment was not seen or not allowed */
	DROP_FRAGMENT_MALFORMED = 11,    /* fragment that overlaps the header or overflows the datagram */
	DROP_CONNTRACK_FULL = 12,        /* no room for a new flow */
	DROP_ENDPOINT_UNKNOWN = 13,      /* the program runs on an interface without an endpoint record */
	DROP_CONFIGURATION = 14,         /* a table the program needs is missing: workload traffic fails closed */
	DROP_ICMP_UNRELATED = 15,        /* an ICMP error about a packet that no tracked flow sent */
	DROP_ICMP_MALFORMED = 16,        /* an ICMP message too short for its type, or an error about an error */
	DROP_ARP_SPOOFED = 17,           /* ARP from an address that is not the endpoint's own */
	DROP_NEIGHBOR_SPOOFED = 18,      /* IPv6 neighbour discovery for an address that is not the endpoint's own */
	DROP_TCP_FLAGS = 19,             /* an impossible combination: SYN+FIN, SYN+RST, none at all */
	DROP_POLICY_TABLE = 20,          /* the policy table is damaged: a chain longer than its bound */
	DROP_DESTINATION_ADDRESS = 21,   /* a packet for one address, which is not the endpoint's own, has reached it */
	DROP_CONNTRACK_SHARE = 22,       /* the endpoint holds its share of the conntrack table: no room for a new flow of it */
	DROP_LINK_PAYLOAD = 23,          /* ARP, neighbour discovery or group membership that is more than such a message needs */
	DROP_SHIELD_FEED = 24,           /* the source is in a deny feed of the shield, and in no allow feed */
	DROP_SHIELD_BLOCK = 25,          /* the source is blocked for a time */
	DROP_SHIELD_MARTIAN = 26,        /* a source address that no packet on a wire has */
	DROP_SHIELD_LAND = 27,           /* source and destination are the same address */
	DROP_SHIELD_TRANSPORT = 28,      /* lengths or ports of the TCP or UDP header are impossible */
	DROP_SHIELD_REFLECTOR = 29,      /* an answer of a service that amplifies, which nobody has asked for */
	DROP_SHIELD_PACKETS = 30,        /* more packets than the limit of source, network or destination allows */
	DROP_SHIELD_BYTES = 31,          /* the same for bytes */
	DROP_SHIELD_CONNECTIONS = 32,    /* new connections */
	DROP_SHIELD_FRAGMENTS = 33,      /* fragments */
	DROP_SHIELD_ICMP = 34,           /* ICMP messages */
	DROP_REASON_COUNT = 35,
};

#endif
