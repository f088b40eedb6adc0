/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps of bpf/abi/fqdn.h: what the agent says, in hashes; what the programs learn, in mapped arrays of buckets. */
#ifndef BULKHEAD_FQDN_MAPS_H
#define BULKHEAD_FQDN_MAPS_H

#include "fqdn_glob.h"
#include "fqdn_table.h"
#include "maps.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fqdn_config);
} fqdn_config_map SEC(".maps");

/* Whose answers are believed. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 256);
	__type(key, struct ip_address);
	__type(value, __u32);
} fqdn_resolver_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct fqdn_selector_key);
	__type(value, struct fqdn_selector);
} fqdn_selector_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct fqdn_glob_key);
	__type(value, struct fqdn_glob);
} fqdn_glob_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, FQDN_QUERY_BUCKETS);
	__type(key, __u32);
	__type(value, struct fqdn_query_bucket);
} fqdn_query_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, FQDN_FORGED_BUCKETS);
	__type(key, __u32);
	__type(value, struct fqdn_query_bucket);
} fqdn_forged_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, FQDN_NUMBER_BUCKETS);
	__type(key, __u32);
	__type(value, struct fqdn_fact_bucket);
} fqdn_number_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, FQDN_HISTORY_BUCKETS);
	__type(key, __u32);
	__type(value, struct fqdn_fact_bucket);
} fqdn_history_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, FQDN_NAME_BUCKETS);
	__type(key, __u32);
	__type(value, struct fqdn_name_bucket);
} fqdn_name_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, FQDN_STREAM_BUCKETS);
	__type(key, __u32);
	__type(value, struct fqdn_stream_bucket);
} fqdn_stream_map SEC(".maps");

/*
 * Working memory. The programs run with bottom halves off and call nothing that comes back here, so a CPU has one packet
 * in hand.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fqdn_scratch);
} fqdn_scratch_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fqdn_peers);
} fqdn_peers_map SEC(".maps");

/* Seconds of CLOCK_MONOTONIC, as all of these tables count them. */
static __always_inline __u32 fqdn_now(void)
{
	return bpf_ktime_get_coarse_ns() / 1000000000ull;
}

#endif
