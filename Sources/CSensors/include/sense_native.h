/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The sensors' tables as plain memory. */
#ifndef BULKHEAD_SENSE_NATIVE_H
#define BULKHEAD_SENSE_NATIVE_H

#include <stdbool.h>
#include <stddef.h>

#define SENSE_NOTE_ROOM 4096
#define SENSE_NATIVE_CPUS 2

struct sense_tables {
	struct sense_settings settings;
	struct sense_cpu cpus[SENSE_NATIVE_CPUS];
	__u32 cpu;
	struct sense_source_set *sources;
	struct sense_brief_set *brief;
	struct sense_target_set *targets;
	struct sense_pair_set *pairs;
	struct sense_zone_set *zones;
	struct sense_flow_set *flows;
	__u64 *handshakes;
	__u64 metrics[SENSE_METRIC_COUNT];
	struct sense_note notes[SENSE_NOTE_ROOM];
	__u32 notes_written, notes_read;
	__u32 random;
	__u64 now;
};

/* Of the thread that is in the step. */
extern _Thread_local struct sense_tables *sense_current;

#define SENSE_AT(function, member, type)                       \
	static __always_inline type *function(__u32 index)     \
	{                                                      \
		return &sense_current->member[index];          \
	}

SENSE_AT(sense_source_set_at, sources, struct sense_source_set)
SENSE_AT(sense_brief_set_at, brief, struct sense_brief_set)
SENSE_AT(sense_target_set_at, targets, struct sense_target_set)
SENSE_AT(sense_pair_set_at, pairs, struct sense_pair_set)
SENSE_AT(sense_zone_set_at, zones, struct sense_zone_set)
SENSE_AT(sense_flow_set_at, flows, struct sense_flow_set)
SENSE_AT(sense_handshake_at, handshakes, __u64)

static __always_inline struct sense_settings *sense_settings_at(__u32 index)
{
	return &sense_current->settings;
}

static __always_inline struct sense_cpu *sense_cpu_at(__u32 index)
{
	return &sense_current->cpus[sense_current->cpu];
}

static __always_inline __u64 sense_now(void)
{
	return sense_current->now;
}

/* Captures have a finer clock; of a millisecond, as a kernel may have. */
static __always_inline __u32 sense_jiffies(void)
{
	return sense_current->now >> 20;
}

static __always_inline void sense_count(__u32 index)
{
	sense_current->metrics[index]++;
}

/* xorshift32: the same capture gives the same report each time. */
static __always_inline __u32 sense_random(void)
{
	__u32 x = sense_current->random;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return sense_current->random = x;
}

static __always_inline bool sense_put_note(const struct sense_note *note)
{
	struct sense_tables *t = sense_current;

	if (t->notes_written - t->notes_read >= SENSE_NOTE_ROOM)
		return false;
	t->notes[t->notes_written++ % SENSE_NOTE_ROOM] = *note;
	return true;
}

#endif
