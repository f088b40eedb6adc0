/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sense: what a packet means to the sensors (bpf/abi/sensors.h), whichever way it goes and wherever it is seen. The kernel
 * programs call it, and replay of captures calls the same. Of segments within connections a sample is looked at.
 */
#ifndef BULKHEAD_SENSE_H
#define BULKHEAD_SENSE_H

#include "sense_flow.h"
#include "sense_zone.h"

static __always_inline void sense_reset(const struct sense_view *v)
{
	/* RFC 9293 3.10.7.1: what refuses a segment without ACK has sequence number 0; what refuses others has no ACK itself. */
	if (v->tcp_flags & TCP_ACK && !v->number) {
		sense_come_back(true, SENSE_REFUSED);
		sense_use_pair(true, SENSE_PAIR_FAILED, 0);
		return;
	}
	if (v->tcp_flags & TCP_ACK || !v->source_inside || v->flags & SENSE_NO_PROBES) {
		sense_use_pair(!sense_is_client(v), SENSE_PAIR_CLOSED, 0);
		return;
	}
	/* A service that goes on sending to a client of ours that is gone. */
	if (host16(v->target_port) < SENSE_PORT_PRIVILEGED && host16(v->source_port) >= SENSE_PORT_EPHEMERAL)
		return;
	sense_try(true, SENSE_PROBE_ACK, SENSE_IS_STRAY, 0);
	sense_come_back(true, SENSE_REFUSED);
}

static __always_inline __u32 sense_odd_kind(__u8 flags)
{
	return !flags ? SENSE_PROBE_NULL
	       : flags == TCP_FIN ? SENSE_PROBE_FIN
	       : flags == (TCP_FIN | TCP_PSH | TCP_URG) ? SENSE_PROBE_XMAS
							: SENSE_PROBE_ODD_FLAGS;
}

/* The opener goes on after the answer to its SYN: it exists. */
static __always_inline void sense_establish(const struct sense_settings *s, struct sense_scratch *x)
{
	sense_aim(&x->arrival, &x->view, false, SENSE_IS_ESTABLISHED);
	x->arrival.packets = x->arrival.bytes = 0;
	sense_arrive(&x->arrival);
	sense_turn(s, &x->event, &x->view, false);
	x->event.is_established = 1;
	sense_volume(&x->event);
}

SENSE_FUNCTION sense_tcp(void)
{
	const struct sense_settings *s = sense_settings_at(0);
	struct sense_scratch *x = sense_scratch_of();
	struct sense_view *v;
	__u8 flags;

	if (!s || !x)
		return 0;
	v = &x->view;
	flags = v->tcp_flags & TCP_CONTROL;
	/* What comes of flows is known of those that are followed. */
	if ((v->flags & (SENSE_UNCHOSEN | SENSE_SAMPLED)) == SENSE_UNCHOSEN && flags & (TCP_RST | TCP_ACK))
		return 0;
	if (flags & TCP_SYN && !(flags & (TCP_FIN | TCP_RST))) {
		if (!(flags & TCP_ACK))
			return sense_try(false, SENSE_PROBE_SYN, SENSE_IS_SYN, v->number);
		if (v->flags & SENSE_NO_OUTCOMES)
			return 0;
		sense_await_handshake();
		return sense_come_back(true, SENSE_ANSWERED);
	}
	if (!(flags & (TCP_SYN | TCP_RST | TCP_ACK)) || (flags & TCP_SYN && flags & (TCP_FIN | TCP_RST)))
		return sense_try(false, sense_odd_kind(flags), SENSE_IS_STRAY, 0);
	if (flags & TCP_RST) {
		if (!(v->flags & SENSE_NO_OUTCOMES))
			sense_reset(v);
		return 0;
	}
	if (v->flags & SENSE_POLICY_DENIED)
		return sense_try(false, SENSE_PROBE_ACK, SENSE_IS_STRAY, 0);
	if ((flags & TCP_FIN || s->watching || v->flags & SENSE_SAMPLED) && !(v->flags & SENSE_UNCHOSEN) &&
	    sense_end_handshake())
		sense_establish(s, x);
	if (flags & TCP_FIN) {
		bool is_client = sense_is_client(v);

		sense_use_pair(!is_client, SENSE_PAIR_CLOSED, is_client ? v->number : 0);
	}
	if (v->flags & SENSE_SAMPLED) {
		sense_weigh(s->sample_mask + 1, 0);
		sense_weigh_pair(v, s->sample_mask + 1);
	}
	return 0;
}

/* A datagram. True if it may be a question about a name, or an answer to one, that is to be read. */
SENSE_FUNCTION sense_udp(__u32 what)
{
	const struct sense_settings *s = sense_settings_at(0);
	struct sense_scratch *x = sense_scratch_of();
	struct sense_view *v;
	bool is_from_reflector, is_answered, asks, answers;
	int state;

	if (!s || !x)
		return 0;
	v = &x->view;
	is_from_reflector = sense_is_reflector(v->source_port) && v->source_port != v->target_port &&
			    host16(v->target_port) >= SENSE_PORT_PRIVILEGED && !v->source_inside;
	state = sense_note_flow(!is_from_reflector);
	is_answered = state == SENSE_FLOW_MORE || state == SENSE_FLOW_ANSWER;
	asks = v->target_port == network16(SENSE_PORT_DNS) && !(v->flags & (SENSE_NO_PROBES | SENSE_POLICY_DENIED));
	answers = v->source_port == network16(SENSE_PORT_DNS) && !(v->flags & SENSE_NO_OUTCOMES) &&
		  is_answered;
	/* What is answered, or begins, is known of flows that are followed; else this is a packet, no more. */
	if (v->flags & SENSE_UNCHOSEN && (is_answered || state == SENSE_FLOW_FIRST) && !is_from_reflector)
		return v->flags & SENSE_NO_PROBES ? 0 : sense_weigh(1, 0) && false;
	if (state == SENSE_FLOW_ANSWER)
		sense_come_back(true, SENSE_ANSWERED);
	else if (v->flags & SENSE_POLICY_DENIED || (state == SENSE_FLOW_FIRST && !is_from_reflector))
		/* A flood of questions from outside is counted, not read. */
		return sense_try(false, SENSE_PROBE_UDP, what | SENSE_IS_UDP, 0) && !v->source_inside ? 0 : asks;
	if (v->flags & SENSE_UNCHOSEN)
		asks = answers = false;
	if (v->flags & SENSE_NO_PROBES || (v->flags & SENSE_UNCOUNTED && !is_answered))
		return asks || answers;
	if (is_answered)
		what |= SENSE_IS_ANSWERED;
	else if (is_from_reflector)
		what |= SENSE_IS_REFLECTED;
	sense_aim(&x->arrival, v, false, what | SENSE_IS_UDP);
	if (state != SENSE_FLOW_MORE)
		x->arrival.source_hash = sense_hash_address(s, v->source);
	if (sense_arrive(&x->arrival) && !v->source_inside)
		asks = false;
	if (v->flags & SENSE_UNCOUNTED || sense_random() & s->sample_mask)
		return asks || answers;
	sense_turn(s, &x->event, v, false);
	x->event.packets *= s->sample_mask + 1;
	x->event.bytes *= x->event.packets;
	sense_volume(&x->event);
	sense_weigh_pair(v, x->event.packets);
	return asks || answers;
}

SENSE_FUNCTION sense_arp(void)
{
	struct sense_scratch *x = sense_scratch_of();
	struct sense_view *v;

	if (!x)
		return 0;
	v = &x->view;
	/* Announcements, and questions of hosts without an address, try nobody. */
	if ((v->source.hi == v->target.hi && v->source.lo == v->target.lo) || !(v->source.hi | v->source.lo >> 32))
		return 0;
	v->bytes = 28;
	if (v->number == SENSE_ARP_REPLY)
		return sense_come_back(true, SENSE_ANSWERED);
	return v->number == SENSE_ARP_REQUEST ? sense_try(false, SENSE_PROBE_ARP, 0, 0) : 0;
}

/* Neither TCP nor UDP, or a fragment without ports. */
SENSE_FUNCTION sense_rest(__u32 what)
{
	struct sense_scratch *x = sense_scratch_of();
	__u32 flags;

	if (!x)
		return 0;
	flags = x->view.packet_flags;
	if (is_icmp(x->view.protocol) && !(flags & PACKET_LATER_FRAGMENT)) {
		what |= SENSE_IS_ICMP;
		if (flags & PACKET_ICMP_REQUEST)
			return sense_try(false, SENSE_PROBE_ICMP, what, 0);
		if (flags & PACKET_ICMP_REPLY && !(x->view.flags & SENSE_NO_OUTCOMES))
			sense_come_back(true, SENSE_ANSWERED);
	}
	return x->view.flags & SENSE_NO_PROBES ? 0 : sense_weigh(1, what);
}

/*
 * One packet, which sense_view has taken in hand. Inline, as calls within calls are short of stack. True if its bytes are to
 * go to the scratch memory, for sense_name.
 */
static __always_inline bool sense_packet(const struct packet *p, __u32 flags)
{
	__u32 what = p->flags & PACKET_FRAGMENT ? SENSE_IS_FRAGMENT : 0;
	bool has_name = false;

	sense_count(SENSE_COUNT_LOOKED_AT);
	if (p->flags & PACKET_ARP)
		sense_arp();
	else if (p->key.protocol == PROTOCOL_TCP && !(p->flags & PACKET_LATER_FRAGMENT))
		sense_tcp();
	else if (p->key.protocol == PROTOCOL_UDP && !(p->flags & PACKET_LATER_FRAGMENT))
		has_name = sense_udp(what);
	else
		sense_rest(what);
	if (flags & SENSE_POLICY_DENIED)
		sense_deny();
	return has_name;
}

/* True for errors that say that nobody is there; what they quote goes to sense_quoted. */
static __always_inline bool sense_is_unreachable(const struct packet *p)
{
	return p->flags & PACKET_ICMP_ERROR && p->icmp_type == (p->family == 4 ? 3 : 1);
}

/* The packet that such an error quotes, in hand with the error's flags: as if the one who was tried answered itself. */
SENSE_FUNCTION sense_quoted(void)
{
	struct sense_scratch *x = sense_scratch_of();

	if (!x || x->view.flags & SENSE_NO_OUTCOMES)
		return 0;
	sense_come_back(true, SENSE_REFUSED);
	return x->view.target_port ? sense_use_pair(true, SENSE_PAIR_FAILED, 0) : 0;
}

#endif
