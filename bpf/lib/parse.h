/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * parse: bytes -> struct packet, or a drop reason. Compiled for BPF and, for fuzzing, natively: it touches nothing but
 * the bytes between data and end. Every read is checked against `end`, every offset is bounded first, so that the
 * verifier can follow.
 */
#ifndef BULKHEAD_PARSE_H
#define BULKHEAD_PARSE_H

#include "drop_reasons.h"
#include "packet.h"
#include "parse_l4.h"

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_ARP 0x0806
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_QINQ 0x88a8

#define EXTENSION_HEADERS_MAX 6

/* Ethernet and up to two VLAN tags, one of which the device may have taken out. Sets ethertype, vlan, l3_offset. */
static __always_inline int parse_link(struct cursor *c, struct packet *p)
{
	__u8 *at = bytes_at(c, 0, 14);

	if (!at)
		return DROP_TRUNCATED;
	p->ethertype = load16(at + 12);
	p->l3_offset = 14;
	for (int i = 0; i < 2; i++) {
		if (p->ethertype != ETHERTYPE_VLAN && p->ethertype != ETHERTYPE_QINQ)
			return DROP_NONE;
		if (i == 1 && p->flags & PACKET_TAG_TAKEN)
			return DROP_VLAN_DEPTH;
		at = bytes_at(c, p->l3_offset, 4);
		if (!at)
			return DROP_TRUNCATED;
		if (!p->vlan)
			p->vlan = load16(at) & 0x0fff;
		p->ethertype = load16(at + 2);
		p->l3_offset += 4;
	}
	return p->ethertype == ETHERTYPE_VLAN || p->ethertype == ETHERTYPE_QINQ ? DROP_VLAN_DEPTH : DROP_NONE;
}

static __always_inline void set_ipv4(struct ip_address *address, __u32 network_order)
{
	__u64 *words = (__u64 *)address->bytes;

	words[0] = 0;
	words[1] = (__u64)network_order << 32 | 0xffff0000;
}

static __always_inline bool is_mapped_ipv4(const struct ip_address *address)
{
	const __u64 *words = (const __u64 *)address->bytes;

	return !words[0] && (__u32)words[1] == 0xffff0000;
}

static __always_inline int note_fragment(struct packet *p, __u32 offset, __u32 size, bool more)
{
	if (!offset && !more)
		return DROP_NONE;
	/* Offset 1 would overwrite the flags of a TCP header already judged (RFC 1858). */
	if (offset + size > 65535 || offset == 8)
		return DROP_FRAGMENT_MALFORMED;
	p->flags |= PACKET_FRAGMENT | (offset ? PACKET_LATER_FRAGMENT : 0);
	return DROP_NONE;
}

static __always_inline int parse_ipv4(struct cursor *c, struct packet *p, int direction, bool inner)
{
	__u8 *ip = bytes_at(c, p->l3_offset, 20);
	__u32 header, total, fragment;
	int reason;

	if (!ip)
		return DROP_TRUNCATED;
	header = (ip[0] & 15) * 4;
	total = load16(ip + 2);
	if (ip[0] >> 4 != 4 || header < 20 || (total && total < header))
		return DROP_IP_HEADER;
	/* Total length 0: a segment larger than 64 KiB made by the stack itself. */
	if (!inner && total) {
		if (total > c->length - p->l3_offset)
			return DROP_TRUNCATED;
		limit_to(c, p->l3_offset + total);
	}
	p->family = 4;
	p->length = total ? total : c->length - p->l3_offset;
	p->hop_limit = ip[8];
	p->key.protocol = ip[9];
	set_ipv4(source_of(p, direction), *(__u32 *)(ip + 12));
	set_ipv4(destination_of(p, direction), *(__u32 *)(ip + 16));
	if (p->key.protocol == PROTOCOL_ICMPV6)
		return DROP_PROTOCOL;
	p->l4_offset = p->l3_offset + header;
	fragment = load16(ip + 6);
	if (fragment & 0x3fff) {
		p->fragment_id = load16(ip + 4);
		reason = note_fragment(p, (fragment & 0x1fff) * 8, p->length - header, fragment & 0x2000);
		if (reason)
			return reason;
	}
	return DROP_NONE;
}

/* Follows the chain of extension headers. Sets protocol and l4_offset. */
static __always_inline int parse_extension_headers(struct cursor *c, struct packet *p, __u8 next)
{
	__u32 size, fragment;
	__u8 *at;
	int reason;

	for (int i = 0; i <= EXTENSION_HEADERS_MAX; i++) {
		switch (next) {
		case 0: case 43: case 60: case 135: case 139: case 140:
			at = bytes_at(c, p->l4_offset, 8);
			if (!at)
				return DROP_TRUNCATED;
			size = (at[1] + 1) * 8;
			break;
		case 51:
			at = bytes_at(c, p->l4_offset, 8);
			if (!at)
				return DROP_TRUNCATED;
			size = (at[1] + 2) * 4;
			break;
		case 44:
			at = bytes_at(c, p->l4_offset, 8);
			if (!at)
				return DROP_TRUNCATED;
			if (p->flags & PACKET_FRAGMENT)
				return DROP_EXTENSION_HEADERS;
			size = 8;
			fragment = load16(at + 2);
			p->fragment_id = *(__u32 *)(at + 4);
			/* What of the datagram is in here: everything behind this header. */
			reason = note_fragment(p, fragment & 0xfff8, p->length - (p->l4_offset + 8 - p->l3_offset),
					       fragment & 1);
			if (reason)
				return reason;
			if (p->flags & PACKET_LATER_FRAGMENT) {
				p->key.protocol = at[0];
				return DROP_NONE;
			}
			break;
		default:
			p->key.protocol = next;
			return next == PROTOCOL_ICMP ? DROP_PROTOCOL : DROP_NONE;
		}
		next = at[0];
		p->l4_offset += size;
		if (p->l4_offset > HEADER_BYTES_MAX)
			return DROP_EXTENSION_HEADERS;
	}
	return DROP_EXTENSION_HEADERS;
}

/* In words: memcpy from an address of unknown alignment would go byte by byte. */
static __always_inline void copy_address(struct ip_address *to, const __u8 *from)
{
	__u64 *words = (__u64 *)to->bytes;

	words[0] = *(const __u64 *)from;
	words[1] = *(const __u64 *)(from + 8);
}

static __always_inline int parse_ipv6(struct cursor *c, struct packet *p, int direction, bool inner)
{
	__u8 *ip = bytes_at(c, p->l3_offset, 40);
	__u32 total;

	if (!ip)
		return DROP_TRUNCATED;
	if (ip[0] >> 4 != 6)
		return DROP_IP_HEADER;
	total = load16(ip + 4);
	/* Payload length 0: a jumbo segment made by the stack itself. */
	if (!inner && total) {
		if (total + 40 > c->length - p->l3_offset)
			return DROP_TRUNCATED;
		limit_to(c, p->l3_offset + 40 + total);
	}
	p->family = 6;
	p->length = total ? total + 40 : c->length - p->l3_offset;
	p->hop_limit = ip[7];
	copy_address(source_of(p, direction), ip + 8);
	copy_address(destination_of(p, direction), ip + 24);
	/* Such a packet would stand for the IPv4 one in every table, but have another identity (RFC 4038 §4.2). */
	if (is_mapped_ipv4(&p->key.local) || is_mapped_ipv4(&p->key.remote))
		return DROP_IP_HEADER;
	p->l4_offset = p->l3_offset + 40;
	if (ip[6] == PROTOCOL_TCP || ip[6] == PROTOCOL_UDP) {
		p->key.protocol = ip[6];
		return DROP_NONE;
	}
	return parse_extension_headers(c, p, ip[6]);
}

/* The packet at l3_offset, whose ethertype is known. `inner`: it is the one that an ICMP error quotes. */
static __always_inline int parse_network(struct cursor *c, struct packet *p, int direction, bool inner)
{
	int reason;

	if (p->ethertype == ETHERTYPE_IPV4)
		reason = parse_ipv4(c, p, direction, inner);
	else if (p->ethertype == ETHERTYPE_IPV6)
		reason = parse_ipv6(c, p, direction, inner);
	else
		return DROP_ETHERTYPE;
	if (reason || p->flags & PACKET_LATER_FRAGMENT)
		return reason;
	reason = parse_transport(c, p, direction, inner);
	/* A first fragment that ends inside the transport header hides what it is (RFC 1858). */
	return reason == DROP_TRUNCATED && p->flags & PACKET_FRAGMENT ? DROP_FRAGMENT_MALFORMED : reason;
}

/* A whole frame. `link_layer` false: it begins with the IP header and ethertype is set. */
static __always_inline int parse_packet(struct cursor *c, struct packet *p, int direction, bool link_layer)
{
	if (link_layer) {
		int reason = parse_link(c, p);

		if (reason)
			return reason;
	}
	if (p->ethertype == ETHERTYPE_ARP) {
		p->flags |= PACKET_ARP;
		return DROP_NONE;
	}
	return parse_network(c, p, direction, false);
}

/*
 * The packet at p->l3_offset that an ICMP error quotes, which travelled the other way. Reads 8 bytes of its transport
 * header (RFC 792 promises no more).
 */
static __always_inline int parse_quoted(struct cursor *c, struct packet *p, int direction)
{
	if (p->l3_offset > HEADER_BYTES_MAX)
		return DROP_ICMP_MALFORMED;
	if (parse_network(c, p, direction == DIRECTION_EGRESS ? DIRECTION_INGRESS : DIRECTION_EGRESS, true))
		return DROP_ICMP_MALFORMED;
	if (p->flags & PACKET_ICMP_ERROR)
		return DROP_ICMP_MALFORMED;
	return DROP_NONE;
}

#endif
