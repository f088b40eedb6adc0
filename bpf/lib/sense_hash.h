/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hashes of the sensors. Sets of sources and targets are chosen by SipHash, so that nobody can fill one set. Sketches and
 * flows mix with secret factors, which is cheaper; who could make two things meet there would only hide one of his own.
 */
#ifndef BULKHEAD_SENSE_HASH_H
#define BULKHEAD_SENSE_HASH_H

#include "keyed_hash.h"
#include "sense_tables.h"

/* Where a packet is seen. */
enum {
	SENSE_EGRESS = 1 << 0,            /* its source is the key's local side */
	SENSE_SOURCE_INSIDE = 1 << 1,     /* an address of this host or of a workload on it */
	SENSE_TARGET_INSIDE = 1 << 2,
	SENSE_POLICY_DENIED = 1 << 3,
	SENSE_NO_PROBES = 1 << 4,         /* those are seen elsewhere: only what comes back */
	SENSE_NO_OUTCOMES = 1 << 5,       /* the other way round */
	SENSE_SAMPLED = 1 << 6,           /* one of the sample of segments within connections */
	SENSE_UNCHOSEN = 1 << 7,          /* under load: not of the flows that are followed, it stands for packets only */
	SENSE_UNCOUNTED = 1 << 8,         /* under load: followed, and others stand for its packets */
	SENSE_WEIGHT_SHIFT = 12,          /* from this bit on: one of two to the power of so many */
};

struct sense_words {
	__u64 hi, lo;
};

static __always_inline struct sense_words sense_words_of(const struct ip_address *address)
{
	const aliasing_u64 *words = (const aliasing_u64 *)address->bytes;
	struct sense_words w = { .hi = words[0], .lo = words[1] };

	return w;
}

/* SipHash-1-3 of an address. */
static __always_inline __u64 sense_hash_address(const struct sense_settings *s, struct sense_words w)
{
	struct keyed_hash h = {
		.v0 = s->hash_key[0] ^ 0x736f6d6570736575ull, .v1 = s->hash_key[1] ^ 0x646f72616e646f6dull,
		.v2 = s->hash_key[0] ^ 0x6c7967656e657261ull, .v3 = s->hash_key[1] ^ 0x7465646279746573ull,
	};

	keyed_word(&h, w.hi);
	keyed_word(&h, w.lo);
	h.v2 ^= 0xff;
	keyed_round(&h);
	keyed_round(&h);
	keyed_round(&h);
	return h.v0 ^ h.v1 ^ h.v2 ^ h.v3;
}

static __always_inline __u64 sense_mix(const struct sense_settings *s, __u64 x)
{
	x ^= s->mix_key[0];
	x ^= x >> 32;
	x *= s->mix_key[1];
	x ^= x >> 29;
	x *= s->mix_key[3];
	return x ^ x >> 32;
}

static __always_inline __u64 sense_fold(const struct sense_settings *s, struct sense_words w)
{
	return w.hi * s->mix_key[3] + w.lo + (w.lo >> 32) * s->mix_key[1];
}

static __always_inline __u64 sense_mix_address(const struct sense_settings *s, struct sense_words w, __u64 more)
{
	return sense_mix(s, sense_fold(s, w) + more * s->mix_key[1] + s->mix_key[2]);
}

static __always_inline __u64 sense_hash_pair(const struct sense_settings *s, struct sense_words client,
					     struct sense_words server, __u64 more)
{
	return sense_mix(s, sense_mix_address(s, client, more) + 3 * sense_mix_address(s, server, ~more));
}

/* A whole tag, which is never one of SENSE_TAG_*. */
static __always_inline __u32 sense_tag(__u64 hash)
{
	return (__u32)(hash >> 32) | 2;
}

#endif
