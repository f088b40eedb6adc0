/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* track: the life of a conntrack entry. Expiry is checked here, on every lookup; the agent's sweep only frees room. */
#ifndef BULKHEAD_TRACK_H
#define BULKHEAD_TRACK_H

#include "flow_table.h"

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

enum {
	MET_NOTHING = 0,
	MET_ENTRY = 1 << 0,               /* an entry that the new flow replaces */
	MET_BESIDE = 1 << 1,              /* a live one, which stays what it is */
	MET_OPENED_EGRESS = 1 << 2,       /* an expired one that saw who opened the flow */
	MET_OPENED_INGRESS = 1 << 3,
	MET_COOKIE = 1 << 4,              /* nothing, but the packet proves that it was invited (bpf/lib/syn_judge.h) */
	MET_SENSED = 1 << 7,              /* not of the lookup: the sensors want this packet */
};

static __always_inline __u32 met_expired(const struct conntrack_entry *e)
{
	if (e->flags & CONNTRACK_GUESSED)
		return MET_ENTRY;
	return MET_ENTRY | (e->flags & CONNTRACK_OPENED_INGRESS ? MET_OPENED_INGRESS : MET_OPENED_EGRESS);
}

/*
 * A SYN that begins a new connection on an old entry (MET_*), or nothing. From the opener: once the old one is closing.
 * From the other side: always, except while both open at the same time (only SYN_SENT proves that: the opener's own SYN
 * made it); but it turns the entry round only if that is over or never saw its opener's SYN: a forged SYN must not make
 * the server of a live connection its client. The same for an INIT of SCTP.
 */
static __always_inline __u32 is_reopening(const struct conntrack_entry *e, const struct packet *p, __u32 side)
{
	if (p->key.protocol == PROTOCOL_TCP) {
		if ((p->tcp_flags & (TCP_SYN | TCP_ACK)) != TCP_SYN)
			return MET_NOTHING;
		if (e->flags & (CONNTRACK_DENIED | CONNTRACK_GUESSED) || e->state == CONNTRACK_CLOSED)
			return MET_ENTRY;
		if (side)
			return e->state == CONNTRACK_SYN_SENT ? MET_NOTHING : MET_BESIDE;
		return e->state == CONNTRACK_CLOSING || e->state == CONNTRACK_RESET ? MET_ENTRY : MET_NOTHING;
	}
	if (p->key.protocol != PROTOCOL_SCTP || p->sctp_chunk != SCTP_INIT || p->flags & PACKET_LATER_FRAGMENT)
		return MET_NOTHING;
	if (e->flags & CONNTRACK_DENIED || e->state == CONNTRACK_SCTP_CLOSED)
		return MET_ENTRY;
	return side && e->state != CONNTRACK_UNREPLIED ? MET_BESIDE : MET_NOTHING;
}

/*
 * The same port on both sides (NTP, WireGuard, and protocols without ports): no packet tells who opened the flow, so one
 * against the direction that was revoked is judged by itself.
 */
static __always_inline bool is_symmetric(const struct conntrack_key *key)
{
	return key->local_port == key->remote_port && key->protocol != PROTOCOL_TCP && key->protocol != PROTOCOL_SCTP;
}

/* What a TCP flow is whose two sides were heard. */
static __always_inline __u8 settled_state(const struct conntrack_entry *e)
{
	if (e->tcp_flags[0] & e->tcp_flags[1] & TCP_FIN)
		return CONNTRACK_CLOSED;
	return (e->tcp_flags[0] | e->tcp_flags[1]) & TCP_FIN ? CONNTRACK_CLOSING : CONNTRACK_ESTABLISHED;
}

/*
 * Sequence numbers are not known here, so no single packet is believed: a reset only lets the flow fade unless both
 * sides go on, and what one side says alone does not lengthen the flow's life.
 */
static __always_inline void advance_tcp(struct conntrack_entry *e, __u8 flags, __u32 side)
{
	const __u8 both = CONNTRACK_HEARD_OPENER | CONNTRACK_HEARD_OTHER;

	if (flags & TCP_RST) {
		e->flags &= ~both;
		e->state = CONNTRACK_RESET;
		return;
	}
	if (e->state == CONNTRACK_RESET || e->state == CONNTRACK_PICKED_UP) {
		e->flags |= side ? CONNTRACK_HEARD_OTHER : CONNTRACK_HEARD_OPENER;
		e->state = (e->flags & both) == both ? settled_state(e) : CONNTRACK_PICKED_UP;
		return;
	}
	if (!e->packets[0] || !e->packets[1])
		return;
	if (flags & TCP_FIN) {
		e->state = settled_state(e);
		return;
	}
	if (e->state == CONNTRACK_SYN_SENT && side)
		e->state = flags & TCP_SYN ? CONNTRACK_SYN_RECEIVED : CONNTRACK_ESTABLISHED;
	else if (e->state == CONNTRACK_SYN_RECEIVED && !side && flags & TCP_ACK)
		e->state = CONNTRACK_ESTABLISHED;
}

/* Programs of which Linux 6.1's 512 B of stack leave less room have a call here. */
#ifdef SHORT_OF_STACK
#define inline_where_room __attribute__((noinline))
#else
#define inline_where_room __always_inline
#endif

/* Returns true if this packet ended the flow. */
static inline_where_room bool advance_state(struct conntrack_entry *e, const struct packet *p, __u32 side)
{
	__u8 before = e->state;

	switch (p->key.protocol) {
	case PROTOCOL_TCP:
		if (before == CONNTRACK_ESTABLISHED && !(p->tcp_flags & (TCP_FIN | TCP_RST)))
			return false;
		if (before == CONNTRACK_CLOSED || p->flags & PACKET_LATER_FRAGMENT)
			return false;
		advance_tcp(e, p->tcp_flags, side);
		return e->state != before && (e->state == CONNTRACK_CLOSED || e->state == CONNTRACK_RESET);
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
			return CONNTRACK_RESET;
		if (p->tcp_flags & TCP_SYN)
			return p->tcp_flags & TCP_ACK ? CONNTRACK_SYN_RECEIVED : CONNTRACK_SYN_SENT;
		return CONNTRACK_PICKED_UP;
	case PROTOCOL_ICMP:
	case PROTOCOL_ICMPV6:
		return CONNTRACK_ICMP;
	default:
		return CONNTRACK_UNREPLIED;
	}
}

static __always_inline int reverse_of(int direction)
{
	return direction == DIRECTION_EGRESS ? DIRECTION_INGRESS : DIRECTION_EGRESS;
}

/* Ports from here on are given to clients, unless somebody chose otherwise (net.ipv4.ip_local_port_range). */
#define CLIENT_PORT_MIN 32768

/*
 * Who opened the flow that this packet, the first one seen, belongs to. A SYN, and anything but TCP, speaks for itself.
 * A SYN+ACK answers. In the middle of a stream: as an expired entry remembers, else the side with the lower port is
 * taken for the server, so that a stream whose opening was refused, or never seen, is judged as the connection it is and
 * not as one in reverse.
 */
static __always_inline int opener_of(const struct packet *p, int direction, __u32 met)
{
	__u16 local = host16(p->key.local_port), remote = host16(p->key.remote_port);
	bool known = met & (MET_OPENED_EGRESS | MET_OPENED_INGRESS);
	int remembered = met & MET_OPENED_INGRESS ? DIRECTION_INGRESS : DIRECTION_EGRESS;

	if (met & MET_COOKIE)
		return DIRECTION_INGRESS;
	if (p->flags & PACKET_ICMP_REPLY)
		return reverse_of(direction);
	if (p->key.protocol == PROTOCOL_SCTP && p->sctp_chunk != SCTP_INIT && known)
		return remembered;
	if (p->key.protocol != PROTOCOL_TCP || p->flags & PACKET_LATER_FRAGMENT)
		return direction;
	if (p->tcp_flags & TCP_SYN)
		return p->tcp_flags & TCP_ACK ? reverse_of(direction) : direction;
	if (known)
		return remembered;
	if (local == remote)
		return direction;
	return local < remote ? DIRECTION_INGRESS : DIRECTION_EGRESS;
}

/* How sure that is: flags for the entry. */
static __always_inline __u8 doubts_about(const struct packet *p, __u32 met)
{
	bool same_kind = (host16(p->key.local_port) >= CLIENT_PORT_MIN) == (host16(p->key.remote_port) >= CLIENT_PORT_MIN);

	if (p->key.protocol != PROTOCOL_TCP || (p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN || met & MET_COOKIE)
		return 0;
	if (p->tcp_flags & TCP_SYN || !same_kind || met & (MET_OPENED_EGRESS | MET_OPENED_INGRESS))
		return CONNTRACK_GUESSED;
	return CONNTRACK_GUESSED | CONNTRACK_EITHER;
}

/* Who opened it, in the low byte, and how sure that is, in the next. A global function: the verifier proves it once. */
__attribute__((noinline)) int opening_of(const struct packet *p, __u32 direction, __u32 met)
{
	return p ? opener_of(p, direction, met) | doubts_about(p, met) << 8 : 0;
}

#endif
