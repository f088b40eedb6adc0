/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is noted of a source; and sources that have no record yet: a fingerprint each. */
#ifndef BULKHEAD_SENSE_BRIEF_H
#define BULKHEAD_SENSE_BRIEF_H

#include "sense_sketch.h"

/* What is to be noted of a source; `other`: whom it tried. */
struct sense_event {
	struct ip_address address;
	struct ip_address other;
	__u64 now;
	__u64 hash;                       /* sense_hash_address of `address` */
	__u32 bytes;
	__u32 packets;
	__u16 port;                       /* network order, 0 without */
	__u8 protocol;
	__u8 kind;                        /* SENSE_PROBE_* or, if it is an outcome, SENSE_ANSWERED... */
	__u8 flags;                       /* SENSE_RECORD_* */
	__u8 is_crowded;                  /* a probe of what very many try just now */
	__u8 is_established;              /* it completed a handshake; not a packet by itself */
	__u8 padding;
};

#define SENSE_SECOND 1000000000ull
#define SENSE_STILL (30 * SENSE_SECOND)           /* who weighs next to nothing may be replaced after that */
#define SENSE_FORGOTTEN (600 * SENSE_SECOND)      /* and anybody after that */
#define SENSE_RECORD_LONGEST (3600 * SENSE_SECOND)
#define SENSE_CROWDED_LONGEST (60 * SENSE_SECOND) /* with a map that is nearly full */
#define SENSE_PROMOTE_AT 3

/* Notes a newcomer among the brief ones. What it has tried by now, different things in a row, if it may be promoted; else 0. */
static __always_inline __u32 sense_brief(const struct sense_settings *s, const struct sense_event *e, __u64 pair)
{
	struct sense_brief_set *set = sense_brief_set_at((__u32)(e->hash >> 11) & (SENSE_BRIEF_SETS - 1));
	__u32 tag = sense_tag(e->hash) ^ 0x5bd1e994, found = SENSE_WAYS, victim = 0, worst = 0;
	__u16 tick = e->now >> SENSE_TICK_SHIFT;
	__u8 last = pair >> 24;

	if (!set)
		return 0;
#pragma clang loop unroll(full)
	for (__u32 i = 0; i < SENSE_WAYS; i++) {
		struct sense_brief *b = &set->ways[i];
		/* Older first, but who came twice counts as if it had come a minute later. */
		__u32 age = (__u16)(tick - b->tick), merit = b->count > 1 ? 112 : 0;
		__u32 badness = !b->tag ? 0x20000 : age > merit ? age - merit + 1 : 0;

		if (b->tag == tag)
			found = i;
		if (badness > worst) {
			worst = badness;
			victim = i;
		}
	}
	found = sense_forget(found);
	victim = sense_forget(victim);
	worst = sense_forget(worst);
	if (found < SENSE_WAYS) {
		struct sense_brief *b = &set->ways[sense_index(found, SENSE_WAYS)];

		b->tick = tick;
		if (b->last == last)
			return 0;
		b->last = last;
		if (b->count < 255)
			b->count++;
		return b->count >= SENSE_PROMOTE_AT ? b->count : 0;
	}
	/* All came in this very tick: any of them. */
	if (!worst)
		victim = e->hash >> 61;
	struct sense_brief *b = &set->ways[sense_index(victim, SENSE_WAYS)];

	b->tag = tag;
	b->tick = tick;
	b->count = 1;
	b->last = last;
	sense_count(SENSE_COUNT_BRIEF);
	return 0;
}

#endif
