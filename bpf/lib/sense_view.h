/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A packet as the sensors see it, source first, and what may be noted of it: a probe, an answer, a refusal, volume. */
#ifndef BULKHEAD_SENSE_VIEW_H
#define BULKHEAD_SENSE_VIEW_H

#include "sense_dns.h"
#include "sense_pair.h"
#include "sense_read.h"
#include "sense_target.h"

enum {
	TCP_PSH = 0x08,
	TCP_URG = 0x20,
	TCP_CONTROL = 0x3f,
	SENSE_PORT_PRIVILEGED = 1024,     /* ports below are services' */
	SENSE_PORT_EPHEMERAL = 32768,     /* and from here on clients' */
};

/* The packet in hand, source first. */
struct sense_view {
	struct sense_words source, target;
	__u64 now;
	__u32 flags;
	__u32 bytes;
	__u32 weight;                     /* for how many packets, or flows, this one stands */
	__u32 number;                     /* TCP sequence number, or the operation of ARP */
	__u32 acknowledged;               /* TCP acknowledgement number */
	__u16 packet_flags;               /* PACKET_* */
	__u16 source_port, target_port;   /* network order */
	__u8 protocol;
	__u8 tcp_flags;
	bool source_inside, target_inside;
	__u8 padding[2];
};

/* What one packet is turned into; too much for a program's stack. */
struct sense_scratch {
	struct sense_view view;
	struct sense_event event;
	struct sense_arrival arrival;
	struct sense_use use;
	struct sense_question question;
};

#ifdef __bpf__
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sense_scratch);
} sense_scratch_map SEC(".maps");

static __always_inline struct sense_scratch *sense_scratch_of(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&sense_scratch_map, &zero);
}
#else
static __always_inline struct sense_scratch *sense_scratch_of(void)
{
	static _Thread_local struct sense_scratch scratch;

	return &scratch;
}
#endif

/* A segment of a connection that neither begins nor ends it. */
static __always_inline bool sense_is_within(const struct packet *p)
{
	return p->key.protocol == PROTOCOL_TCP && !(p->flags & (PACKET_FRAGMENT | PACKET_ARP)) &&
	       (p->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_ACK)) == TCP_ACK;
}

/* UDP services that amplify, as in CISA alert TA14-017A and what was abused since. */
static __always_inline bool sense_is_reflector(__u16 port)
{
	switch (host16(port)) {
	case 17: case 19: case 53: case 69: case 111: case 123: case 137: case 161: case 389: case 520: case 623:
	case 1434: case 1701: case 1900: case 3283: case 3702: case 5353: case 5683: case 10001: case 11211:
	case 27015: case 27960: case 33848: case 37810:
		return true;
	}
	return false;
}

static __always_inline void sense_set_address(struct ip_address *to, struct sense_words w)
{
	aliasing_u64 *words = (aliasing_u64 *)to->bytes;

	words[0] = w.hi;
	words[1] = w.lo;
}

/* Says whose record an event is about and whom that tried: the packet's source and target or, `back`, the other way round. */
static __always_inline void sense_turn(const struct sense_settings *s, struct sense_event *e, const struct sense_view *v,
				       bool back)
{
	struct sense_words of = back ? v->target : v->source, other = back ? v->source : v->target;
	bool inside = back ? v->target_inside : v->source_inside;
	/* Neighbours are asked for by each host of this link. */
	bool is_net = !inside && of.hi && !(v->packet_flags & PACKET_ARP);

	if (is_net)
		of.lo = 0;
	sense_set_address(&e->address, of);
	sense_set_address(&e->other, other);
	e->hash = sense_hash_address(s, of);
	e->now = v->now;
	e->bytes = v->bytes;
	e->packets = v->weight;
	e->port = back ? v->source_port : v->target_port;
	e->protocol = v->protocol;
	e->flags = (inside ? SENSE_RECORD_INSIDE : 0) | (is_net ? SENSE_RECORD_NET : 0);
	e->is_crowded = e->is_established = 0;
}

/* The same as a step of its own: what it keeps on the stack is gone when it returns. */
SENSE_FUNCTION sense_begin_event(bool back)
{
	const struct sense_settings *s = sense_settings_at(0);
	struct sense_scratch *x = sense_scratch_of();

	if (!s || !x)
		return 0;
	sense_turn(s, &x->event, &x->view, back);
	return 1;
}

static __always_inline void sense_aim(struct sense_arrival *a, const struct sense_view *v, bool back, __u32 what)
{
	sense_set_address(&a->target, back ? v->source : v->target);
	a->now = v->now;
	a->source_hash = 0;
	a->weight = v->weight;
	a->packets = back || v->flags & SENSE_UNCOUNTED ? 0 : v->weight;
	a->bytes = v->bytes * a->packets;
	a->what = what;
	a->port = back ? v->source_port : v->target_port;
	a->source_port = v->source_port;
	a->flags = (back ? v->source_inside : v->target_inside) ? SENSE_RECORD_INSIDE : 0;
}

/*
 * The steps below take the packet from the scratch memory: global functions, which the verifier proves once each.
 *
 * A step of a connection of the packet's source or, `back`, its target.
 */
SENSE_FUNCTION sense_use_pair(bool back, __u32 what, __u32 number)
{
	struct sense_scratch *x = sense_scratch_of();
	const struct sense_view *v;
	struct sense_use *u;
	bool inside, other;

	if (!x || (x->view.flags & SENSE_UNCHOSEN && !(x->view.flags & SENSE_SAMPLED)))
		return 0;
	v = &x->view;
	u = &x->use;
	inside = back ? v->target_inside : v->source_inside;
	other = back ? v->source_inside : v->target_inside;
	sense_set_address(&u->client, back ? v->target : v->source);
	sense_set_address(&u->server, back ? v->source : v->target);
	u->now = v->now;
	u->bytes = v->bytes;
	u->number = number;
	u->port = back ? v->source_port : v->target_port;
	u->client_port = back ? v->target_port : v->source_port;
	u->protocol = v->protocol;
	u->what = what;
	u->flags = (inside ? SENSE_RECORD_INSIDE : 0) | (other ? SENSE_RECORD_SERVER_INSIDE : 0);
	return sense_pair(u);
}

/* What came back to what the packet's source tried or, `back`, its target. */
SENSE_FUNCTION sense_come_back(bool back, __u32 outcome)
{
	struct sense_scratch *x = sense_scratch_of();

	if (!x || x->view.flags & SENSE_UNCHOSEN || !sense_begin_event(back))
		return 0;
	x->event.kind = outcome;
	if (!sense_outcome(&x->event) || outcome == SENSE_ANSWERED)
		return 0;
	sense_aim(&x->arrival, &x->view, back, SENSE_IS_FAILURE);
	x->arrival.packets = x->arrival.bytes = 0;
	return sense_arrive(&x->arrival);
}

/*
 * A probe of the packet's source or, `back`, its target. `what`: SENSE_IS_* of the packet. 1: very many try the same just
 * now.
 */
SENSE_FUNCTION sense_try(bool back, __u32 kind, __u32 what, __u32 number)
{
	struct sense_scratch *x = sense_scratch_of();
	bool has_pair = kind == SENSE_PROBE_SYN || kind == SENSE_PROBE_UDP;
	int known;

	if (!x)
		return 0;
	if (!(x->view.flags & SENSE_NO_PROBES) && sense_begin_event(back)) {
		x->event.kind = kind;
		if (kind != SENSE_PROBE_ARP) {
			sense_aim(&x->arrival, &x->view, back, what | SENSE_IS_PROBE);
			x->arrival.source_hash = x->event.hash;
			/* A datagram that begins a flow stands for others that do; else the lottery counts. */
			if (kind != SENSE_PROBE_UDP && x->view.flags & SENSE_UNCOUNTED)
				x->arrival.weight = 0;
			x->event.is_crowded = sense_arrive(&x->arrival);
		}
		if (x->view.flags & SENSE_UNCHOSEN)
			return x->event.is_crowded;
		known = sense_probe(&x->event);
		/* One who tries a thing for the first time may be forged; those inside are not. */
		if (has_pair && (x->view.source_inside || known == 1))
			sense_use_pair(false, SENSE_PAIR_OPEN, number);
		return x->event.is_crowded;
	}
	return 0;
}

/* Policy has denied what the packet's source tries. */
SENSE_FUNCTION sense_deny(void)
{
	sense_come_back(false, SENSE_DENIED);
	return sense_use_pair(false, SENSE_PAIR_FAILED, 0);
}

/* Packets and bytes that are nothing else; `weight`: for how many this one stands. */
SENSE_FUNCTION sense_weigh(__u32 weight, __u32 what)
{
	const struct sense_settings *s = sense_settings_at(0);
	struct sense_scratch *x = sense_scratch_of();

	if (!s || !x)
		return 0;
	/* Of segments within connections a sample of its own is counted. */
	if (!(x->view.flags & SENSE_SAMPLED)) {
		if (x->view.flags & SENSE_UNCOUNTED)
			return 0;
		weight *= x->view.weight;
	}
	sense_turn(s, &x->event, &x->view, false);
	sense_aim(&x->arrival, &x->view, false, what);
	x->arrival.packets = weight;
	x->arrival.bytes = x->view.bytes * weight;
	sense_arrive(&x->arrival);
	x->event.packets = weight;
	x->event.bytes *= weight;
	return sense_volume(&x->event);
}

/* The side with the higher port. */
static __always_inline bool sense_is_client(const struct sense_view *v)
{
	return host16(v->target_port) < host16(v->source_port);
}

/* Bytes of a connection, of which the side with the higher port is the client. */
static __always_inline void sense_weigh_pair(struct sense_view *v, __u32 weight)
{
	bool is_client = sense_is_client(v);
	__u32 bytes = v->bytes;

	v->bytes = bytes * weight;
	sense_use_pair(!is_client, is_client ? SENSE_PAIR_SENT : SENSE_PAIR_RECEIVED, 0);
	v->bytes = bytes;
}

/* Takes a packet in hand. `now`: ns of a clock that never goes back by much. */
static __always_inline void sense_view(struct sense_view *v, const struct packet *p, __u32 flags, struct sense_numbers numbers,
				       __u64 now)
{
	bool is_egress = flags & SENSE_EGRESS, has_ports = p->key.protocol == PROTOCOL_TCP || p->key.protocol == PROTOCOL_UDP;
	struct sense_words local = sense_words_of(&p->key.local), remote = sense_words_of(&p->key.remote);

	v->source = is_egress ? local : remote;
	v->target = is_egress ? remote : local;
	v->now = now;
	v->flags = flags;
	v->bytes = p->length;
	v->weight = 1u << (flags >> SENSE_WEIGHT_SHIFT & 15);
	v->number = numbers.own;
	v->acknowledged = numbers.acknowledged;
	v->packet_flags = p->flags;
	v->tcp_flags = p->tcp_flags;
	v->protocol = p->key.protocol;
	v->source_inside = flags & SENSE_SOURCE_INSIDE;
	v->target_inside = flags & SENSE_TARGET_INSIDE;
	v->source_port = v->target_port = 0;
	if (has_ports && !(p->flags & PACKET_LATER_FRAGMENT)) {
		v->source_port = is_egress ? p->key.local_port : p->key.remote_port;
		v->target_port = is_egress ? p->key.remote_port : p->key.local_port;
	}
}

#endif
