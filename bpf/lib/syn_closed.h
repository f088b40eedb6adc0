/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who has closed a connection lately: a socket may wait there still, and it, not a cookie, has to answer the SYN of a
 * client that takes the same port again. A front cannot see sockets; it sees what the listener's program noted here.
 * A set holds the latest of those who share it: a client forgotten so is answered with a cookie that the waiting socket
 * refuses.
 */
#ifndef BULKHEAD_SYN_CLOSED_H
#define BULKHEAD_SYN_CLOSED_H

#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include "packet.h"

/* 2 MB. A thousand connections a second, each remembered for a minute, take a quarter of the places. */
#define SYN_CLOSED_SETS 65536
#define SYN_CLOSED_WAYS 4
/* Sockets wait for 60 s; in steps of 2^30 ns. */
#define SYN_CLOSED_STEPS 60

/* Of each: who in the upper half, when in the lower. */
struct syn_closed_set {
	__u64 ways[SYN_CLOSED_WAYS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SYN_CLOSED_SETS);
	__type(key, __u32);
	__type(value, struct syn_closed_set);
} syn_closed_map SEC(".maps");

/* Not the destination: it may be translated between the two. */
static __always_inline __u64 closed_hash(const struct packet *p)
{
	const aliasing_u64 *from = (const aliasing_u64 *)p->key.remote.bytes;
	__u64 h = (from[0] ^ p->key.remote_port) * 0x9e3779b97f4a7c15ull;

	h = (h ^ h >> 32 ^ from[1]) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 29;
}

static __always_inline struct syn_closed_set *closed_set(__u64 hash)
{
	__u32 index = hash & (SYN_CLOSED_SETS - 1);

	return bpf_map_lookup_elem(&syn_closed_map, &index);
}

static __always_inline void note_closed(const struct packet *p)
{
	__u64 hash = closed_hash(p);
	__u32 step = bpf_ktime_get_coarse_ns() >> 30, age, oldest_age = 0, oldest = 0;
	struct syn_closed_set *set = closed_set(hash);

	if (!set)
		return;
	for (__u32 i = 0; i < SYN_CLOSED_WAYS; i++) {
		__u64 noted = *(volatile __u64 *)&set->ways[i];

		/* One that was never used is as old as the machine. */
		age = noted >> 32 == hash >> 32 ? ~0u : step - (__u32)noted;
		if (age > oldest_age) {
			oldest_age = age;
			oldest = i;
		}
	}
	*(volatile __u64 *)&set->ways[oldest & (SYN_CLOSED_WAYS - 1)] = (hash & ~0ull << 32) | step;
}

static __always_inline bool has_closed(const struct packet *p, __u64 now)
{
	__u64 hash = closed_hash(p);
	struct syn_closed_set *set = closed_set(hash);

	if (!set)
		return false;
	for (__u32 i = 0; i < SYN_CLOSED_WAYS; i++) {
		__u64 noted = *(volatile __u64 *)&set->ways[i];

		if (noted >> 32 == hash >> 32 && (__u32)(now >> 30) - (__u32)noted <= SYN_CLOSED_STEPS)
			return true;
	}
	return false;
}

#endif
