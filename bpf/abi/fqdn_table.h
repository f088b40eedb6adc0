/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tables of fqdn.h: where something is, and who has to make room for whom. Compiled into the kernel programs and, by
 * Swift's importer, into the agent: both write by the same rules, at the same time, without a lock.
 *
 * A place belongs to whoever has put FQDN_BUSY into its mark, by compare and exchange. It is filled, and then gets its mark:
 * so what a mark says is whole. Who reads looks at mark and key once more afterwards.
 *
 * In a full bucket what has expired goes first. Then the endpoint that holds most of the bucket loses what it got first, the
 * one that wants the place before any other that holds as much. So an endpoint that asks without end pushes out only its own.
 */
#ifndef BULKHEAD_ABI_FQDN_TABLE_H
#define BULKHEAD_ABI_FQDN_TABLE_H

#include "fqdn.h"

#define FQDN_BUSY(endpoint) (0xffffffffull << 32 | (__u64)(endpoint) << 16)
#define FQDN_NO_WAY 0xffffffffu

/* Scatters by sums of products with secret numbers, as the flow table does: nobody can fill one bucket on purpose. */
static inline __u64 fqdn_scatter(const struct fqdn_config *c, __u32 endpoint, __u64 first, __u64 second, __u64 what)
{
	const __u32 *k = c->place_keys;
	__u64 h = (__u64)(__u32)((__u32)first + k[0]) * (__u32)((__u32)(first >> 32) + k[1]) +
		  (__u64)(__u32)((__u32)second + k[2]) * (__u32)((__u32)(second >> 32) + k[3]) +
		  (__u64)(__u32)((__u32)what + k[4]) * (__u32)((__u32)(what >> 32) + k[5]) +
		  (__u64)(__u32)(endpoint + k[6]) * k[7];

	h = (h ^ h >> 32) * 0x9E3779B97F4A7C15ull;
	return h ^ h >> 29;
}

/* The bucket, and the lower half of the mark, that follow from the above. `count`: of buckets, a power of two. */
static inline __u32 fqdn_bucket(__u64 scattered, __u32 count)
{
	return scattered >> 32 & (count - 1);
}

static inline __u32 fqdn_tag(__u64 scattered, __u32 endpoint)
{
	return endpoint << 16 | (scattered & 0xffff) | 1;
}

static inline __u64 fqdn_mark(__u32 tag, __u32 expires)
{
	return (__u64)expires << 32 | tag;
}

static inline __u32 fqdn_holder(__u64 mark)
{
	return (__u32)mark >> 16;
}

/* The endpoint that holds most places; of those that hold as much `endpoint` if it is one of them. */
static inline __u32 fqdn_richest(const struct fqdn_marks *head, __u32 endpoint)
{
	const volatile __u64 *marks = head->marks;
	__u32 best = 0;

#pragma clang loop unroll(disable)
	for (int i = 0; i < FQDN_WAYS; i++) {
		__u32 holder = fqdn_holder(marks[i]), score = 0;

		/* Without a branch: the verifier would follow each. */
#pragma clang loop unroll(disable)
		for (int j = 0; j < FQDN_WAYS; j++)
			score += ((__u64)(fqdn_holder(marks[j]) ^ holder) - 1) >> 63;
		score = score << 17 | (__u32)(((__u64)(endpoint ^ holder) - 1) >> 63) << 16 | holder;
		if (score > best)
			best = score;
	}
	return best & 0xffff;
}

/* Takes a place for an endpoint: its number, whose mark is FQDN_BUSY now; or FQDN_NO_WAY. */
static inline __u32 fqdn_claim(struct fqdn_marks *head, __u32 endpoint, __u32 now)
{
	volatile __u64 *marks = head->marks;
	__u32 hand = *(volatile __u32 *)&head->hand, richest;

#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < FQDN_WAYS; i++)
		if (!marks[i] && !__sync_val_compare_and_swap(&head->marks[i], 0, FQDN_BUSY(endpoint)))
			return i;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < FQDN_WAYS; i++) {
		__u64 mark = marks[i];

		if (mark >> 32 <= now && __sync_val_compare_and_swap(&head->marks[i], mark, FQDN_BUSY(endpoint)) == mark)
			return i;
	}
	richest = fqdn_richest(head, endpoint);
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < FQDN_WAYS; i++) {
		__u32 way = (hand + i) % FQDN_WAYS;
		__u64 mark = marks[way];

		if (!(mark & 1) || fqdn_holder(mark) != richest)
			continue;
		if (__sync_val_compare_and_swap(&head->marks[way], mark, FQDN_BUSY(endpoint)) != mark)
			continue;
		*(volatile __u32 *)&head->hand = way + 1;
		return way;
	}
	return FQDN_NO_WAY;
}

/* Frees a place for as long as it has this tag, also if it is prolonged meanwhile. */
static inline void fqdn_free(struct fqdn_marks *head, __u32 way, __u32 tag)
{
	__u64 mark;

	do
		mark = *(volatile __u64 *)&head->marks[way];
	while ((__u32)mark == tag && __sync_val_compare_and_swap(&head->marks[way], mark, 0) != mark);
}

static inline int fqdn_is_same_fact(const struct fqdn_fact *a, const struct fqdn_fact *b)
{
	typedef __u64 __attribute__((may_alias)) word;
	const volatile word *x = (const word *)a;
	const word *y = (const word *)b;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]));
}

/* Notes a fact until then, or prolongs it; never shortens. False: no room. */
static inline int fqdn_note_fact(struct fqdn_fact_bucket *b, const struct fqdn_fact *fact, __u32 tag, __u32 expires, __u32 now)
{
	volatile __u64 *marks = b->head.marks;
	__u32 way;

#pragma clang loop unroll(disable)
	for (way = 0; way < FQDN_WAYS; way++) {
		__u64 mark = marks[way];

		if ((__u32)mark != tag || !fqdn_is_same_fact(&b->ways[way], fact))
			continue;
		if (mark >> 32 >= expires ||
		    __sync_val_compare_and_swap(&b->head.marks[way], mark, fqdn_mark(tag, expires)) == mark)
			return 1;
	}
	way = fqdn_claim(&b->head, tag >> 16, now);
	if (way >= FQDN_WAYS)
		return 0;
	b->ways[way] = *fact;
	__asm__ volatile("" ::: "memory");
	marks[way] = fqdn_mark(tag, expires);
	return 1;
}

/* The fact at a place; false: there is none, or it was changed under our eyes. */
static inline int fqdn_read_fact(const struct fqdn_fact_bucket *b, __u32 way, struct fqdn_fact *fact)
{
	const volatile __u64 *marks = b->head.marks;
	__u64 mark = marks[way];

	if (!(mark & 1))
		return 0;
	__asm__ volatile("" ::: "memory");
	*fact = b->ways[way];
	__asm__ volatile("" ::: "memory");
	return marks[way] == mark && fqdn_is_same_fact(&b->ways[way], fact);
}

#endif
