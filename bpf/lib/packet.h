/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A packet after parsing: what the steps after it need, and nothing of the bytes. */
#ifndef BULKHEAD_PACKET_H
#define BULKHEAD_PACKET_H

#include "abi_types.h"
#include "conntrack.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

/* For reading a struct by words: other than a plain __u64 it may be the same memory as its fields. */
typedef __u64 __attribute__((may_alias)) aliasing_u64;

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the datapath is written for little-endian hosts"
#endif
#define host16(x) __builtin_bswap16(x)
#define network16(x) __builtin_bswap16(x)
#define network32(x) __builtin_bswap32(x)
#define network64(x) __builtin_bswap64(x)

enum {
	PROTOCOL_ICMP = 1,
	PROTOCOL_IGMP = 2,
	PROTOCOL_TCP = 6,
	PROTOCOL_UDP = 17,
	PROTOCOL_ICMPV6 = 58,
	PROTOCOL_SCTP = 132,
};

enum {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_ACK = 0x10,
};

enum {
	PACKET_ARP = 1 << 0,
	PACKET_FRAGMENT = 1 << 1,         /* part of a fragmented datagram */
	PACKET_LATER_FRAGMENT = 1 << 2,   /* not its first part: no ports inside */
	PACKET_ICMP_ERROR = 1 << 3,
	PACKET_ICMP_REQUEST = 1 << 4,     /* echo, timestamp: expects a reply */
	PACKET_ICMP_REPLY = 1 << 5,
	PACKET_LINK_MAINTENANCE = 1 << 6, /* neighbour discovery, multicast membership */
	PACKET_TAG_TAKEN = 1 << 7,        /* the outermost VLAN tag is no longer in the frame */
};

/*
 * `key` is the conntrack key as seen from the endpoint, filled while parsing so that no address is copied twice.
 * Offsets count from the start of the packet.
 */
struct packet {
	struct conntrack_key key;
	__u32 l3_offset;
	__u32 l4_offset;
	__u32 length;                     /* IP length, bytes */
	__u32 fragment_id;
	__u16 ethertype;                  /* host order, after VLAN tags */
	__u16 vlan;
	__u16 flags;                      /* PACKET_* */
	__u8 family;
	__u8 tcp_flags;
	__u8 icmp_type;
	__u8 icmp_code;
	__u8 hop_limit;
	__u8 sctp_chunk;                  /* type of the first chunk */
};

static __always_inline bool is_icmp(__u8 protocol)
{
	return protocol == PROTOCOL_ICMP || protocol == PROTOCOL_ICMPV6;
}

/* ICMP: the type by which policy judges the flow, which for a reply is that of its request. */
static __always_inline __u8 opening_icmp_type(const struct packet *p)
{
	return p->flags & (PACKET_ICMP_REQUEST | PACKET_ICMP_REPLY) ? host16(p->key.local_port) >> 8 : p->icmp_type;
}

static __always_inline struct ip_address *source_of(struct packet *p, int direction)
{
	return direction == DIRECTION_EGRESS ? &p->key.local : &p->key.remote;
}

static __always_inline struct ip_address *destination_of(struct packet *p, int direction)
{
	return direction == DIRECTION_EGRESS ? &p->key.remote : &p->key.local;
}

static __always_inline void set_ports(struct packet *p, int direction, __u16 source, __u16 destination)
{
	p->key.local_port = direction == DIRECTION_EGRESS ? source : destination;
	p->key.remote_port = direction == DIRECTION_EGRESS ? destination : source;
}

static __always_inline bool same_address(const struct ip_address *a, const struct ip_address *b)
{
	const __u64 *x = (const __u64 *)a->bytes, *y = (const __u64 *)b->bytes;

	return x[0] == y[0] && x[1] == y[1];
}

#endif
