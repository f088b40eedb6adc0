/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the sensors' tables are: in the kernel, maps; natively (replay of captures), plain memory of the thread's current
 * `struct sense_tables`. What is built on these accessors is the same in both.
 */
#ifndef BULKHEAD_SENSE_TABLES_H
#define BULKHEAD_SENSE_TABLES_H

#include "packet.h"
#include "sensors.h"

#ifdef __bpf__

#include <bpf/bpf_helpers.h>
#include "metrics.h"

#define SENSE_ARRAY(name, count, element)              \
	struct {                                       \
		__uint(type, BPF_MAP_TYPE_ARRAY);      \
		__uint(map_flags, BPF_F_MMAPABLE);     \
		__uint(max_entries, count);            \
		__type(key, __u32);                    \
		__type(value, element);                \
	} name SEC(".maps")

SENSE_ARRAY(sense_settings_map, 1, struct sense_settings);
SENSE_ARRAY(sense_sources_map, SENSE_SOURCE_SETS, struct sense_source_set);
SENSE_ARRAY(sense_brief_map, SENSE_BRIEF_SETS, struct sense_brief_set);
SENSE_ARRAY(sense_targets_map, SENSE_TARGET_SETS, struct sense_target_set);
SENSE_ARRAY(sense_pairs_map, SENSE_PAIR_SETS, struct sense_pair_set);
SENSE_ARRAY(sense_zones_map, SENSE_ZONE_SETS, struct sense_zone_set);
SENSE_ARRAY(sense_flows_map, SENSE_FLOW_SETS, struct sense_flow_set);
SENSE_ARRAY(sense_handshakes_map, SENSE_HANDSHAKE_CELLS, __u64);

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sense_cpu);
} sense_cpu_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SENSE_METRIC_COUNT);
	__type(key, __u32);
	__type(value, struct metric);
} sense_metrics_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 17);
} sense_notes_map SEC(".maps");

#define SENSE_AT(function, map, type)                                  \
	static __always_inline type *function(__u32 index)             \
	{                                                              \
		return bpf_map_lookup_elem(&map, &index);              \
	}

SENSE_AT(sense_settings_at, sense_settings_map, struct sense_settings)
SENSE_AT(sense_source_set_at, sense_sources_map, struct sense_source_set)
SENSE_AT(sense_brief_set_at, sense_brief_map, struct sense_brief_set)
SENSE_AT(sense_target_set_at, sense_targets_map, struct sense_target_set)
SENSE_AT(sense_pair_set_at, sense_pairs_map, struct sense_pair_set)
SENSE_AT(sense_zone_set_at, sense_zones_map, struct sense_zone_set)
SENSE_AT(sense_flow_set_at, sense_flows_map, struct sense_flow_set)
SENSE_AT(sense_handshake_at, sense_handshakes_map, __u64)
SENSE_AT(sense_cpu_at, sense_cpu_map, struct sense_cpu)

static __always_inline void sense_count(__u32 index)
{
	struct metric *m = bpf_map_lookup_elem(&sense_metrics_map, &index);

	if (m)
		m->packets += 1;
}

static __always_inline __u32 sense_random(void)
{
	return bpf_get_prandom_u32();
}

static __always_inline __u64 sense_now(void)
{
	return bpf_ktime_get_coarse_ns();
}

/* Of what sense_now() counts in: as long as it is the same, so is that. */
static __always_inline __u32 sense_jiffies(void)
{
	return bpf_jiffies64();
}

static __always_inline bool sense_put_note(const struct sense_note *note)
{
	return !bpf_ringbuf_output(&sense_notes_map, (void *)note, sizeof(*note), 0);
}

/* Global: the verifier proves each step once, whoever calls it. */
#define SENSE_FUNCTION __attribute__((noinline)) int

#else

#include "sense_native.h"

#define SENSE_FUNCTION static __attribute__((noinline)) int

#endif

/* A multiplicative step that the caller's clock bounds: the level after `count`. */
static __always_inline __u32 sense_next_level(__u32 count)
{
	return count + (count < 8 ? 1 : count >> 2);
}

/*
 * The same number by way of memory: the verifier would go on with each number of a search separately, to the end of the
 * program, and what it reads from a map is any number.
 */
static __always_inline __u32 sense_forget(__u32 number)
{
#ifdef __bpf__
	struct sense_cpu *cpu = sense_cpu_at(0);

	if (!cpu)
		return 0;
	*(volatile __u32 *)&cpu->number = number;
	return *(volatile __u32 *)&cpu->number;
#else
	return number;
#endif
}

/* An index into an array whose size is a power of two, which the compiler must not find needless. */
static __always_inline __u32 sense_index(__u32 index, __u32 size)
{
#ifdef __bpf__
	asm volatile("" : "+r"(index));
#endif
	return index & (size - 1);
}

#endif
