/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Per-CPU counters of the datapath. No packet and no event is lost without one of these moving. */
#ifndef BULKHEAD_ABI_METRICS_H
#define BULKHEAD_ABI_METRICS_H

#include "abi_types.h"
#include "drop_reasons.h"

/*
 * metrics_map index: METRIC_DROP + reason * 2 + direction for drops. Packets that passed are not counted here: each
 * moves the counter of exactly one rule slot (rule_stats_map), built-in ones included, and the sum is what passed plus
 * what a rule dropped.
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
	METRIC_COUNT = 160,
};

struct metric {
	__u64 packets;
	__u64 bytes;
};
_Static_assert(sizeof(struct metric) == 16, "metric");

#endif
