/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sensors of targets: seconds, for rates and baselines, and minutes, for scans by many. */
#ifndef BULKHEAD_SENSE_TARGET_H
#define BULKHEAD_SENSE_TARGET_H

#include "sense_source.h"

/* What a packet is to its target, bit each; SENSE_IS_PROBE: somebody tries something. */
enum {
	SENSE_IS_SYN = 1 << 0,
	SENSE_IS_UDP = 1 << 1,
	SENSE_IS_ICMP = 1 << 2,
	SENSE_IS_FRAGMENT = 1 << 3,
	SENSE_IS_REFLECTED = 1 << 4,
	SENSE_IS_STRAY = 1 << 5,
	SENSE_IS_PROBE = 1 << 6,
	SENSE_IS_ESTABLISHED = 1 << 7,    /* completes a handshake; not a packet by itself */
	SENSE_IS_FAILURE = 1 << 8,        /* a probe was refused or denied; nor is this one */
	SENSE_IS_ANSWERED = 1 << 9,       /* a datagram of a flow that has been answered */
};

struct sense_arrival {
	struct ip_address target;
	__u64 now;
	__u64 source_hash;                /* 0: not to be counted as a source */
	__u32 bytes;
	__u32 packets;
	__u32 weight;                     /* of what it is, each */
	__u32 padding;
	__u16 what;                       /* SENSE_IS_* */
	__u16 port;                       /* network order: destination's */
	__u16 source_port;                /* network order: a reflector's */
	__u8 flags;                       /* SENSE_RECORD_* */
	__u8 rest;
};

#define SENSE_WINDOW SENSE_SECOND
#define SENSE_SPAN (240 * SENSE_SECOND)
#define SENSE_LEVEL_FIRST 256
#define SENSE_CROWD 1024                          /* to one port within a second */
#define SENSE_WATCH_FROM 200                      /* SYNs within a second, see sense_settings.watching */

static __always_inline void sense_copy_words(void *to, const void *from, int bytes)
{
#pragma clang loop unroll(full)
	for (int i = 0; i < bytes / 8; i++)
		((aliasing_u64 *)to)[i] = ((const aliasing_u64 *)from)[i];
}

static __always_inline void sense_clear_words(void *to, int bytes)
{
#pragma clang loop unroll(full)
	for (int i = 0; i < bytes / 8; i++)
		((aliasing_u64 *)to)[i] = 0;
}

static __always_inline void sense_begin_target(struct sense_target *r, const struct sense_arrival *a)
{
	sense_clear_words(r, sizeof(*r));
	r->address = a->target;
	r->flags = a->flags;
	r->last = a->now;
	r->now.since = r->span.since = a->now;
	r->now.next_level = SENSE_LEVEL_FIRST;
	r->next_failed = 8;
}

/* Begins the next second, and the next minutes. */
static __always_inline void sense_roll(struct sense_target *r, __u64 now)
{
	__u64 since = *(volatile __u64 *)&r->now.since, next;

	if ((__s64)(now - since) < (__s64)SENSE_WINDOW)
		return;
	next = (__s64)(now - since) < (__s64)(2 * SENSE_WINDOW) ? since + SENSE_WINDOW : now;
	/* One CPU does it; what others count meanwhile may be lost. */
	if (__sync_val_compare_and_swap(&r->now.since, since, next) != since)
		return;
	sense_copy_words(&r->before, &r->now, sizeof(r->now));
	r->before.since = since;
	sense_clear_words((char *)&r->now + 8, sizeof(r->now) - 8);
	r->now.next_level = SENSE_LEVEL_FIRST;
	if ((__s64)(now - r->span.since) > (__s64)SENSE_SPAN) {
		sense_copy_words(&r->span_before, &r->span, sizeof(r->span));
		sense_clear_words(&r->span, sizeof(r->span));
		r->span.since = now;
		r->next_failed = 8;
	}
}

/* Lighter ones are replaced first: who got little lately, or nothing for long. */
static __always_inline __u32 sense_target_weight(const struct sense_target *r, __u64 now)
{
	if ((__s64)(now - r->last) > (__s64)SENSE_STILL)
		return 0;
	return 1 + r->now.packets + r->before.packets + 16 * (r->span.failed + r->span_before.failed) +
	       (r->flags & SENSE_RECORD_INSIDE ? 1024 : 0);
}

static __always_inline struct sense_target *sense_make_target(const struct sense_arrival *a, __u32 index, __u32 tag, __u32 *slot)
{
	struct sense_target_set *set = sense_target_set_at(index);
	__u32 way = 0, lightest = ~0u;
	struct sense_target *r;

	if (!set)
		return 0;
	for (__u32 i = 0; i < SENSE_WAYS; i++) {
		__u32 weight = set->tags[i] == SENSE_TAG_FREE ? 0 : sense_target_weight(&set->ways[i], a->now);

		if (weight < lightest) {
			lightest = weight;
			way = i;
		}
	}
	way = sense_index(sense_forget(way), SENSE_WAYS);
	lightest = sense_forget(lightest);
	/* By lot: many targets at once, of a source that sweeps, do not push out one that is flooded. */
	if (lightest && sense_random() % (lightest + 1) >= a->packets)
		return 0;
	if (!sense_claim(&set->tags[way]))
		return 0;
	r = &set->ways[way];
	sense_begin_target(r, a);
	sense_publish(&set->tags[way], tag);
	sense_count(SENSE_COUNT_TARGETS);
	*slot = index * SENSE_WAYS + way;
	return r;
}

static __always_inline struct sense_target *sense_target_at_slot(__u32 slot, const struct ip_address *address)
{
	struct sense_target_set *set = sense_target_set_at(slot / SENSE_WAYS & (SENSE_TARGET_SETS - 1));
	struct sense_target *r;

	if (!set)
		return 0;
	r = &set->ways[sense_index(slot, SENSE_WAYS)];
	return same_address(&r->address, address) && set->tags[sense_index(slot, SENSE_WAYS)] > SENSE_TAG_BUSY ? r : 0;
}

/* Where the record of a target is; each CPU remembers the last ones. */
static __always_inline struct sense_target *sense_target_of(const struct sense_settings *s, const struct sense_arrival *a,
							    __u32 *slot)
{
	struct sense_words w = sense_words_of(&a->target);
	struct sense_cpu *cpu = sense_cpu_at(0);
	struct sense_target_set *set;
	struct sense_target *r;
	__u32 place = (__u32)(w.lo ^ w.lo >> 32 ^ w.lo >> 56) & (SENSE_TARGET_CACHE - 1), index, way;
	__u64 hash;

	if (!cpu)
		return 0;
	*slot = cpu->targets[place];
	r = sense_target_at_slot(*slot, &a->target);
	if (r)
		return r;
	hash = sense_hash_address(s, w);
	index = (__u32)hash & (SENSE_TARGET_SETS - 1);
	set = sense_target_set_at(index);
	if (!set)
		return 0;
	way = sense_find_way(set->tags, sense_tag(hash));
	*slot = index * SENSE_WAYS + way;
	if (way < SENSE_WAYS)
		r = sense_target_at_slot(*slot, &a->target);
	else if (a->packets)
		r = sense_make_target(a, index, sense_tag(hash), slot);
	if (r)
		cpu->targets[place] = *slot;
	return r;
}

/* The port that most go to: who meets another port votes it down (Boyer, Moore). */
static __always_inline void sense_vote(struct sense_window *w, __u16 port, __u32 weight)
{
	if (w->top_port == port)
		w->top_count += weight;
	else if (w->top_count >= weight)
		w->top_count -= weight;
	else
		w->top_port = port, w->top_count = weight;
}

static __always_inline void sense_check_target(const struct sense_settings *s, struct sense_target *r, __u32 slot, __u64 now)
{
	struct sense_target_set *set = sense_target_set_at(slot / SENSE_WAYS & (SENSE_TARGET_SETS - 1));
	struct sense_window *w = &r->now;
	__u32 level = w->syn + w->udp + w->icmp + w->fragments + w->stray;

	if (level < w->next_level && r->span.failed < r->next_failed)
		return;
	if (!set || !sense_note(s, SENSE_NOTE_TARGET, slot, set->tags[sense_index(slot, SENSE_WAYS)], now))
		return;
	if (level >= w->next_level)
		w->next_level = level * 2;
	if (r->span.failed >= r->next_failed)
		r->next_failed = sense_next_level(r->span.failed);
}

/* Counts a packet at its target. 1: more try the same port than are worth a record each. */
SENSE_FUNCTION sense_arrive(const struct sense_arrival *a)
{
	struct sense_settings *s = sense_settings_at(0);
	struct sense_target *r;
	struct sense_window *w;
	__u32 slot = 0;

	if (!s || !a)
		return 0;
	r = sense_target_of(s, a, &slot);
	if (!r)
		return 0;
	sense_roll(r, a->now);
	r->last = a->now;
	w = &r->now;
	w->packets += a->packets;
	w->bytes += a->bytes;
	if (a->what & SENSE_IS_SYN) {
		w->syn += a->weight;
		if (w->syn >= SENSE_WATCH_FROM && !s->watching)
			s->watching = 1;
	}
	if (a->what & SENSE_IS_UDP)
		w->udp += a->weight;
	if (a->what & SENSE_IS_ANSWERED)
		w->udp_answered += a->weight;
	if (a->what & SENSE_IS_ICMP)
		w->icmp += a->weight;
	if (a->what & SENSE_IS_FRAGMENT)
		w->fragments += a->weight;
	if (a->what & SENSE_IS_STRAY)
		w->stray += a->weight;
	if (a->what & SENSE_IS_ESTABLISHED)
		w->established += a->weight;
	if (a->what & SENSE_IS_FAILURE)
		r->span.failed += a->weight;
	if (a->what & SENSE_IS_REFLECTED) {
		w->reflected += a->weight;
		w->reflected_bytes += a->bytes;
		w->reflector_port = a->source_port;
	}
	if (a->source_hash)
		sense_add_register(w->sources, SENSE_REGISTERS, a->source_hash);
	if (a->what & (SENSE_IS_SYN | SENSE_IS_UDP))
		sense_vote(w, a->port, a->weight);
	if (a->what & SENSE_IS_PROBE) {
		sense_add_register(r->span.probers, SENSE_PROBER_REGISTERS, a->source_hash);
		if (a->port)
			sense_set_bit(r->span.ports, 8, sense_mix(s, a->port) >> 16);
	}
	sense_check_target(s, r, slot, a->now);
	return w->top_count > SENSE_CROWD && w->top_port == a->port;
}

#endif
