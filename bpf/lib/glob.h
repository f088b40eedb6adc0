/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * glob: patterns of names with a `*` inside (bpf/abi/fqdn_glob.h). The work is bounded: a step for each byte of
 * the name before the suffix, for each automaton of that suffix. Global functions: the verifier proves each once, by itself.
 */
#ifndef BULKHEAD_GLOB_H
#define BULKHEAD_GLOB_H

#include "count.h"
#include "dns_message.h"
#include "fqdn_maps.h"

static __always_inline void add_number(struct fqdn_scratch *s, __u32 number)
{
	if (!number)
		return;
	if (s->numbers_found >= FQDN_NUMBERS_MAX) {
		count_metric(METRIC_DNS_CROWDED, 0);
		return;
	}
	s->numbers[s->numbers_found & (FQDN_NUMBERS_MAX - 1)] = number;
	s->numbers_found++;
}

/* Once for each name, and only where a suffix of it has such patterns. */
static __always_inline void write_symbols(struct fqdn_scratch *s)
{
#pragma clang loop unroll(disable)
	for (__u32 at = 0; at < FQDN_NAME_BYTES; at++) {
		if (at >= s->name_length)
			break;
		s->symbols[at] = fqdn_symbol(s->name[at]);
	}
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i <= DNS_LABELS_MASK; i++) {
		if (i >= s->labels)
			break;
		s->symbols[s->start[i]] = FQDN_SYMBOL_END;
	}
	s->has_symbols = 1;
}

/* Adds the numbers of those patterns of an automaton that all before `from` fits, behind the length of the first label. */
__attribute__((noinline)) int run_glob(const struct fqdn_glob *glob, __u32 from)
{
	__u32 zero = 0;
	struct fqdn_scratch *s = bpf_map_lookup_elem(&fqdn_scratch_map, &zero);
	__u64 states;

	if (!glob || !s)
		return 0;
	states = glob->start;
#pragma clang loop unroll(disable)
	for (__u32 at = 1; at < FQDN_NAME_BYTES; at++) {
		if (at >= from || !states)
			break;
		states = fqdn_glob_step(glob, states, s->symbols[at]);
	}
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < FQDN_GLOB_PATTERNS; i++)
		if (states & glob->accept[i])
			add_number(s, glob->numbers[i]);
	return 0;
}

/* The patterns beneath the suffix that begins at `from` and has this hash and length: its first so many automata. */
__attribute__((noinline)) int match_globs(__u64 hash, __u32 length, __u32 count, __u32 from)
{
	struct fqdn_glob_key key = { .hash = hash, .length = length };
	__u32 zero = 0;
	struct fqdn_scratch *s = bpf_map_lookup_elem(&fqdn_scratch_map, &zero);

	if (!s)
		return 0;
	if (!s->has_symbols)
		write_symbols(s);
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < FQDN_GLOBS_MAX; i++) {
		struct fqdn_glob *glob;

		if (i >= count)
			break;
		key.number = i;
		glob = bpf_map_lookup_elem(&fqdn_glob_map, &key);
		if (glob)
			run_glob(glob, from);
	}
	return 0;
}

#endif
