/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the sensors do under load. A CPU looks at so many packets whole in 8.4 ms. Where more come, one in 2^shift of the flows
 * is followed, chosen by a secret hash, so that both directions of it are: what a probe brought is known as before. Rates
 * are counted from a lottery of all packets, as one flow may be the flood. Either stands for 2^shift.
 *
 * A question and its answer may be another CPU's and another moment's business. So the share is the same for all CPUs, that of
 * the one that needs the least, and grows again only when nobody has needed that for a tenth of a second.
 */
#ifndef BULKHEAD_SENSE_LOAD_H
#define BULKHEAD_SENSE_LOAD_H

#include "sense_flow.h"

#define SENSE_LOAD_HOLD (SENSE_SECOND / 10)
#define SENSE_LOAD_BITS 15                /* of sense_settings.load: the shift */

/* The share that this CPU needs, by what came since the last time. */
static __always_inline __u32 sense_needed_shift(const struct sense_settings *s, struct sense_cpu *cpu, __u32 tick)
{
	__u64 allowed = (__u64)s->budget * (__u32)(tick - cpu->load_tick);
	__u32 shift = 0;

#pragma clang loop unroll(full)
	for (int i = 0; i < SENSE_LOAD_SHIFT_MAX; i++)
		shift += (__u64)cpu->seen >> i > allowed;
	cpu->seen = cpu->whole = 0;
	cpu->load_tick = tick;
	return sense_forget(shift);
}

/* Sets the share. CPUs that write at once write nearly the same, and again with their next tick. */
static __always_inline void sense_measure(struct sense_settings *s, struct sense_cpu *cpu)
{
	__u64 now = sense_now(), load = *(volatile __u64 *)&s->load;
	__u32 tick = now >> SENSE_LOAD_SHIFT, current = (__s64)(now - load) < 0 ? load & SENSE_LOAD_BITS : 0;

	if (tick != cpu->load_tick) {
		__u32 needed = sense_needed_shift(s, cpu, tick);

		if (needed && needed >= current) {
			current = needed;
			load = ((now + SENSE_LOAD_HOLD) & ~(__u64)SENSE_LOAD_BITS) | needed;
			*(volatile __u64 *)&s->load = load;
		}
		if (load && !sense_has_missed(s, now))
			*(volatile __u64 *)&s->load = 0;
	}
	cpu->shift = current;
	cpu->jiffies = sense_jiffies();
}

static __always_inline __u64 sense_mix_end(const struct sense_settings *s, const struct ip_address *address, __u16 port)
{
	struct sense_words w = sense_words_of(address);
	__u64 x = ((w.lo ^ port) + w.hi * s->mix_key[3]) * s->mix_key[1];

	return x ^ x >> 32;
}

/* The next number of this CPU's lottery: cheaper than the kernel's random numbers, and nobody outside sees who wins. */
static __always_inline __u32 sense_draw(const struct sense_settings *s, struct sense_cpu *cpu)
{
	cpu->lottery = (cpu->lottery + s->mix_key[2]) * 0x9e3779b97f4a7c15ull + 1;
	return cpu->lottery >> 40;
}

/* Flags that say for what this packet stands; -1: others stand for it. */
SENSE_FUNCTION sense_choose(const struct packet *p)
{
	struct sense_settings *s = sense_settings_at(0);
	struct sense_cpu *cpu = sense_cpu_at(0);
	__u32 shift, mask, flags;
	bool is_chosen;
	__u64 hash;

	if (!p || !s || !cpu)
		return -1;
	if (!s->budget)
		return 0;
	cpu->seen++;
	/* The clock is dearer, and says nothing new until then. */
	if (sense_jiffies() != cpu->jiffies)
		sense_measure(s, cpu);
	shift = cpu->shift;
	if (!shift)
		return 0;
	mask = (1u << (shift & 15)) - 1;
	hash = (sense_mix_end(s, &p->key.local, p->key.local_port) + sense_mix_end(s, &p->key.remote, p->key.remote_port)) *
	       s->mix_key[3];
	/* One flow may be all that comes: there is a bound on what is looked at, whatever it is. */
	is_chosen = !((hash >> 40) & mask) && cpu->whole < 2 * s->budget;
	if (!(sense_draw(s, cpu) & mask))
		flags = is_chosen ? 0 : SENSE_UNCHOSEN;
	else if (is_chosen)
		flags = SENSE_UNCOUNTED;
	else
		return -1;
	cpu->whole++;
	return flags | shift << SENSE_WEIGHT_SHIFT;
}

#endif
