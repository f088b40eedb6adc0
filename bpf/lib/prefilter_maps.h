/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps of bpf/abi/prefilter.h. Sizes marked "agent" are defaults that the agent may change before it loads. */
#ifndef BULKHEAD_PREFILTER_MAPS_H
#define BULKHEAD_PREFILTER_MAPS_H

#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include "prefilter.h"
#include "range_trie.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct prefilter_settings);
} prefilter_settings_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct prefilter_ports);
} prefilter_ports_map SEC(".maps");

/* The shape of a trie; each has as many elements as it needs. */
struct prefilter_trie {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, RANGE_CHUNK_BYTES);
};

/* A store into a slot replaces all feeds of a family; a lookup sees one trie from root to leaf. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, FEED_TRIE_COUNT);
	__uint(key_size, sizeof(__u32));
	__array(values, struct prefilter_trie);
} prefilter_feeds_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FEED_COUNT);
	__type(key, __u32);
	__type(value, struct metric);
} prefilter_feed_hits_map SEC(".maps");

/* A plain hash: a block that does not fit is refused, none is forgotten. Agent. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct prefilter_block_key);
	__type(value, struct prefilter_block);
} prefilter_blocks_map SEC(".maps");

/* The sets of each scope, one scope after the other. Agent. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LIMIT_SCOPE_COUNT * 4096);
	__type(key, __u32);
	__type(value, struct limit_set);
} prefilter_limits_map SEC(".maps");

/* Destinations for which the limits of `flooded_only` hold. Agent. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PREFILTER_FLOODED_MAX);
	__type(key, struct ip_address);
	__type(value, __u32);
} prefilter_flooded_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ASKED_CELLS);
	__type(key, __u32);
	__type(value, __u32);
} prefilter_asked_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PREFILTER_METRIC_COUNT);
	__type(key, __u32);
	__type(value, struct metric);
} prefilter_metrics_map SEC(".maps");

/* Elements: agent. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PREFILTER_REASONS);
	__type(key, __u32);
	__type(value, struct prefilter_sample);
} prefilter_samples_map SEC(".maps");

static __always_inline void count_prefilter(__u32 index, __u32 bytes)
{
	struct metric *m = bpf_map_lookup_elem(&prefilter_metrics_map, &index);

	if (m) {
		m->packets += 1;
		m->bytes += bytes;
	}
}

#endif
