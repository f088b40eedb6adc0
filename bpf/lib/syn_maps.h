/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps of bpf/abi/syn_defence.h: the same for the programs that judge and for those that answer. */
#ifndef BULKHEAD_SYN_MAPS_H
#define BULKHEAD_SYN_MAPS_H

#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include "metrics.h"
#include "packet.h"
#include "syn_defence.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct syn_settings);
} syn_settings_map SEC(".maps");

/* LRU, and only destinations with a listener get in: a flood to others cannot push them out. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SYN_GATE_COUNT_MAX);
	__type(key, struct syn_gate_key);
	__type(value, struct syn_gate);
} syn_gates_map SEC(".maps");

/* Entries are made only where translation was seen to lead to a listener under load (syn_ticket.h). */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SYN_PUBLISHED_COUNT_MAX);
	__type(key, struct syn_published_key);
	__type(value, struct syn_published);
} syn_published_map SEC(".maps");

static __always_inline struct syn_settings *syn_settings(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&syn_settings_map, &zero);
}

/* Cookies may be under way. */
static __always_inline bool is_armed(const struct syn_settings *settings)
{
	__u64 until = *(const volatile __u64 *)&settings->armed_until;

	return until && bpf_ktime_get_coarse_ns() <= until;
}

static __always_inline struct syn_gate *syn_gate_of(const struct ip_address *address, __u16 port)
{
	struct syn_gate_key key = {.address = *address, .port = port};

	return bpf_map_lookup_elem(&syn_gates_map, &key);
}

static __always_inline struct syn_published *syn_published_of(const struct ip_address *address, __u16 port, __u32 device)
{
	struct syn_published_key key = {.address = *address, .port = port, .device = device};

	return bpf_map_lookup_elem(&syn_published_map, &key);
}

static __always_inline struct syn_gate *syn_gate_behind(const struct syn_published *published)
{
	struct syn_gate_key key = published->target;

	return bpf_map_lookup_elem(&syn_gates_map, &key);
}

/* Nothing if `then` is later: another CPU wrote it after we asked the time. */
static __always_inline __u64 time_since(__u64 then, __u64 now)
{
	return now > then ? now - then : 0;
}

#endif
