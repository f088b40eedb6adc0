/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who has closed a connection lately: a socket may wait there still, and it, not a cookie, has to answer the SYN of a
 * client that takes the same port again. A front cannot see sockets; it sees what the listener's program noted here.
 * What has the same place overwrites: a client forgotten so is answered with a cookie that the waiting socket refuses.
 */
#ifndef BULKHEAD_SYN_CLOSED_H
#define BULKHEAD_SYN_CLOSED_H

#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include "packet.h"

#define SYN_CLOSED_COUNT 65536
/* Sockets wait for 60 s; in steps of 2^30 ns. */
#define SYN_CLOSED_STEPS 60

/* Who in the upper half, when in the lower. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SYN_CLOSED_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} syn_closed_map SEC(".maps");

/* Not the destination: it may be translated between the two. */
static __always_inline __u64 closed_hash(const struct packet *p)
{
	const aliasing_u64 *from = (const aliasing_u64 *)p->key.remote.bytes;
	__u64 h = (from[0] ^ p->key.remote_port) * 0x9e3779b97f4a7c15ull;

	h = (h ^ h >> 32 ^ from[1]) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 29;
}

static __always_inline void note_closed(const struct packet *p)
{
	__u64 hash = closed_hash(p), *slot;
	__u32 index = hash & (SYN_CLOSED_COUNT - 1);

	slot = bpf_map_lookup_elem(&syn_closed_map, &index);
	if (slot)
		*(volatile __u64 *)slot = (hash & ~0ull << 32) | (__u32)(bpf_ktime_get_coarse_ns() >> 30);
}

static __always_inline bool has_closed(const struct packet *p, __u64 now)
{
	__u64 hash = closed_hash(p), *slot, noted;
	__u32 index = hash & (SYN_CLOSED_COUNT - 1);

	slot = bpf_map_lookup_elem(&syn_closed_map, &index);
	if (!slot)
		return false;
	noted = *(volatile __u64 *)slot;
	return noted >> 32 == hash >> 32 && (__u32)(now >> 30) - (__u32)noted <= SYN_CLOSED_STEPS;
}

#endif
