/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Events: what the kernel side tells user space through the rings of event_ring.h. The first byte is the kind. */
#ifndef BULKHEAD_ABI_FLOW_EVENT_H
#define BULKHEAD_ABI_FLOW_EVENT_H

#include "abi_types.h"

enum {
	EVENT_FLOW = 1,
};

enum {
	VERDICT_ALLOW = 1,
	VERDICT_DENY = 2,
	VERDICT_AUDIT = 3,                /* allowed, but would be denied outside audit mode */
	VERDICT_REDIRECT = 4,             /* reserved for the L7 proxy */
};

/* Conntrack's view of the packet that the event reports. */
enum {
	FLOW_NEW = 1,
	FLOW_ESTABLISHED = 2,
	FLOW_REPLY = 3,
	FLOW_RELATED = 4,
	FLOW_CLOSED = 5,
	FLOW_UNTRACKED = 6,
};

struct flow_event {
	__u8 kind;                        /* EVENT_FLOW */
	__u8 verdict;                     /* VERDICT_* */
	__u8 reason;                      /* DROP_* of a deny or audit, else DROP_NONE */
	__u8 direction;                   /* DIRECTION_* of the packet as seen from the endpoint */
	__u8 conntrack;                   /* FLOW_* */
	__u8 protocol;                    /* IP protocol; 0 for other ethertypes */
	__u8 family;                      /* 4, 6; 0 for other ethertypes, ARP among them */
	__u8 tcp_flags;                   /* of this packet */
	__u64 timestamp;                  /* CLOCK_MONOTONIC nanoseconds */
	struct ip_address source;
	struct ip_address destination;
	__u16 source_port;                /* network order; ICMP: identifier of a request, else 0 */
	__u16 destination_port;           /* network order; ICMP: type << 8 | code; family 0: the ethertype */
	__u16 endpoint;
	__u16 vlan;                       /* outermost VLAN id, 0 = none */
	__u32 subject;                    /* subject slot of the endpoint */
	__u32 identity;                   /* of the endpoint */
	__u32 peer_identity;              /* as found in the ipcache (may be a derived one) */
	__u32 rule;                       /* rule slot that decided; for default deny the subject's default_deny_rule */
	__u32 generation;                 /* policy generation that judged the packet */
	__u32 length;                     /* IP length of this packet, bytes */
	__u32 ifindex;
	__u32 packets;                    /* of this flow in this direction since it began, this packet included; a drop: 1 */
	__u64 bytes;                      /* likewise, IP length */
};
_Static_assert(sizeof(struct flow_event) == 96, "flow_event");

#endif
