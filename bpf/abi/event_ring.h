/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How events reach the agent: a ring for each CPU, which only that CPU writes and only the agent's reader reads, both
 * without a lock and without a helper call. Programs run with bottom halves off, so they do not interrupt each other.
 *
 *   event_rings_map   struct event_ring, by CPU
 *   flow_events_map   struct flow_event, EVENTS_PER_CHUNK to an element; a ring's chunks follow one another
 *   event_doorbell    ring buffer whose records (the CPU's number) only wake the reader
 */
#ifndef BULKHEAD_ABI_EVENT_RING_H
#define BULKHEAD_ABI_EVENT_RING_H

#include "flow_event.h"

#define EVENTS_PER_CHUNK 256

/* Two cache lines: what the CPU writes, what the reader writes. Positions count events since the ring was made. */
struct event_ring {
	__u64 written;                    /* stored after the event it makes visible */
	__u32 slot_count;                 /* a power of two, EVENTS_PER_CHUNK at least; 0: not set up, events are lost */
	__u32 first_chunk;
	__u64 pad[6];
	__u64 read;                       /* stored when the reader is done with everything before */
	__u64 pad_end[7];
};
_Static_assert(sizeof(struct event_ring) == 128, "event_ring");

#endif
