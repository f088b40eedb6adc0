/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Cookies: what bpf/abi/syn_defence.h says of them, in code. */
#ifndef BULKHEAD_SYN_COOKIE_H
#define BULKHEAD_SYN_COOKIE_H

#include "keyed_hash.h"
#include "syn_defence.h"

#define SYN_NO_WINDOW_SCALE 15
#define SYN_OPTION_BITS 9
#define SYN_OPTION_MASK 511u
#define SYN_STEP_MASK 127u

/* Options of a cookie: window scale 4, SACK 1, ECN 1, index of the MSS 3. */
static __always_inline __u32 syn_options(__u32 window_scale, bool sack, bool ecn, __u32 mss_index)
{
	return window_scale << 5 | sack << 4 | ecn << 3 | mss_index;
}

/* Usual ones; the stack takes none that is smaller than the first. */
static const __u16 syn_mss_ipv4[8] = {536, 1220, 1360, 1400, 1440, 1452, 1460, 8960};
static const __u16 syn_mss_ipv6[8] = {1220, 1340, 1380, 1400, 1420, 1432, 1440, 8940};

static __always_inline const struct syn_key *syn_key_of(const struct syn_settings *settings, __u32 step)
{
	return &settings->keys[step & (SYN_KEY_COUNT - 1)];
}

/* The hash as far as it depends on who opens the connection. */
static __always_inline struct keyed_hash syn_source(const struct syn_key *key, const struct ip_address *from, bool is_ipv6)
{
	const aliasing_u64 *words = (const aliasing_u64 *)from->bytes;
	struct keyed_hash h = {
		.v0 = key->words[0] ^ 0x736f6d6570736575ull, .v1 = key->words[1] ^ 0x646f72616e646f6dull,
		.v2 = key->words[0] ^ 0x6c7967656e657261ull, .v3 = key->words[1] ^ 0x7465646279746573ull,
	};

	if (is_ipv6)
		keyed_word(&h, words[0]);
	keyed_word(&h, words[1]);
	return h;
}

/* What a hash is for: what one of them shows tells nothing of the other. */
enum { SYN_HASH_OF_COOKIE = 0xff, SYN_HASH_OF_CLOCK = 0xee };

static __always_inline __u64 syn_finish(struct keyed_hash h, __u32 purpose)
{
	h.v2 ^= purpose;
	keyed_round(&h);
	keyed_round(&h);
	keyed_round(&h);
	return h.v0 ^ h.v1 ^ h.v2 ^ h.v3;
}

/*
 * `isn`: the client's, host order; `port`: the client's, network order. Seven bits of the step, so that all but the address
 * is one word: each is a round that an established flow pays for too while the defence is armed.
 */
static __always_inline __u32 syn_cookie(struct keyed_hash source, __u32 isn, __u16 port, __u32 step, __u32 options)
{
	__u32 low = (__u32)port << 16 | (step & SYN_STEP_MASK) << SYN_OPTION_BITS | options;

	keyed_word(&source, (__u64)isn << 32 | low);
	return (__u32)syn_finish(source, SYN_HASH_OF_COOKIE) << (SYN_OPTION_BITS + 1) | (step & 1) << SYN_OPTION_BITS |
	       options;
}

/* The step in which a cookie was made, if it is valid at all: the present one or the one before. */
static __always_inline __u32 syn_step_of(__u32 cookie, __u64 now)
{
	__u32 step = now >> SYN_STEP_SHIFT;

	return step - ((step ^ cookie >> SYN_OPTION_BITS) & 1);
}

/*
 * As in the stack, the clock of a source's timestamps is milliseconds plus a secret: it does not run backwards for it.
 * The echo tells a cookie's age; it proves no more than that, a forger just leaves timestamps out.
 */
static __always_inline __u32 syn_timestamp(struct keyed_hash source, __u64 now)
{
	return (__u32)syn_finish(source, SYN_HASH_OF_CLOCK) + (__u32)(now / 1000000);
}

#endif
