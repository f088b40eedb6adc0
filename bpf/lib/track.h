/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* track: the life of a conntrack entry. Expiry is checked here, on every lookup; the agent's sweep only frees room. */
#ifndef BULKHEAD_TRACK_H
#define BULKHEAD_TRACK_H

#include "maps.h"
#include "packet.h"

enum {
	SCTP_INIT = 1,
	SCTP_ABORT = 6,
	SCTP_SHUTDOWN_COMPLETE = 14,
};

/* Ticks since `then`; never negative, though another CPU may have stamped an entry a tick ahead of our clock. */
static __always_inline __u32 ticks_since(__u32 then, __u32 now)
{
	__s32 elapsed = now - then;

	return elapsed > 0 ? elapsed : 0;
}

static __always_inline bool is_alive(const struct conntrack_entry *e, const struct datapath_config *config, __u32 now)
{
	__u32 state = e->state;

	return state < CONNTRACK_TIMEOUT_COUNT && ticks_since(e->last_seen, now) <= config->timeout_ticks[state];
}

/* 0: the side that opened the flow sent this packet; 1: the other side. */
static __always_inline __u32 side_of(const struct conntrack_entry *e, int direction)
{
	__u32 opened_ingress = e->flags & CONNTRACK_OPENED_INGRESS ? 1 : 0;

	return opened_ingress ^ (direction == DIRECTION_INGRESS ? 1 : 0);
}

/*
 * A SYN that begins a new connection on an old entry: from the opener once the old one is closing; from the other
 * side always, except while both open at the same time. Only SYN_SENT proves that: the opener's own SYN made it. An
 * entry in SYN_RECEIVED may stem from a SYN+ACK that answers nothing, and must open the door for nobody. The same for
 * an INIT of SCTP.
 */
static __always_inline bool is_reopening(const struct conntrack_entry *e, const struct packet *p, __u32 side)
{
	if (p->key.protocol == PROTOCOL_TCP) {
		if ((p->tcp_flags & (TCP_SYN | TCP_ACK)) != TCP_SYN)
			return false;
		if (e->flags & CONNTRACK_DENIED)
			return true;
		return side ? e->state != CONNTRACK_SYN_SENT
			    : e->state == CONNTRACK_CLOSING || e->state == CONNTRACK_CLOSED;
	}
	if (p->key.protocol != PROTOCOL_SCTP || p->sctp_chunk != SCTP_INIT || p->flags & PACKET_LATER_FRAGMENT)
		return false;
	return side ? e->state != CONNTRACK_UNREPLIED : e->state == CONNTRACK_SCTP_CLOSED;
}

static __always_inline void advance_tcp(struct conntrack_entry *e, __u8 flags, __u32 side)
{
	if (flags & TCP_RST) {
		e->state = CONNTRACK_CLOSED;
		return;
	}
	if (flags & TCP_FIN) {
		e->flags |= side ? CONNTRACK_FIN_OTHER : CONNTRACK_FIN_OPENER;
		e->state = (e->flags & (CONNTRACK_FIN_OPENER | CONNTRACK_FIN_OTHER)) ==
					   (CONNTRACK_FIN_OPENER | CONNTRACK_FIN_OTHER)
				   ? CONNTRACK_CLOSED
				   : CONNTRACK_CLOSING;
		return;
	}
	if (e->state == CONNTRACK_SYN_SENT && side)
		e->state = flags & TCP_SYN ? CONNTRACK_SYN_RECEIVED : CONNTRACK_ESTABLISHED;
	else if (e->state == CONNTRACK_SYN_RECEIVED && !side && flags & TCP_ACK)
		e->state = CONNTRACK_ESTABLISHED;
}

/* Returns true if this packet ended the flow. */
static __always_inline bool advance_state(struct conntrack_entry *e, const struct packet *p, __u32 side)
{
	__u8 before = e->state;

	switch (p->key.protocol) {
	case PROTOCOL_TCP:
		if (before == CONNTRACK_ESTABLISHED && !(p->tcp_flags & (TCP_FIN | TCP_RST)))
			return false;
		if (before == CONNTRACK_CLOSED || p->flags & PACKET_LATER_FRAGMENT)
			return false;
		advance_tcp(e, p->tcp_flags, side);
		return e->state == CONNTRACK_CLOSED;
	case PROTOCOL_SCTP:
		if (p->flags & PACKET_LATER_FRAGMENT || before == CONNTRACK_SCTP_CLOSED)
			return false;
		if (p->sctp_chunk == SCTP_ABORT || p->sctp_chunk == SCTP_SHUTDOWN_COMPLETE)
			e->state = CONNTRACK_SCTP_CLOSED;
		else if (side)
			e->state = CONNTRACK_SCTP_ESTABLISHED;
		return e->state == CONNTRACK_SCTP_CLOSED;
	default:
		if (before == CONNTRACK_UNREPLIED && side)
			e->state = CONNTRACK_REPLIED;
		return false;
	}
}

/* A closed flow's clock stops: stray packets must not keep it. A revoked one lives while anybody still sends. */
static __always_inline void touch(struct conntrack_entry *e, __u32 now)
{
	if ((e->state != CONNTRACK_CLOSED && e->state != CONNTRACK_SCTP_CLOSED) || e->flags & CONNTRACK_DENIED)
		e->last_seen = now;
}

static __always_inline __u8 first_state(const struct packet *p)
{
	switch (p->key.protocol) {
	case PROTOCOL_TCP:
		if (p->tcp_flags & TCP_RST)
			return CONNTRACK_CLOSED;
		if (p->tcp_flags & TCP_SYN)
			return p->tcp_flags & TCP_ACK ? CONNTRACK_SYN_RECEIVED : CONNTRACK_SYN_SENT;
		return p->tcp_flags & TCP_FIN ? CONNTRACK_CLOSING : CONNTRACK_ESTABLISHED;
	case PROTOCOL_ICMP:
	case PROTOCOL_ICMPV6:
		return CONNTRACK_ICMP;
	default:
		return CONNTRACK_UNREPLIED;
	}
}

/*
 * Who opened the flow that this packet, the first one seen, belongs to. A SYN, and anything but TCP, speaks for itself.
 * A SYN+ACK answers. In the middle of a TCP stream the side with the lower port is taken for the server, so that a
 * stream whose opening was refused, or never seen, is judged as the connection it is and not as one in reverse.
 */
static __always_inline int opener_of(const struct packet *p, int direction)
{
	int reverse = direction == DIRECTION_EGRESS ? DIRECTION_INGRESS : DIRECTION_EGRESS;
	__u16 local = host16(p->key.local_port), remote = host16(p->key.remote_port);

	if (p->flags & PACKET_ICMP_REPLY)
		return reverse;
	if (p->key.protocol != PROTOCOL_TCP || p->flags & PACKET_LATER_FRAGMENT)
		return direction;
	if (p->tcp_flags & TCP_SYN)
		return p->tcp_flags & TCP_ACK ? reverse : direction;
	if (local == remote)
		return direction;
	return local < remote ? DIRECTION_INGRESS : DIRECTION_EGRESS;
}

#endif
