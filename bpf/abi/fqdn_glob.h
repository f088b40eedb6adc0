/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * fqdn_glob_map: patterns with a `*` elsewhere than as their first label, by the longest suffix of whole labels without one.
 * Each entry is an automaton for the labels before that suffix. A state is a bit: bit n + 1 follows bit n when the symbol comes
 * that bit n waits for. So several patterns run at once, each in bits of its own, in a step for each byte of the name.
 */
#ifndef BULKHEAD_ABI_FQDN_GLOB_H
#define BULKHEAD_ABI_FQDN_GLOB_H

#include "abi_types.h"

#define FQDN_GLOBS_MAX 64             /* automata, and patterns, of one suffix */
#define FQDN_GLOB_PATTERNS 8          /* patterns of one automaton */
#define FQDN_GLOB_STATES 64
#define FQDN_SYMBOLS 64               /* a power of two */

struct fqdn_glob_key {
	__u64 hash;                       /* of the suffix, as in fqdn_selector_key */
	__u32 length;
	__u32 number;
};
_Static_assert(sizeof(struct fqdn_glob_key) == 16, "fqdn_glob_key");

struct fqdn_glob {
	__u64 start;                      /* states before the first byte of the first label */
	__u64 in_label;                   /* states that stay at any character of a label: `*` */
	__u64 anywhere;                   /* states that stay at the end of a label too: `**` */
	__u64 accept[FQDN_GLOB_PATTERNS]; /* the last state of each pattern; 0: no pattern */
	__u32 numbers[FQDN_GLOB_PATTERNS];
	__u64 advance[FQDN_SYMBOLS];      /* states that wait for this symbol */
};
_Static_assert(sizeof(struct fqdn_glob) == 632, "fqdn_glob");

/* What a byte is to patterns: its number among the symbols, and its kind. All other bytes are what no pattern means. */
#define FQDN_SYMBOL_PLAIN 0x40        /* a letter, a digit, `-`, `_` */
#define FQDN_SYMBOL_END 0x80          /* the end of a label; its number is 0 */
#define FQDN_SYMBOL_OTHER 63

static inline __u32 fqdn_symbol(__u32 byte)
{
	if (byte - 'a' < 26)
		return FQDN_SYMBOL_PLAIN | (byte - 'a' + 1);
	if (byte - '0' < 10)
		return FQDN_SYMBOL_PLAIN | (byte - '0' + 27);
	return byte == '-' ? FQDN_SYMBOL_PLAIN | 37 : byte == '_' ? FQDN_SYMBOL_PLAIN | 38 : FQDN_SYMBOL_OTHER;
}

/* The states after one more symbol. Without a branch: the verifier would follow each. */
static inline __u64 fqdn_glob_step(const struct fqdn_glob *glob, __u64 states, __u32 symbol)
{
	__u64 plain = -(__u64)(symbol >> 6 & 1), end = -(__u64)(symbol >> 7 & 1);

	return (states & glob->advance[symbol & (FQDN_SYMBOLS - 1)]) << 1 |
	       (states & ((glob->in_label & plain) | (glob->anywhere & (plain | end))));
}

#endif
