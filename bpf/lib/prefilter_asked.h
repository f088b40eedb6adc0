/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reflectors: who asked whom, so that answers to nobody's question can be told. See ASKED_CELLS in bpf/abi/prefilter.h. */
#ifndef BULKHEAD_PREFILTER_ASKED_H
#define BULKHEAD_PREFILTER_ASKED_H

#include "keyed_hash.h"
#include "prefilter_maps.h"

static __always_inline bool has_port(const __u64 *set, __u16 port)
{
	return set[port >> 6 & 1023] >> (port & 63) & 1;
}

/* The two cells of a question, in the halves of the result. The asker's address is left out: it may be translated. */
static __always_inline __u64 asked_cells(const struct prefilter_settings *settings, const struct packet *p)
{
	const aliasing_u64 *remote = (const aliasing_u64 *)p->key.remote.bytes;

	return keyed_hash(settings->hash_key, remote[0], remote[1], (__u64)p->key.remote_port << 16 | p->key.local_port);
}

static __always_inline __u32 *asked_cell(__u32 hash)
{
	__u32 index = hash & (ASKED_CELLS - 1);

	return bpf_map_lookup_elem(&prefilter_asked_map, &index);
}

/* Never 0, which is a cell that nobody has stamped. */
static __always_inline __u32 asked_tick(void)
{
	return (__u32)(bpf_ktime_get_coarse_ns() >> ASKED_TICK_SHIFT) | 1;
}

static __always_inline void note_question(const struct prefilter_settings *settings, const struct packet *p)
{
	__u64 cells = asked_cells(settings, p);
	__u32 *first = asked_cell(cells), *second = asked_cell(cells >> 32), now = asked_tick();

	if (!first || !second)
		return;
	/* Most questions are repeated: no need to take the line from other CPUs each time. */
	if (*first != now)
		*(volatile __u32 *)first = now;
	if (*second != now)
		*(volatile __u32 *)second = now;
	count_prefilter(PREFILTER_QUESTIONS, p->length);
}

static __always_inline bool was_asked(const struct prefilter_settings *settings, const struct packet *p, __u32 ticks)
{
	__u64 cells = asked_cells(settings, p);
	__u32 *first = asked_cell(cells), *second = asked_cell(cells >> 32), now = asked_tick();

	return first && second && *first && *second && now - *first <= ticks && now - *second <= ticks;
}

#endif
