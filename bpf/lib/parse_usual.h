/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * parse, short way: an untagged TCP or UDP packet over IPv4 without options or IPv6 without extension headers, whole and well
 * formed. Nine of ten packets are that, and for them one bounds check and constant offsets do (about 8 ns less).
 * Whatever is not exactly that goes the long way; where both ways apply they agree to the byte (the fuzz target
 * compares them).
 */
#ifndef BULKHEAD_PARSE_USUAL_H
#define BULKHEAD_PARSE_USUAL_H

#include "parse.h"

/*
 * Ports, endpoint and protocol of the key in one store: they are read as one word soon after, and a processor cannot
 * hand several small stores on to one larger load (some 8 ns).
 */
static __always_inline void set_key_tail(struct packet *p, int direction, __u32 ports, __u8 protocol)
{
	__u64 tail = direction == DIRECTION_EGRESS ? ports : ports >> 16 | ports << 16;

	tail |= (__u64)p->key.endpoint << 32 | (__u64)protocol << 48;
	*(aliasing_u64 *)&p->key.local_port = tail;
}

/* `room`: bytes of the IP packet from the transport header on. */
static __always_inline bool parse_usual_transport(struct packet *p, const __u8 *l4, __u8 protocol, __u32 room,
						  int direction)
{
	__u8 flags = 0;

	if (protocol == PROTOCOL_TCP) {
		flags = l4[13];
		if (room < 20 || l4[12] < 0x50 || !(flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK)) ||
		    (flags & TCP_SYN && flags & (TCP_FIN | TCP_RST)))
			return false;
	} else if (protocol != PROTOCOL_UDP || room < 8) {
		return false;
	}
	p->tcp_flags = flags;
	p->l3_offset = 14;
	set_key_tail(p, direction, *(const __u32 *)l4, protocol);
	return true;
}

/* False: not the usual packet, and nothing that the long way would not overwrite has been written. */
static __always_inline bool parse_usual(const struct cursor *c, struct packet *p, int direction)
{
	const __u8 *at = c->data;
	__u32 total;

	if (at + 54 > c->end)
		return false;
	if (*(const __u16 *)(at + 12) == network16(ETHERTYPE_IPV4)) {
		total = load16(at + 16);
		if (at[14] != 0x45 || *(const __u16 *)(at + 20) & network16(0x3fff) || total < 28 ||
		    total + 14 > c->length || !parse_usual_transport(p, at + 34, at[23], total - 20, direction))
			return false;
		p->ethertype = ETHERTYPE_IPV4;
		p->family = 4;
		p->length = total;
		p->l4_offset = 34;
		p->hop_limit = at[22];
		set_ipv4(source_of(p, direction), *(const __u32 *)(at + 26));
		set_ipv4(destination_of(p, direction), *(const __u32 *)(at + 30));
		return true;
	}
	if (at + 74 > c->end || *(const __u16 *)(at + 12) != network16(ETHERTYPE_IPV6))
		return false;
	total = load16(at + 18) + 40;
	/* No address of a usual packet begins with eight zero bytes; IPv4-mapped ones do. */
	if (at[14] >> 4 != 6 || total < 48 || total + 14 > c->length || !*(const __u64 *)(at + 22) ||
	    !*(const __u64 *)(at + 38) || !parse_usual_transport(p, at + 54, at[20], total - 40, direction))
		return false;
	p->ethertype = ETHERTYPE_IPV6;
	p->family = 6;
	p->length = total;
	p->l4_offset = 54;
	p->hop_limit = at[21];
	copy_address(source_of(p, direction), at + 22);
	copy_address(destination_of(p, direction), at + 38);
	return true;
}

#endif
