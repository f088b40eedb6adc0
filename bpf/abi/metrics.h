/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Per-CPU counters of the datapath. No packet and no event is lost without one of these moving. */
#ifndef BULKHEAD_ABI_METRICS_H
#define BULKHEAD_ABI_METRICS_H

#include "abi_types.h"
#include "drop_reasons.h"

/*
 * metrics_map index: METRIC_DROP + reason * 2 + direction for drops. Packets that passed are not counted here: each
 * moves the counter of exactly one rule slot (rule_stats_map), built-in ones included, and the sum is what passed plus
 * what a rule dropped. What an untracked policy in audit mode would have dropped moves that rule's besides.
 */
enum {
	METRIC_DROP = 0,
	METRIC_EVENT_LOST = 128,          /* ring full: an event was not written (packets = events) */
	METRIC_EVENT_WRITTEN = 129,
	METRIC_CONNTRACK_CREATED = 130,
	METRIC_CONNTRACK_EXPIRED = 131,   /* an expired entry met a packet and was replaced */
	METRIC_CONNTRACK_FULL = 132,
	METRIC_FRAGMENT_TRACKED = 133,
	METRIC_AUDITED = 134,             /* packets that audit mode let pass */
	METRIC_REEVALUATED = 135,         /* established flows judged again after a policy change */
	METRIC_REVOKED = 136,             /* of these: now denied */
	METRIC_NOT_IP = 137,              /* ARP and other link-layer traffic that passed */
	METRIC_DNS_QUERY = 138,           /* questions noted, see bpf/abi/fqdn.h */
	METRIC_DNS_ANSWER = 139,          /* answers believed */
	METRIC_DNS_UNASKED = 140,         /* answers nobody waited for, or not this one: forged, late, repeated */
	METRIC_DNS_MALFORMED = 141,
	METRIC_DNS_UNREAD = 142,          /* fragments, messages cut in two, more messages in a packet than are read */
	METRIC_DNS_LEARNED = 143,         /* addresses that got a number, or kept it longer */
	METRIC_DNS_FORBIDDEN = 144,       /* addresses that no name opens: loopback, link-local, metadata */
	METRIC_DNS_CROWDED = 145,         /* an address or a name with more numbers than there is room for */
	METRIC_DNS_NO_ROOM = 146,         /* no memory for a learned address */
	METRIC_DNS_FORGED = 147,          /* answers that an endpoint without source check sent in a resolver's name */
	METRIC_COUNT = 160,
};

struct metric {
	__u64 packets;
	__u64 bytes;
};
_Static_assert(sizeof(struct metric) == 16, "metric");

#endif
