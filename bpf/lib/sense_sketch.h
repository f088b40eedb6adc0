/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sketches: bit maps for counting by linear probability, registers for HyperLogLog; and the notes that tell of levels. */
#ifndef BULKHEAD_SENSE_SKETCH_H
#define BULKHEAD_SENSE_SKETCH_H

#include "sense_hash.h"

/* True if the bit was not set. `count`: words of the map, a power of two. */
static __always_inline bool sense_set_bit(__u64 *map, __u32 count, __u32 bit)
{
	__u64 mask = 1ull << (bit & 63), *word = &map[sense_index(bit >> 6, count)];

	if (*word & mask)
		return false;
	*word |= mask;
	return true;
}

static __always_inline bool sense_has_bit(const __u64 *map, __u32 count, __u32 bit)
{
	return map[sense_index(bit >> 6, count)] >> (bit & 63) & 1;
}

/* `count`: registers, a power of two. The hash's low bits choose one, the zeros at its upper half's end fill it. */
static __always_inline void sense_add_register(__u8 *registers, __u32 count, __u64 hash)
{
	__u32 rest = (__u32)(hash >> 32), rank;
	__u8 *at = &registers[sense_index(hash, count)];

	rank = 1;
	rest = rest & -rest;
	if (!rest)
		rank = 33;
	else
		rank += (rest & 0xaaaaaaaa ? 1 : 0) + (rest & 0xcccccccc ? 2 : 0) + (rest & 0xf0f0f0f0 ? 4 : 0) +
			(rest & 0xff00ff00 ? 8 : 0) + (rest & 0xffff0000 ? 16 : 0);
	if (*at < rank)
		*at = rank;
}

/* Says that a record passed a level; false if there are too many notes now, so that it is said again later. */
static __always_inline bool sense_note(const struct sense_settings *s, __u32 kind, __u32 slot, __u32 tag, __u64 now)
{
	struct sense_note note = { .time = now, .kind = kind, .slot = slot, .tag = tag };
	struct sense_cpu *cpu = sense_cpu_at(0);
	__u64 next;

	if (!cpu)
		return false;
	next = (cpu->notes_full_at > now ? cpu->notes_full_at : now) + s->note_cost;
	if (next - now > s->note_burst) {
		sense_count(SENSE_COUNT_NOTES_REFUSED);
		return false;
	}
	cpu->notes_full_at = next;
	if (!sense_put_note(&note)) {
		sense_count(SENSE_COUNT_NOTES_LOST);
		return false;
	}
	sense_count(SENSE_COUNT_NOTES);
	return true;
}

/* The way of a tag, or SENSE_WAYS. */
static __always_inline __u32 sense_find_way(const __u32 *tags, __u32 tag)
{
	__u32 way = SENSE_WAYS;

#pragma clang loop unroll(full)
	for (__u32 i = 0; i < SENSE_WAYS; i++)
		if (tags[i] == tag)
			way = i;
	return sense_forget(way);
}

/* True if the caller may fill the way now; it stores the tag when it has. */
static __always_inline bool sense_claim(__u32 *tag)
{
	__u32 old = *(volatile __u32 *)tag;

	return old != SENSE_TAG_BUSY && __sync_val_compare_and_swap(tag, old, SENSE_TAG_BUSY) == old;
}

static __always_inline void sense_publish(__u32 *at, __u32 tag)
{
	asm volatile("" ::: "memory");
	*(volatile __u32 *)at = tag;
}

#endif
