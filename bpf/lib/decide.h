/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* decide: (subject, peer, direction, protocol, port) -> verdict and cause, by the table of bpf/abi/policy.h. */
#ifndef BULKHEAD_DECIDE_H
#define BULKHEAD_DECIDE_H

#include "maps.h"
#include "packet.h"

/* What is asked. `port` is in host order; ICMP: the type in its high byte, the code in its low one. */
struct question {
	__u32 subject;
	__u32 peer;
	__u32 bank;
	__u16 port;
	__u8 protocol;
	__u8 direction;
	__u32 bucket_mask;
};

/* enforced and all: the best entry of either class of policies. */
struct answer {
	struct policy_verdict enforced;
	struct policy_verdict all;
	__u32 damaged;
};

static __always_inline __u32 hash_key(__u32 w0, __u32 w1, __u32 w2)
{
	__u32 h = w0 * 0x9E3779B1u;

	h ^= h >> 15;
	h = (h + w1) * 0x85EBCA77u;
	h ^= h >> 13;
	h = (h + w2) * 0xC2B2AE3Du;
	return h ^ h >> 16;
}

static __always_inline struct policy_entry *policy_entry_at(__u32 number, __u32 bank)
{
	const __u32 per_chunk = POLICY_CHUNK_BYTES / sizeof(struct policy_entry);
	__u32 index = number / per_chunk * BANK_COUNT + bank;
	struct policy_entry *entries = bpf_map_lookup_elem(&policy_entries_map, &index);

	return entries ? &entries[number & (per_chunk - 1)] : 0;
}

static __always_inline void take_better(struct policy_verdict *best, const struct policy_verdict *candidate)
{
	if (candidate->precedence > best->precedence)
		*best = *candidate;
}

/*
 * Adds what the table says for exactly this key. A global function: the verifier proves it once, by itself, instead of
 * along every path that leads to it.
 */
__attribute__((noinline)) int probe_key(const struct question *q, struct answer *a, __u32 peer, __u32 length)
{
	const __u32 per_chunk = POLICY_CHUNK_BYTES / sizeof(__u32);
	__u32 w1, w2, bucket, index, next, *heads;

	if (!q || !a)
		return -1;
	w1 = (__u32)network16(q->port & (0xffff0000u >> (length & 31))) << 16 | (q->subject & 0xffff);
	w2 = length << 16 | (__u32)q->direction << 8 | q->protocol;
	if (length == PROBE_ALL_PROTOCOLS) {
		w1 = q->subject & 0xffff;
		w2 = length << 16 | (__u32)q->direction << 8;
	}
	bucket = hash_key(peer, w1, w2) & q->bucket_mask;
	index = bucket / per_chunk * BANK_COUNT + q->bank;
	heads = bpf_map_lookup_elem(&policy_heads_map, &index);
	if (!heads)
		return -1;
	next = heads[bucket & (per_chunk - 1)];
	for (int i = 0; i < POLICY_CHAIN_MAX && next; i++) {
		struct policy_entry *e = policy_entry_at(next - 1, q->bank);
		const __u32 *words = (const __u32 *)e;

		if (!e)
			break;
		if (words[0] == peer && words[1] == w1 && words[2] == w2) {
			take_better(&a->enforced, &e->enforced);
			take_better(&a->all, &e->all);
			return 0;
		}
		next = e->next;
	}
	a->damaged |= next != 0;
	return 0;
}

#define EXACT_PORT (1u << 16)
#define ALL_PORTS (1u << 0)

/*
 * Probes every prefix length in use by the subject (its two probe masks). Inline: room on the stack is short (6.1). The order
 * does not matter: which entry wins
 * depends on precedence alone.
 */
static __always_inline int decide(const struct question *q, struct answer *a, __u32 peer_mask, __u32 any_mask)
{
	if (!q || !a)
		return -1;
	/* The lengths that nearly every subject uses, without the loop: one port and all ports. */
	if (peer_mask & EXACT_PORT && probe_key(q, a, q->peer, 16))
		return -1;
	if (any_mask & EXACT_PORT && probe_key(q, a, IDENTITY_UNKNOWN, 16))
		return -1;
	if (peer_mask & ALL_PORTS && probe_key(q, a, q->peer, 0))
		return -1;
	if (any_mask & ALL_PORTS && probe_key(q, a, IDENTITY_UNKNOWN, 0))
		return -1;
	peer_mask &= ~(EXACT_PORT | ALL_PORTS);
	any_mask &= ~(EXACT_PORT | ALL_PORTS);
	if (!(peer_mask | any_mask))
		return 0;
	for (__u32 length = 1; length <= PROBE_ALL_PROTOCOLS; length++) {
		if (peer_mask >> length & 1 && probe_key(q, a, q->peer, length))
			return -1;
		if (any_mask >> length & 1 && probe_key(q, a, IDENTITY_UNKNOWN, length))
			return -1;
	}
	return 0;
}

#define NEXT_TIER 255 /* no drop reason: a rule passed, or nothing is said here */

/* One class of policies: what its best entry, or the lack of one, means. Returns a drop reason and sets *rule, or NEXT_TIER. */
static __always_inline int conclude(const struct policy_verdict *best, __u8 default_deny, __u32 default_rule,
				    __u32 *rule)
{
	__u32 class = best->precedence & PRECEDENCE_CLASS_MASK;

	if (class >= PRECEDENCE_CLASS_DENY) {
		*rule = best->rule;
		return DROP_POLICY_DENY;
	}
	if (class >= PRECEDENCE_CLASS_ALLOW) {
		*rule = best->rule;
		return DROP_NONE;
	}
	if (best->precedence || !default_deny)
		return NEXT_TIER;
	*rule = default_rule;
	return DROP_POLICY_DEFAULT_DENY;
}

#endif
