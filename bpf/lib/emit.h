/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* emit: one flow event into the ring buffer; an event that finds no room is counted. */
#ifndef BULKHEAD_EMIT_H
#define BULKHEAD_EMIT_H

#include "count.h"
#include "packet.h"

/*
 * Waking the reader costs more than ten events (an interrupt to ourselves, dear in a virtual machine): it polls, and is
 * woken only when this much waits, and then once, not by every event until it runs. Events of several CPUs may step
 * over the mark together, so it has a width.
 */
#define WAKE_BYTES (256 << 10)
#define WAKE_WIDTH 1024

/* What the event says beyond the packet itself. */
struct occasion {
	__u32 rule;
	__u32 peer_identity;
	__u32 ifindex;
	__u32 generation;
	__u64 packets;
	__u64 bytes;
	__u8 verdict;
	__u8 reason;
	__u8 conntrack;
};

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

/* Not inlined: it is off the path of established packets, and the one copy keeps programs small. */
static __attribute__((noinline)) int emit_flow(struct packet *p, const struct endpoint_entry *ep,
					       const struct occasion *o, int direction)
{
	struct flow_event *e = bpf_ringbuf_reserve(&events_ringbuf, sizeof(*e), 0);
	__u64 waiting;

	if (!e) {
		count_metric(METRIC_EVENT_LOST, 0);
		return 0;
	}
	count_metric(METRIC_EVENT_WRITTEN, 0);
	e->kind = EVENT_FLOW;
	e->verdict = o->verdict;
	e->reason = o->reason;
	e->direction = direction;
	e->conntrack = o->conntrack;
	e->protocol = p->key.protocol;
	e->family = p->family;
	e->tcp_flags = p->tcp_flags;
	e->timestamp = bpf_ktime_get_ns();
	e->source = *source_of(p, direction);
	e->destination = *destination_of(p, direction);
	fill_ports(e, p, direction);
	e->endpoint = ep->endpoint;
	e->vlan = p->vlan;
	e->subject = ep->subject;
	e->identity = ep->identity;
	e->peer_identity = o->peer_identity;
	e->rule = o->rule;
	e->generation = o->generation;
	e->length = p->length;
	e->ifindex = o->ifindex;
	e->packets = o->packets;
	e->bytes = o->bytes;
	waiting = bpf_ringbuf_query(&events_ringbuf, BPF_RB_AVAIL_DATA);
	bpf_ringbuf_submit(e, waiting - WAKE_BYTES < WAKE_WIDTH ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
	return 0;
}

#endif
