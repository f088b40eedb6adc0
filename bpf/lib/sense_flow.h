/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sensors' memory of flows: datagrams, to tell the first of a flow from the rest and questions from answers; and handshakes
 * that wait for their last step.
 */
#ifndef BULKHEAD_SENSE_FLOW_H
#define BULKHEAD_SENSE_FLOW_H

#include "sense_view.h"

#define SENSE_LOAD_MEMORY (60 * SENSE_SECOND) /* as long as flows of datagrams are remembered */

/* True if what this packet answers may not have been looked at, for there was load or the sensors had not begun. */
static __always_inline bool sense_has_missed(const struct sense_settings *s, __u64 now)
{
	__u64 load = *(const volatile __u64 *)&s->load;

	return load && (__s64)(now - load) < (__s64)SENSE_LOAD_MEMORY;
}

/* The same for both directions, and which of the two ends the packet's sender is. */
struct sense_flow_hash {
	__u64 hash;
	bool is_low;
};

static __always_inline struct sense_flow_hash sense_hash_flow(const struct sense_settings *s, const struct sense_view *v)
{
	__u64 source = sense_mix_address(s, v->source, v->source_port);
	__u64 target = sense_mix_address(s, v->target, v->target_port);
	struct sense_flow_hash f = {
		.hash = (source ^ target) * 0x9e3779b97f4a7c15ull, .is_low = source < target,
	};

	f.hash ^= f.hash >> 31;
	return f;
}

enum {
	SENSE_FLOW_FIRST = 0,             /* this packet begins it */
	SENSE_FLOW_MORE = 1,              /* of either side, after the first answer */
	SENSE_FLOW_ANSWER = 2,            /* the first one back */
	SENSE_FLOW_CROWDED = 3,           /* not known, and no room */
	SENSE_FLOW_AGAIN = 4,             /* of the side that began it, which nobody has answered */
};

/* Notes the datagram in hand. */
SENSE_FUNCTION sense_note_flow(bool may_begin)
{
	const struct sense_settings *s = sense_settings_at(0);
	struct sense_scratch *x = sense_scratch_of();
	__u32 victim = 0, worst = 0, flags;
	struct sense_flow_set *set;
	struct sense_flow_hash f;
	bool is_kept;
	__u16 tag;
	__u8 tick;

	if (!s || !x)
		return SENSE_FLOW_CROWDED;
	flags = x->view.flags;
	/* What was translated on its way looks here as if somebody inside began it. */
	is_kept = flags & SENSE_SOURCE_INSIDE && !(flags & SENSE_NO_PROBES);
	tick = x->view.now >> SENSE_FLOW_TICK_SHIFT;
	f = sense_hash_flow(s, &x->view);
	tag = f.hash >> 48;
	set = sense_flow_set_at((__u32)f.hash & (SENSE_FLOW_SETS - 1));
	if (!set)
		return SENSE_FLOW_CROWDED;
#pragma clang loop unroll(full)
	for (__u32 i = 0; i < SENSE_FLOW_WAYS; i++) {
		struct sense_flow *w = &set->ways[i];
		__u32 age = (__u8)(tick - w->tick), badness;
		bool is_dead = !w->flags || age > SENSE_FLOW_TICKS;

		if (w->tag == tag && !is_dead) {
			bool is_opener = !(w->flags & SENSE_FLOW_OPENED_LOW) == !f.is_low;

			if (w->tick != tick)
				w->tick = tick;
			if (w->flags & SENSE_FLOW_ANSWERED)
				return SENSE_FLOW_MORE;
			if (is_opener || flags & SENSE_NO_OUTCOMES)
				return SENSE_FLOW_AGAIN;
			w->flags |= SENSE_FLOW_ANSWERED | SENSE_FLOW_KEPT;
			return SENSE_FLOW_ANSWER;
		}
		badness = is_dead ? 1024 : w->flags & SENSE_FLOW_KEPT ? (is_kept ? age + 1 : 0) : age + 256;
		if (badness > worst) {
			worst = badness;
			victim = i;
		}
	}
	victim = sense_forget(victim);
	worst = sense_forget(worst);
	if (!may_begin)
		return SENSE_FLOW_FIRST;
	if (!worst) {
		sense_count(SENSE_COUNT_FLOWS_REFUSED);
		return SENSE_FLOW_CROWDED;
	}
	struct sense_flow *w = &set->ways[sense_index(victim, SENSE_FLOW_WAYS)];

	w->tag = tag;
	w->tick = tick;
	/* Never 0: that is a way that is nobody's. */
	w->flags = (f.is_low ? SENSE_FLOW_OPENED_LOW : 0) | (is_kept ? SENSE_FLOW_KEPT : 0) | 1 << 7;
	sense_count(SENSE_COUNT_FLOWS);
	/* The answer to a question that was not looked at tries nobody. */
	return !sense_is_client(&x->view) && sense_has_missed(s, x->view.now) ? SENSE_FLOW_AGAIN : SENSE_FLOW_FIRST;
}

/* Of a handshake's cell the half that says whose it is; `is_low`: of the opener. The other half is the answer's sequence number. */
static __always_inline __u64 sense_handshake_owner(const struct sense_flow_hash *f, bool is_low)
{
	return (f->hash & ~0x1ffffffffull) | (__u64)is_low << 32;
}

/* How far the opener may have got in what the other side sends: a forger's number is that near once in 256 times. */
#define SENSE_HANDSHAKE_WINDOW (1u << 24)

/* A SYN is answered: its handshake waits for the opener's next packet. */
SENSE_FUNCTION sense_await_handshake(void)
{
	const struct sense_settings *s = sense_settings_at(0);
	struct sense_scratch *x = sense_scratch_of();
	struct sense_flow_hash f;
	__u64 *cell;

	if (!s || !x)
		return 0;
	f = sense_hash_flow(s, &x->view);
	cell = sense_handshake_at((__u32)f.hash & (SENSE_HANDSHAKE_CELLS - 1));
	if (cell)
		*(volatile __u64 *)cell = sense_handshake_owner(&f, !f.is_low) | x->view.number;
	return 0;
}

/* 1, once: this is the opener's first packet after the answer, and it acknowledges that. Who guesses has one guess. */
SENSE_FUNCTION sense_end_handshake(void)
{
	const struct sense_settings *s = sense_settings_at(0);
	struct sense_scratch *x = sense_scratch_of();
	struct sense_flow_hash f;
	__u64 *cell, waiting;

	if (!s || !x)
		return 0;
	f = sense_hash_flow(s, &x->view);
	cell = sense_handshake_at((__u32)f.hash & (SENSE_HANDSHAKE_CELLS - 1));
	if (!cell)
		return 0;
	waiting = *(volatile __u64 *)cell;
	if ((waiting & ~0xffffffffull) != sense_handshake_owner(&f, f.is_low))
		return 0;
	*(volatile __u64 *)cell = 0;
	return x->view.acknowledged - (__u32)waiting - 1 < SENSE_HANDSHAKE_WINDOW;
}

#endif
