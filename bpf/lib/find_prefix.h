/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* find_prefix: address -> class, by the trie that bpf/abi/range_trie.h describes. */
#ifndef BULKHEAD_FIND_PREFIX_H
#define BULKHEAD_FIND_PREFIX_H

#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include "range_trie.h"

/* Where a lookup stands. */
struct range_cursor {
	__u64 hi, lo;
	__u32 class, reference;
};

/*
 * Masking, not testing: no block straddles an element, so the mask only tells the verifier what is true anyway. The
 * empty assembly keeps the compiler from knowing it too.
 */
static __always_inline const char *range_at(const char *chunk, __u64 offset)
{
	asm volatile("" : "+r"(offset));
	return chunk + (offset & (8ull * RANGE_CHUNK_UNITS - 1));
}

#define RANGE_READ(type, chunk, offset) (*(const type *)range_at(chunk, offset))

static __always_inline bool range_shares(const struct range_cursor *c, const char *chunk, __u64 at, __u32 length,
					 bool is_ipv4)
{
	__u64 hi = c->hi ^ RANGE_READ(__u64, chunk, at + 8);

	if (is_ipv4 || length < 64)
		return !(hi >> (64 - length & 63));
	return !hi && (length == 64 || !((c->lo ^ RANGE_READ(__u64, chunk, at + 16)) >> (128 - length & 63)));
}

/*
 * The last item of a sparse node that begins at or before the slot, `behind` slots before it (underflown: none does). False
 * when there is nothing below.
 */
static __always_inline bool range_item(struct range_cursor *c, const char *chunk, __u64 head, __u64 behind, __u64 entries,
				       __u64 run)
{
	__u32 tag = head >> 56, item, free;

	/* Most addresses are in no item, and need not look at what it is. */
	if (!(head >> 55 & 1) && behind)
		return false;
	if (tag == RANGE_SPARSE_ONE) {
		free = head >> 55 & 1 ? RANGE_READ(__u8, chunk, entries + run) : 0;
		if (!(behind >> (free & 63)))
			c->class = head >> 24 & 255;
		return false;
	}
	if (tag == RANGE_SPARSE_VALUES) {
		item = RANGE_READ(__u16, chunk, ((entries + 1) & ~1ull) + 2 * run);
		if (!(behind >> (item >> 8 & 63)))
			c->class = item & 255;
		return false;
	}
	item = RANGE_READ(__u32, chunk, ((entries + 7) & ~7ull) + 4 * run);
	free = item >> 8 < RANGE_FREE_COUNT ? item >> 8 : 0;
	if (behind >> (free & 63))
		return false;
	c->class = item & 255 ? item & 255 : c->class;
	c->reference = item >> 8;
	return c->reference >= RANGE_FREE_COUNT;
}

/*
 * Visits one block. False when there is nothing below. `first`: the first chunk, where the root is. A lookup in a map that is
 * in another one is a call, half as long as all else here, so it is saved where the block is there too.
 */
static __always_inline bool range_step(void *trie, const char *first, struct range_cursor *c, bool is_ipv4)
{
	__u32 number = c->reference >> RANGE_CHUNK_SHIFT, tag, k, level;
	const char *chunk = number ? bpf_map_lookup_elem(trie, &number) : first;
	__u64 at = (__u64)(c->reference & (RANGE_CHUNK_UNITS - 1)) * 8, head, slot, starts, run = 0, count, entries;

	if (!chunk)
		return false;
	head = RANGE_READ(__u64, chunk, at);
	tag = head >> 56;
	if (tag <= RANGE_SKIP) {
		if (!range_shares(c, chunk, at, head >> 48 & 255, is_ipv4))
			return false;
		if (tag == RANGE_TAIL)
			c->class = head & 255;
		c->reference = (__u32)head >> 8;
		return tag == RANGE_SKIP;
	}
	level = head >> 52 & 7;
	slot = is_ipv4 || level < 4 ? c->hi : c->lo;
	slot = slot >> (48 - RANGE_LEVEL_BITS * (level & 3)) & 0xffff;
	count = head & 0x1ffff;
	k = head >> 48 & 15;
	starts = at + 8;
	entries = starts + 2 * count;
	if (k) {
		__u64 part = starts + 2 * (slot >> (RANGE_LEVEL_BITS - k & 15));

		run = RANGE_READ(__u16, chunk, part);
		count = RANGE_READ(__u16, chunk, part + 2) - run + 1;
		starts += 2 * ((1ull << k) + 1);
		entries += 2 * ((1ull << k) + 1);
	}
	/*
	 * The wanted run is one of [run, run + count); at most 257 are left, nine halvings. The sign of the comparison is
	 * the step: BPF has no conditional move, and a branch would be a coin toss.
	 */
	for (int i = 0; i < 9 && count > 1; i++) {
		__u64 half = count >> 1;
		__s64 beyond = (__s64)RANGE_READ(__u16, chunk, starts + 2 * (run + half)) - (__s64)slot - 1;

		run += half & (__u64)(beyond >> 63);
		count -= half;
	}
	if (tag >= RANGE_SPARSE_ONE)
		return range_item(c, chunk, head, slot - RANGE_READ(__u16, chunk, starts + 2 * run), entries, run);
	entries = (entries + 7) & ~7ull;
	if (tag == RANGE_VALUES) {
		__u32 class = RANGE_READ(__u8, chunk, entries + run);

		c->class = class ? class : c->class;
		return false;
	}
	__u32 link = RANGE_READ(__u32, chunk, entries + 4 * run);

	c->class = link & 255 ? link & 255 : c->class;
	c->reference = link >> 8;
	return c->reference != 0;
}

/* IPv4: the root and one block. IPv6: each block but the last uses up 16 bits at least, of 112. */
#define RANGE_STEPS_IPV4 1
#define RANGE_STEPS_IPV6 8

/* The class of an address, 0 if no prefix covers it. */
static __always_inline __u32 find_prefix(void *trie, __u64 hi, __u64 lo, bool is_ipv4)
{
	struct range_cursor c = {.hi = hi, .lo = lo};
	__u32 first = 0, link;
	const char *root = bpf_map_lookup_elem(trie, &first);

	if (!root)
		return 0;
	/* One read: a change between two would show a class without what lies below. */
	link = RANGE_READ(volatile __u32, root, 4 * (hi >> 48));
	c.class = link & 255;
	c.reference = link >> 8;
	if (c.reference)
		for (int i = 0; i < (is_ipv4 ? RANGE_STEPS_IPV4 : RANGE_STEPS_IPV6); i++)
			if (!range_step(trie, root, &c, is_ipv4))
				break;
	return c.class;
}

#endif
