/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* emit: one flow event into the ring of this CPU; an event that finds no room is counted. */
#ifndef BULKHEAD_EMIT_H
#define BULKHEAD_EMIT_H

#include "count.h"
#include "event_write.h"

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

/* Not inlined: it is off the path of established packets, and the one copy keeps programs small. */
static __attribute__((noinline)) int emit_flow(struct packet *p, const struct endpoint_entry *ep,
					       const struct occasion *o, int direction)
{
	struct event_ring *ring = own_ring();
	struct flow_event *e = ring ? next_slot(ring) : 0;

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
	publish(ring);
	return 0;
}

#endif
