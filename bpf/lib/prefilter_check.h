/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the parser lets pass because a stack may have made it, and a wire does not carry; and lengths it has no use for. */
#ifndef BULKHEAD_PREFILTER_CHECK_H
#define BULKHEAD_PREFILTER_CHECK_H

#include "parse_usual.h"

/* A length of 0 stands for one that does not fit, in packets put together or not yet cut by a stack. */
static __always_inline int check_length(struct cursor *c, const struct packet *p)
{
	__u8 *ip = bytes_at(c, p->l3_offset, p->family == 4 ? 20 : 40);
	__u32 there = c->length - p->l3_offset;

	if (!ip)
		return DROP_TRUNCATED;
	if (p->family == 4)
		return load16(ip + 2) || there > 65535 ? DROP_NONE : DROP_IP_HEADER;
	return load16(ip + 4) || there > 65575 || ip[6] == 59 ? DROP_NONE : DROP_IP_HEADER;
}

static __always_inline int check_tcp(const __u8 *tcp, __u32 room, bool is_fragment)
{
	if ((!is_fragment && (tcp[12] >> 4) * 4 > room) || !*(const __u16 *)tcp || !*(const __u16 *)(tcp + 2))
		return DROP_SHIELD_TRANSPORT;
	/* RFC 9293: all but the first segment and a reset acknowledge. */
	return (tcp[13] & (TCP_FIN | TCP_ACK)) == TCP_FIN ? DROP_TCP_FLAGS : DROP_NONE;
}

/* A first fragment has the length of the whole datagram. */
static __always_inline int check_udp(const __u8 *udp, __u32 room, bool is_fragment)
{
	__u32 length = load16(udp + 4);

	if (!*(const __u16 *)(udp + 2))
		return DROP_SHIELD_TRANSPORT;
	if (room > 65535 && !length)
		return DROP_NONE;
	return length < 8 || (!is_fragment && length > room) ? DROP_SHIELD_TRANSPORT : DROP_NONE;
}

static __always_inline int check_transport(struct cursor *c, const struct packet *p)
{
	__u32 room = p->length - (p->l4_offset - p->l3_offset);
	__u8 *at;

	if (p->flags & PACKET_LATER_FRAGMENT)
		return DROP_NONE;
	if (p->key.protocol == PROTOCOL_TCP) {
		at = bytes_at(c, p->l4_offset, 20);
		return at ? check_tcp(at, room, p->flags & PACKET_FRAGMENT) : DROP_TRUNCATED;
	}
	if (p->key.protocol == PROTOCOL_UDP) {
		at = bytes_at(c, p->l4_offset, 8);
		return at ? check_udp(at, room, p->flags & PACKET_FRAGMENT) : DROP_TRUNCATED;
	}
	return DROP_NONE;
}

/* Parses and checks a packet that came in. p->ethertype: set if it begins with its IP header, else 0. */
static __always_inline int read_packet(struct cursor *c, struct packet *p)
{
	int reason = parse_packet(c, p, DIRECTION_INGRESS, !p->ethertype);

	if (reason || p->flags & PACKET_ARP)
		return reason;
	reason = check_length(c, p);
	return reason ? reason : check_transport(c, p);
}

/* No frame carries these. 0.0.0.0 and :: are those of hosts that have no address yet: DHCP, neighbour discovery. */
static __always_inline bool is_martian(const struct packet *p)
{
	const __u8 *from = p->key.remote.bytes;
	const aliasing_u64 *words = (const aliasing_u64 *)from;

	if (p->family == 4) {
		if (!(words[1] >> 32))
			return p->key.protocol != PROTOCOL_UDP || p->key.local_port != network16(67);
		return !from[12] || from[12] == 127 || from[12] >= 224;
	}
	if (!words[0] && !words[1])
		return p->key.protocol != PROTOCOL_ICMPV6;
	return from[0] == 0xff || (!words[0] && words[1] == network64(1));
}

#endif
