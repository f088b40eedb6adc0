/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sensors of sources. A newcomer takes the place of the lightest of its set if that has been still for a while; else it waits
 * among the brief ones until it has tried three different things, and then takes a place by lot, the less likely the
 * heavier who has it. So a flood of sources that never come twice pushes nobody out who does.
 */
#ifndef BULKHEAD_SENSE_SOURCE_H
#define BULKHEAD_SENSE_SOURCE_H

#include "sense_brief.h"

static __always_inline __u32 sense_source_weight(const struct sense_source *r, __u64 now)
{
	__u64 still = now - r->last;

	if ((__s64)still > (__s64)SENSE_FORGOTTEN)
		return 0;
	return 1 + r->pair_bits + 4 * r->failed_bits;
}

/* Empties a record and makes it this address's. */
static __always_inline void sense_begin_source(struct sense_source *r, const struct sense_event *e)
{
	aliasing_u64 *words = (aliasing_u64 *)r;

#pragma clang loop unroll(full)
	for (int i = 0; i < (int)(sizeof(*r) / 8); i++)
		words[i] = 0;
	r->address = e->address;
	r->since = e->now;
	r->last = e->now;
	r->flags = e->flags;
	r->next_pairs = r->next_failures = 4;
	r->next_probes = 64;
	r->next_packets = 2048;
}

static __always_inline bool sense_is_source(const struct sense_source *r, const struct ip_address *address)
{
	return same_address(&r->address, address);
}

/* The record of a source, made if there is room for it; nothing else. `slot`: where it is. */
static __always_inline struct sense_source *sense_source_of(const struct sense_settings *s, const struct sense_event *e,
							     bool may_begin, __u64 pair, __u32 *slot)
{
	__u32 tag = sense_tag(e->hash), index = (__u32)e->hash & (SENSE_SOURCE_SETS - 1), way, lightest = ~0u, credit = 0;
	struct sense_source_set *set = sense_source_set_at(index);
	struct sense_source *r;

	if (!set)
		return 0;
	way = sense_find_way(set->tags, tag);
	if (way < SENSE_WAYS) {
		r = &set->ways[sense_index(way, SENSE_WAYS)];
		*slot = index * SENSE_WAYS + way;
		return sense_is_source(r, &e->address) ? r : 0;
	}
	if (!may_begin)
		return 0;
	for (__u32 i = 0; i < SENSE_WAYS; i++) {
		__u32 weight = set->tags[i] == SENSE_TAG_FREE ? 0 : sense_source_weight(&set->ways[i], e->now);

		if (weight < lightest) {
			lightest = weight;
			way = i;
		}
	}
	way = sense_index(sense_forget(way), SENSE_WAYS);
	lightest = sense_forget(lightest);
	r = &set->ways[way];
	if (lightest > 2 || (lightest && (__s64)(e->now - r->last) < (__s64)SENSE_STILL)) {
		if (e->is_crowded && sense_random() & 7)
			return 0;
		credit = sense_brief(s, e, pair);
		if (!credit)
			return 0;
		if (lightest > credit && sense_random() % (lightest + 1) >= credit)
			return 0;
		sense_count(SENSE_COUNT_PROMOTED);
		credit--;
	}
	if (!sense_claim(&set->tags[way]))
		return 0;
	sense_count(lightest ? SENSE_COUNT_SOURCES_REPLACED : SENSE_COUNT_SOURCES);
	sense_begin_source(r, e);
	r->credit = credit;
	sense_publish(&set->tags[way], tag);
	*slot = index * SENSE_WAYS + way;
	return r;
}

/* Moves the tick on: what had no outcome when the last one began may be taken for unanswered in the next. */
static __always_inline void sense_tick(struct sense_source *r, __u64 now)
{
	__u32 tick = now >> SENSE_TICK_SHIFT;
	__s32 open = r->pair_bits - r->answered_bits - r->failed_bits;

	if (tick == r->tick)
		return;
	if (open < 0)
		open = 0;
	r->open_before = tick - r->tick == 1 ? r->open_then : open;
	r->open_then = open;
	r->tick = tick;
}

/* Pairs that were probed and brought nothing, or a refusal. */
static __always_inline __u32 sense_failures(const struct sense_source *r)
{
	__s32 open = r->pair_bits - r->answered_bits - r->failed_bits, before = r->open_before;

	if (open > before)
		open = before;
	return r->failed_bits + (open > 0 ? open : 0);
}

static __always_inline void sense_check_source(const struct sense_settings *s, struct sense_source *r, __u32 slot, __u32 tag,
					       __u64 now)
{
	__u32 failures = sense_failures(r) + r->credit, pairs = r->pair_bits + r->credit, probes = r->credit;

#pragma clang loop unroll(full)
	for (int i = 0; i < SENSE_PROBE_KINDS; i++)
		probes += r->probes[i];
	if (pairs < r->next_pairs && failures < r->next_failures && probes < r->next_probes && r->packets < r->next_packets)
		return;
	if (!sense_note(s, SENSE_NOTE_SOURCE, slot, tag, now))
		return;
	if (pairs >= r->next_pairs)
		r->next_pairs = sense_next_level(pairs);
	if (failures >= r->next_failures)
		r->next_failures = sense_next_level(failures);
	if (probes >= r->next_probes)
		r->next_probes = sense_next_level(probes);
	if (r->packets >= r->next_packets)
		r->next_packets = r->packets * 2;
}

static __always_inline void sense_sample_probe(struct sense_source *r, const struct sense_event *e)
{
	__u32 number = r->sample_count % SENSE_SAMPLES;

	/* By constant index: older verifiers do not follow a variable one through a multiplication. */
#pragma clang loop unroll(full)
	for (__u32 i = 0; i < SENSE_SAMPLES; i++) {
		if (i != number)
			continue;
		__builtin_memcpy(&r->samples[i].destination, &e->other, sizeof(e->other));
		r->samples[i].port = e->port;
		r->samples[i].protocol = e->protocol;
	}
	r->sample_count++;
}

static __always_inline __u64 sense_pair_bit(const struct sense_settings *s, const struct sense_event *e)
{
	return sense_mix_address(s, sense_words_of(&e->other), (__u64)e->port << 16 | 1);
}

/* A source has probed somebody. 2: the first time, 1: it has a record, 0: it has none. */
SENSE_FUNCTION sense_probe(const struct sense_event *e)
{
	const struct sense_settings *s = sense_settings_at(0);
	struct sense_source *r;
	bool is_new;
	__u32 slot = 0;
	__u64 pair;

	if (!s || !e)
		return 0;
	pair = sense_pair_bit(s, e);
	r = sense_source_of(s, e, true, pair, &slot);
	if (!r)
		return 0;
	if ((__s64)(e->now - r->since) > (__s64)SENSE_RECORD_LONGEST ||
	    (r->pair_bits > 384 && (__s64)(e->now - r->since) > (__s64)SENSE_CROWDED_LONGEST))
		sense_begin_source(r, e);
	sense_tick(r, e->now);
	r->last = e->now;
	r->packets += e->packets;
	r->bytes += (__u64)e->bytes * e->packets;
	/* By constant index, as above. */
#pragma clang loop unroll(full)
	for (int i = 0; i < SENSE_PROBE_KINDS; i++)
		if (i == e->kind)
			r->probes[i] += e->packets;
	is_new = sense_set_bit(r->pairs, 8, pair);
	r->pair_bits += is_new;
	/* Whether the pair is new or not: two pairs may share a bit. */
	r->host_bits += sense_set_bit(r->hosts, 4, sense_mix_address(s, sense_words_of(&e->other), 0));
	if (e->port)
		r->port_bits += sense_set_bit(r->ports, 8, sense_mix(s, e->port));
	if (is_new)
		sense_sample_probe(r, e);
	sense_check_source(s, r, slot, sense_tag(e->hash), e->now);
	return is_new ? 2 : 1;
}

/*
 * What came back to a source. Only of what it is known to have tried: an answer that somebody forges makes nobody a prober.
 * 1: it is the first of its kind for the pair.
 */
SENSE_FUNCTION sense_outcome(const struct sense_event *e)
{
	const struct sense_settings *s = sense_settings_at(0);
	struct sense_source *r;
	__u32 slot = 0;
	__u64 pair;
	int is_new = 0;

	if (!s || !e)
		return 0;
	pair = sense_pair_bit(s, e);
	r = sense_source_of(s, e, false, 0, &slot);
	if (!r || !sense_has_bit(r->pairs, 8, pair))
		return 0;
	sense_tick(r, e->now);
#pragma clang loop unroll(full)
	for (int i = 0; i < SENSE_OUTCOME_KINDS; i++)
		if (i == e->kind)
			r->outcomes[i] += e->packets;
	if (e->kind == SENSE_ANSWERED) {
		is_new = !sense_has_bit(r->failed, 8, pair) && sense_set_bit(r->answered, 8, pair);
		r->answered_bits += is_new;
	} else {
		is_new = !sense_has_bit(r->answered, 8, pair) && sense_set_bit(r->failed, 8, pair);
		r->failed_bits += is_new;
	}
	sense_check_source(s, r, slot, sense_tag(e->hash), e->now);
	return is_new;
}

/* Packets of a source that is remembered. */
SENSE_FUNCTION sense_volume(const struct sense_event *e)
{
	const struct sense_settings *s = sense_settings_at(0);
	struct sense_source *r;
	__u32 slot = 0;

	if (!s || !e)
		return 0;
	r = sense_source_of(s, e, false, 0, &slot);
	if (!r)
		return 0;
	if (e->is_established) {
		r->established += e->packets;
	} else {
		r->packets += e->packets;
		r->bytes += e->bytes;
	}
	sense_tick(r, e->now);
	r->last = e->now;
	if (r->packets >= r->next_packets)
		sense_check_source(s, r, slot, sense_tag(e->hash), e->now);
	/* 4, 8, 16 …: whether what is found in a source's name is its own doing rests on these. */
	else if (e->is_established && r->established > 3 && !(r->established & (r->established - 1)))
		sense_note(s, SENSE_NOTE_SOURCE, slot, sense_tag(e->hash), e->now);
	return 1;
}

#endif
