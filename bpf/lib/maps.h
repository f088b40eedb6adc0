/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Every map of the datapath. Sizes marked "agent" are defaults that the agent may change before it loads. */
#ifndef BULKHEAD_MAPS_H
#define BULKHEAD_MAPS_H

#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include "datapath_abi.h"
#include "event_maps.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct datapath_config);
} config_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ENDPOINT_TABLE_SIZE);
	__type(key, __u32);
	__type(value, struct endpoint_entry);
} endpoint_map SEC(".maps");

/* Interfaces whose slot in endpoint_map is taken; ifindex -> record. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct endpoint_entry);
} endpoint_overflow_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct endpoint_address_key);
	__type(value, __u32);
} endpoint_address_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 256);
	__type(key, struct failsafe_key);
	__type(value, __u32);
} failsafe_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, BANK_COUNT * SUBJECT_SLOT_COUNT);
	__type(key, __u32);
	__type(value, struct subject_entry);
} subject_map SEC(".maps");

/* Whose sockets are services', see bpf/abi/service.h. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct service_config);
} service_config_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SERVICE_COUNT_MAX);
	__type(key, __u64);
	__type(value, struct endpoint_entry);
} service_cgroup_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SERVICE_COUNT_MAX);
	__type(key, __u32);
	__type(value, struct endpoint_entry);
} service_user_map SEC(".maps");

/* Keys of connections of the host that no default deny cuts; their endpoint is 0. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, KEPT_COUNT_MAX);
	__type(key, struct conntrack_key);
	__type(value, __u32);
} kept_flow_map SEC(".maps");

/* Chunks of both banks, interleaved. Agent. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, BANK_COUNT * 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, POLICY_CHUNK_BYTES);
} policy_heads_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, BANK_COUNT * 8);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, POLICY_CHUNK_BYTES);
} policy_entries_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, BANK_COUNT * 16);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, IPCACHE_CHUNK_BYTES);
} ipcache_map SEC(".maps");

/* The three parts of the flow table, see bpf/abi/conntrack.h. Agent. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct conntrack_table);
} conntrack_table_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 262144 / CONNTRACK_HEADS);
	__type(key, __u32);
	__type(value, struct conntrack_heads);
} conntrack_heads_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 262144);
	__type(key, __u32);
	__type(value, struct conntrack_node);
} conntrack_map SEC(".maps");

/*
 * Entries of conntrack_map by endpoint: counted up here, set to what it found by the agent's sweep, which is also what
 * deletes them.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u32);
} endpoint_flows_map SEC(".maps");

/* When packets of policies without flows were last reported (jiffies), by what they have in common. */
#define UNTRACKED_REPORT_COUNT 1024
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, UNTRACKED_REPORT_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} untracked_report_map SEC(".maps");

/* LRU: what it may forget is only the rest of a half-sent datagram. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct fragment_key);
	__type(value, struct fragment_entry);
} fragment_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RULE_SLOT_COUNT);
	__type(key, __u32);
	__type(value, struct rule_stats);
} rule_stats_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, METRIC_COUNT);
	__type(key, __u32);
	__type(value, struct metric);
} metrics_map SEC(".maps");

#endif
