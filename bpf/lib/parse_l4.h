/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* parse, transport half: TCP, UDP, SCTP, ICMP, ICMPv6; and the cursor that both halves read through. */
#ifndef BULKHEAD_PARSE_L4_H
#define BULKHEAD_PARSE_L4_H

#include "drop_reasons.h"
#include "packet.h"

/* Headers beyond this are not read: bounds every offset for the verifier. */
#define HEADER_BYTES_MAX 512

/* `length` is the whole packet's, which may be more than the bytes at hand. */
struct cursor {
	__u8 *data;
	__u8 *end;
	__u32 length;
	__u32 limit;                      /* end of the IP packet; what follows is link-layer padding */
};

/*
 * A pointer to `size` readable bytes, or nothing. The empty assembly keeps the compiler from deriving one offset from
 * another, after which the verifier would have lost the bound.
 */
static __always_inline __u8 *bytes_at(struct cursor *c, __u32 offset, __u32 size)
{
	__u8 *at;

	if (offset > HEADER_BYTES_MAX || offset + size > c->limit)
		return 0;
	at = c->data + offset;
	return at + size <= c->end ? at : 0;
}

static __always_inline void limit_to(struct cursor *c, __u32 limit)
{
	c->limit = limit;
}

/* Two bytes in network order, at any alignment. */
static __always_inline __u32 load16(const __u8 *at)
{
	return host16(*(const __u16 *)at);
}

static __always_inline int parse_tcp(struct cursor *c, struct packet *p, int direction, bool inner)
{
	__u8 *tcp = bytes_at(c, p->l4_offset, inner ? 8 : 20);

	if (!tcp)
		return DROP_TRUNCATED;
	set_ports(p, direction, *(__u16 *)tcp, *(__u16 *)(tcp + 2));
	if (inner)
		return DROP_NONE;
	p->tcp_flags = tcp[13];
	if (tcp[12] >> 4 < 5)
		return DROP_TRUNCATED;
	if (!(tcp[13] & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK)) ||
	    (tcp[13] & TCP_SYN && tcp[13] & (TCP_FIN | TCP_RST)))
		return DROP_TCP_FLAGS;
	return DROP_NONE;
}

/* To a group and with a hop limit of 1: group membership cannot leave the link, nor reach one chosen peer. */
static __always_inline bool is_link_multicast(struct packet *p, int direction)
{
	const __u8 *to = destination_of(p, direction)->bytes;

	return p->hop_limit == 1 && (p->family == 6 ? to[0] == 0xff : (to[12] & 0xf0) == 0xe0);
}

/* The type of the request that a request or reply belongs to. */
static __always_inline __u8 request_type(bool v6, __u8 type)
{
	return v6 ? 128 : type == 13 || type == 14 ? 13 : 8;
}

static __always_inline int parse_icmp(struct cursor *c, struct packet *p, int direction)
{
	__u8 *icmp = bytes_at(c, p->l4_offset, 8);
	bool v6 = p->key.protocol == PROTOCOL_ICMPV6;
	bool from_local = direction == DIRECTION_EGRESS, request, reply;

	if (!icmp)
		return DROP_ICMP_MALFORMED;
	p->icmp_type = icmp[0];
	p->icmp_code = icmp[1];
	request = v6 ? icmp[0] == 128 : icmp[0] == 8 || icmp[0] == 13;
	reply = v6 ? icmp[0] == 129 : icmp[0] == 0 || icmp[0] == 14;
	if (request || reply) {
		p->flags |= request ? PACKET_ICMP_REQUEST : PACKET_ICMP_REPLY;
		p->key.remote_port = *(__u16 *)(icmp + 4);
		p->key.local_port = network16(request_type(v6, icmp[0]) << 8 | (request == from_local));
		return DROP_NONE;
	}
	if (v6 ? icmp[0] >= 1 && icmp[0] <= 4 : icmp[0] == 3 || icmp[0] == 11 || icmp[0] == 12)
		p->flags |= PACKET_ICMP_ERROR;
	/* Hop limits as the RFCs demand (4861, 2710): what could cross a router is no link maintenance. */
	if (v6 && ((icmp[0] >= 133 && icmp[0] <= 137 && p->hop_limit == 255) ||
		   (((icmp[0] >= 130 && icmp[0] <= 132) || icmp[0] == 143) && is_link_multicast(p, direction))))
		p->flags |= PACKET_LINK_MAINTENANCE;
	p->key.remote_port = *(__u16 *)icmp;
	p->key.local_port = network16(2 | from_local);
	return DROP_NONE;
}

static __always_inline int parse_transport(struct cursor *c, struct packet *p, int direction, bool inner)
{
	__u8 *at;

	switch (p->key.protocol) {
	case PROTOCOL_TCP:
		return parse_tcp(c, p, direction, inner);
	case PROTOCOL_UDP:
		at = bytes_at(c, p->l4_offset, 8);
		if (!at)
			return DROP_TRUNCATED;
		set_ports(p, direction, *(__u16 *)at, *(__u16 *)(at + 2));
		return DROP_NONE;
	case PROTOCOL_SCTP:
		at = bytes_at(c, p->l4_offset, inner ? 8 : 13);
		if (!at)
			return DROP_TRUNCATED;
		set_ports(p, direction, *(__u16 *)at, *(__u16 *)(at + 2));
		if (!inner)
			p->sctp_chunk = at[12];
		return DROP_NONE;
	case PROTOCOL_ICMP:
	case PROTOCOL_ICMPV6:
		return parse_icmp(c, p, direction);
	case PROTOCOL_IGMP:
		if (is_link_multicast(p, direction))
			p->flags |= PACKET_LINK_MAINTENANCE;
		return DROP_NONE;
	default:
		return DROP_NONE;
	}
}

#endif
