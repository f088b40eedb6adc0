/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where events go, whichever program writes them. */
#ifndef BULKHEAD_EVENT_MAPS_H
#define BULKHEAD_EVENT_MAPS_H

#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include "event_ring.h"

/* The three parts of the events' way out, see bpf/abi/event_ring.h. The first two: agent. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct event_ring);
} event_rings_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, EVENTS_PER_CHUNK * sizeof(struct flow_event));
} flow_events_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} event_doorbell SEC(".maps");

#endif
