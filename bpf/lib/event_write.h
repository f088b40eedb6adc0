/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Writing into the event ring of this CPU; who writes what is in emit.h and prefilter_event.h. */
#ifndef BULKHEAD_EVENT_WRITE_H
#define BULKHEAD_EVENT_WRITE_H

#include "event_maps.h"
#include "packet.h"

/*
 * Waking the reader costs more than ten events (an interrupt to ourselves, dear in a virtual machine): it polls, and is
 * woken only when a ring has filled by this part, and then once.
 */
#define BELL_PART 4

static __always_inline void fill_ports(struct flow_event *e, const struct packet *p, int direction)
{
	if (!p->family) {
		e->source_port = 0;
		e->destination_port = network16(p->ethertype);
		return;
	}
	if (is_icmp(p->key.protocol)) {
		e->source_port = p->flags & (PACKET_ICMP_REQUEST | PACKET_ICMP_REPLY) ? p->key.remote_port : 0;
		e->destination_port = (__u16)p->icmp_code << 8 | p->icmp_type;
		return;
	}
	e->source_port = direction == DIRECTION_EGRESS ? p->key.local_port : p->key.remote_port;
	e->destination_port = direction == DIRECTION_EGRESS ? p->key.remote_port : p->key.local_port;
}

/* This CPU's ring; 0 if there is none. */
static __always_inline struct event_ring *own_ring(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&event_rings_map, &cpu);
}

/* Where the next event goes; 0 if the reader is a whole ring behind. */
static __always_inline struct flow_event *next_slot(const struct event_ring *ring)
{
	__u32 slot = ring->written & (ring->slot_count - 1), chunk = ring->first_chunk + slot / EVENTS_PER_CHUNK;
	struct flow_event *events;

	if (ring->written - *(const volatile __u64 *)&ring->read >= ring->slot_count)
		return 0;
	events = bpf_map_lookup_elem(&flow_events_map, &chunk);
	return events ? &events[slot & (EVENTS_PER_CHUNK - 1)] : 0;
}

static __attribute__((noinline)) void ring_bell(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	/* No room: the reader has been called already. */
	bpf_ringbuf_output(&event_doorbell, &cpu, sizeof(cpu), BPF_RB_FORCE_WAKEUP);
}

/* Makes the event in the next slot visible. */
static __always_inline void publish(struct event_ring *ring)
{
#ifdef __TARGET_ARCH_x86
	/* Stores become visible in their order; a locked instruction would wait for all of them to leave the CPU. */
	asm volatile("" ::: "memory");
	*(volatile __u64 *)&ring->written = ring->written + 1;
#else
	__sync_fetch_and_add(&ring->written, 1);
#endif
	if (ring->written - *(volatile __u64 *)&ring->read == ring->slot_count / BELL_PART)
		ring_bell();
}

#endif
