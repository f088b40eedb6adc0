/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Token buckets in a table of fixed size; what they mean is in bpf/abi/prefilter.h. */
#ifndef BULKHEAD_PREFILTER_LIMIT_H
#define BULKHEAD_PREFILTER_LIMIT_H

#include "keyed_hash.h"
#include "prefilter_maps.h"

#define CHARGE_TRIES 4

static __always_inline bool is_full(const struct limit_entry *e, __u64 now)
{
	for (int i = 0; i < LIMIT_KIND_COUNT; i++)
		if (*(const volatile __u64 *)&e->full_at[i] > now)
			return false;
	return true;
}

/* The entry of a tag, taken over from another if need be; nothing if all of the set still count. */
static __always_inline struct limit_entry *find_entry(struct limit_set *set, __u64 tag, __u64 now)
{
	for (int i = 0; i < LIMIT_WAYS; i++)
		if (set->ways[i].tag == tag)
			return &set->ways[i];
	for (int i = 0; i < LIMIT_WAYS; i++) {
		struct limit_entry *e = &set->ways[i];
		__u64 old = *(volatile __u64 *)&e->tag;

		/* Nothing is reset: moments that have passed are what a newcomer begins with. */
		if (is_full(e, now) && __sync_val_compare_and_swap(&e->tag, old, tag) == old)
			return e;
	}
	return 0;
}

/* False if the bucket has not that much left; it is not charged then. */
static __always_inline bool charge(__u64 *full_at, __u64 cost, __u64 burst, __u64 now)
{
	for (int i = 0; i < CHARGE_TRIES; i++) {
		__u64 old = *(volatile __u64 *)full_at, next = (old > now ? old : now) + cost;

		if (next - now > burst)
			return false;
		if (__sync_val_compare_and_swap(full_at, old, next) == old)
			return true;
	}
	count_prefilter(PREFILTER_CONTENDED, 0);
	return true;
}

/*
 * Charges what a packet is (bit per kind) to the buckets of one address. Returns the kind that is used up, plus one; else 0.
 * A global function: the verifier proves it once.
 */
__attribute__((noinline)) int charge_scope(__u64 hi, __u64 lo, __u32 scope, __u32 kinds, __u32 bytes)
{
	__u32 zero = 0, index;
	struct prefilter_settings *settings = bpf_map_lookup_elem(&prefilter_settings_map, &zero);
	const struct prefilter_config *config;
	const struct prefilter_limit *limits;
	struct limit_entry *e;
	struct limit_set *set;
	__u64 tag, now, row = scope;

	if (!settings || scope >= LIMIT_SCOPE_COUNT)
		return 0;
	config = &settings->banks[settings->active & 1];
	/* Linux 6.1 forgets the comparison above, and the compiler knows that it makes the mask superfluous. */
	asm volatile("" : "+r"(row));
	limits = config->limits[row & (LIMIT_SCOPE_ROWS - 1)];
	tag = keyed_hash(settings->hash_key, hi, lo, scope);
	index = scope * (config->set_mask + 1) + ((__u32)(tag >> 32) & config->set_mask);
	set = bpf_map_lookup_elem(&prefilter_limits_map, &index);
	if (!set)
		return 0;
	now = bpf_ktime_get_coarse_ns();
	e = find_entry(set, tag | 1, now);
	if (!e) {
		count_prefilter(PREFILTER_UNLIMITED + scope, bytes);
		return 0;
	}
	for (int kind = 0; kind < LIMIT_KIND_COUNT; kind++) {
		const struct prefilter_limit *limit = &limits[kind];

		if (limit->cost && kinds >> kind & 1 &&
		    !charge(&e->full_at[kind], limit->cost * (kind == LIMIT_BYTES ? bytes : 1) >> 16, limit->burst, now))
			return kind + 1;
	}
	return 0;
}

#endif
