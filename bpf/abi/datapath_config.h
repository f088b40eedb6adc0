/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the agent tells every program, in one memory-mapped element of config_map. Plain aligned stores switch it. */
#ifndef BULKHEAD_ABI_DATAPATH_CONFIG_H
#define BULKHEAD_ABI_DATAPATH_CONFIG_H

#include "abi_types.h"
#include "conntrack.h"

#define BANK_COUNT 2

enum {
	CONFIG_AUDIT = 1 << 0,            /* global audit: nothing is dropped for policy, everything is reported */
	CONFIG_READY = 1 << 1,            /* set once a complete generation is in place; until then workloads fail closed */
};

struct datapath_config {
	__u32 active_bank;                /* 0 or 1: which half of every banked table a packet reads; the commit point */
	__u32 bank_generation[BANK_COUNT]; /* policy generation in each bank; the active one travels in every event */
	__u32 flags;                      /* CONFIG_* */
	__u32 ticks_per_second;           /* the kernel's HZ */
	__u32 report_interval_ticks;      /* an allowed flow is reported again after this long; 0 = every packet */
	__u32 policy_bucket_mask[BANK_COUNT]; /* buckets of the policy table, minus one */
	__u32 timeout_ticks[CONNTRACK_TIMEOUT_COUNT];
	__u32 conntrack_share;            /* flows that one endpoint may hold; 0 = as many as there is room for */
	__u32 forward_subject;            /* slot of what passes through the host, at its devices; 0: no policy is about that */
	__u32 untracked_subject;          /* slot of all that crosses them, packet by packet; 0: no policy is about that */
};
_Static_assert(sizeof(struct datapath_config) == 44 + 4 * CONNTRACK_TIMEOUT_COUNT, "datapath_config");

#endif
