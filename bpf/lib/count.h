/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Per-CPU counters. */
#ifndef BULKHEAD_COUNT_H
#define BULKHEAD_COUNT_H

#include "maps.h"

static __always_inline void count_metric(__u32 index, __u32 bytes)
{
	struct metric *m = bpf_map_lookup_elem(&metrics_map, &index);

	if (m) {
		m->packets += 1;
		m->bytes += bytes;
	}
}

static __always_inline void count_rule(__u32 slot, int direction, __u32 bytes)
{
	struct rule_stats *s = bpf_map_lookup_elem(&rule_stats_map, &slot);

	if (!s)
		return;
	/* By constant index: older verifiers do not follow a variable one. */
	if (direction == DIRECTION_EGRESS) {
		s->packets[DIRECTION_EGRESS] += 1;
		s->bytes[DIRECTION_EGRESS] += bytes;
	} else {
		s->packets[DIRECTION_INGRESS] += 1;
		s->bytes[DIRECTION_INGRESS] += bytes;
	}
}

static __always_inline void count_drop(__u32 reason, int direction, __u32 bytes)
{
	count_metric(METRIC_DROP + reason * DIRECTION_COUNT + direction, bytes);
}

#endif
