/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* SipHash-1-3 of three words: whoever does not know the key cannot choose where things fall. */
#ifndef BULKHEAD_KEYED_HASH_H
#define BULKHEAD_KEYED_HASH_H

#include "packet.h"

struct keyed_hash {
	__u64 v0, v1, v2, v3;
};

static __always_inline __u64 rotate64(__u64 x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static __always_inline void keyed_round(struct keyed_hash *h)
{
	h->v0 += h->v1;
	h->v2 += h->v3;
	h->v1 = rotate64(h->v1, 13) ^ h->v0;
	h->v3 = rotate64(h->v3, 16) ^ h->v2;
	h->v0 = rotate64(h->v0, 32);
	h->v2 += h->v1;
	h->v0 += h->v3;
	h->v1 = rotate64(h->v1, 17) ^ h->v2;
	h->v3 = rotate64(h->v3, 21) ^ h->v0;
	h->v2 = rotate64(h->v2, 32);
}

static __always_inline void keyed_word(struct keyed_hash *h, __u64 word)
{
	h->v3 ^= word;
	keyed_round(h);
	h->v0 ^= word;
}

static __always_inline __u64 keyed_hash(const __u64 key[2], __u64 a, __u64 b, __u64 c)
{
	struct keyed_hash h = {
		.v0 = key[0] ^ 0x736f6d6570736575ull, .v1 = key[1] ^ 0x646f72616e646f6dull,
		.v2 = key[0] ^ 0x6c7967656e657261ull, .v3 = key[1] ^ 0x7465646279746573ull,
	};

	keyed_word(&h, a);
	keyed_word(&h, b);
	keyed_word(&h, c);
	keyed_word(&h, 24ull << 56);
	h.v2 ^= 0xff;
	keyed_round(&h);
	keyed_round(&h);
	keyed_round(&h);
	return h.v0 ^ h.v1 ^ h.v2 ^ h.v3;
}

#endif
