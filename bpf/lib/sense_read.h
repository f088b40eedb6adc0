/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What sensors read of a frame beyond what the parser does. */
#ifndef BULKHEAD_SENSE_READ_H
#define BULKHEAD_SENSE_READ_H

#include "parse.h"
#include "sense_dns.h"

enum {
	SENSE_ARP_REQUEST = 1,
	SENSE_ARP_REPLY = 2,
	SENSE_NEIGHBOR_SOLICITATION = 135,
	SENSE_NEIGHBOR_ADVERTISEMENT = 136,
};

/* True if the parser read enough for the sensors, although it may have found something wrong. */
static __always_inline bool sense_has_use(const struct packet *p, int reason)
{
	return !reason || (reason == DROP_TCP_FLAGS && p->key.protocol == PROTOCOL_TCP);
}

/* Takes the addresses of ARP over IPv4 into the key; false: it is something else. */
static __always_inline bool sense_read_arp(struct cursor *c, struct packet *p, int direction)
{
	__u8 *arp = bytes_at(c, p->l3_offset, 28);

	if (!arp || load16(arp) != 1 || load16(arp + 2) != ETHERTYPE_IPV4 || load16(arp + 4) != 0x0604)
		return false;
	set_ipv4(source_of(p, direction), *(__u32 *)(arp + 14));
	set_ipv4(destination_of(p, direction), *(__u32 *)(arp + 24));
	return true;
}

/*
 * The same of neighbour discovery (RFC 4861): who is asked for, or who answers. From here on such a packet counts as ARP does.
 */
static __always_inline bool sense_read_neighbor(struct cursor *c, struct packet *p, int direction)
{
	const aliasing_u64 *asked;
	aliasing_u64 *to;

	if (!(p->flags & PACKET_LINK_MAINTENANCE) || p->key.protocol != PROTOCOL_ICMPV6 ||
	    (p->icmp_type != SENSE_NEIGHBOR_SOLICITATION && p->icmp_type != SENSE_NEIGHBOR_ADVERTISEMENT))
		return false;
	asked = (const aliasing_u64 *)bytes_at(c, p->l4_offset + 8, 16);
	if (!asked)
		return false;
	to = (aliasing_u64 *)(p->icmp_type == SENSE_NEIGHBOR_SOLICITATION ? destination_of(p, direction)
									  : source_of(p, direction));
	to[0] = asked[0];
	to[1] = asked[1];
	p->flags |= PACKET_ARP;
	return true;
}

/* What link maintenance says of neighbours; false: the sensors have no use for this packet. */
static __always_inline bool sense_read_link(struct cursor *c, struct packet *p, int direction)
{
	if (p->flags & PACKET_ARP)
		return sense_read_arp(c, p, direction);
	sense_read_neighbor(c, p, direction);
	return true;
}

struct sense_numbers {
	__u32 own;                        /* TCP: the sequence number. ARP and neighbour discovery: the operation */
	__u32 acknowledged;               /* TCP */
};

/* What is not there is 0. */
static __always_inline struct sense_numbers sense_read_numbers(struct cursor *c, const struct packet *p)
{
	struct sense_numbers n = {};
	__u8 *at;

	if (p->flags & PACKET_ARP && p->family == 6) {
		n.own = p->icmp_type == SENSE_NEIGHBOR_SOLICITATION ? SENSE_ARP_REQUEST : SENSE_ARP_REPLY;
	} else if (p->flags & PACKET_ARP) {
		at = bytes_at(c, p->l3_offset + 6, 2);
		n.own = at ? load16(at) : 0;
	} else if (p->key.protocol == PROTOCOL_TCP && !(p->flags & PACKET_LATER_FRAGMENT)) {
		at = bytes_at(c, p->l4_offset + 4, 8);
		if (at) {
			n.own = network32(*(__u32 *)at);
			n.acknowledged = network32(*(__u32 *)(at + 4));
		}
	}
	return n;
}

/* How many bytes of a datagram's DNS message are wanted, from behind its header; 0: there is none. */
static __always_inline __u32 sense_message_bytes(const struct packet *p)
{
	__u32 begin = p->l4_offset + 8, end = p->l3_offset + p->length;

	if (end < begin + SENSE_DNS_HEADER)
		return 0;
	return end - begin > SENSE_DNS_WANTED ? SENSE_DNS_WANTED : end - begin;
}

/* Where the packet begins that an ICMP error quotes. */
static __always_inline void sense_enter_quoted(const struct packet *p, struct packet *quoted)
{
	quoted->l3_offset = p->l4_offset + 8;
	quoted->ethertype = p->ethertype;
}

#endif
