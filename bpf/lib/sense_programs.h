/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the endpoints' programs hand to the sensors, and how. */
#ifndef BULKHEAD_SENSE_PROGRAMS_H
#define BULKHEAD_SENSE_PROGRAMS_H

#include "scene.h"
#include "sensors.h"

/* Where packets go that the sensors want: programs of the prefilter (bpf/programs/prefilter.bpf.c), put here by the agent. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, SENSE_PROGRAM_COUNT);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} sense_programs_map SEC(".maps");

/* Begins a flow, ends it, is denied or may be about a name; else never a packet of an established flow. At the host's devices the prefilter sees the rest. */
static __always_inline bool is_sensed(const struct scene *s, __u32 is_host, int action)
{
	if (is_host)
		return is_host == IS_HOST && action == TC_ACT_SHOT;
	/* Names: of each datagram, where nobody has read it before. */
	if (s->p.key.protocol == PROTOCOL_UDP && s->p.key.remote_port == network16(FQDN_PORT))
		return true;
	return s->met & MET_SENSED || action == TC_ACT_SHOT || s->p.tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST);
}

/* Of a workload's packet to or from port 53 that has been judged and read, the sensors have not been told yet. */
static __always_inline void sense_names(struct __sk_buff *skb, const struct endpoint_entry *ep, const struct packet *p,
					int direction)
{
	if (ep->flags & ENDPOINT_HOST ||
	    (p->key.protocol != PROTOCOL_UDP && !(p->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST))))
		return;
	skb->cb[0] = ep->flags & ENDPOINT_NO_LINK_LAYER;
	bpf_tail_call(skb, &sense_programs_map, 2 * direction);
}

#endif
