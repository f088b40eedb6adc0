/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What neighbours say to each other passes without policy, so it must be exactly that: the messages that hosts need, to
 * where they belong, as long as they need be. Whatever else would carry a workload's own words to its neighbours.
 */
#ifndef BULKHEAD_MAINTENANCE_H
#define BULKHEAD_MAINTENANCE_H

#include "neighbor.h"

enum {
	ND_ROUTER_SOLICITATION = 133,
	MLD_REPORT = 131,
	MLD_DONE = 132,
	MLD2_REPORT = 143,
	IGMP_REPORT = 0x12,
	IGMP2_REPORT = 0x16,
	IGMP_LEAVE = 0x17,
	IGMP3_REPORT = 0x22,
	OPTION_SOURCE_ADDRESS = 1,
	OPTION_TARGET_ADDRESS = 2,
	OPTION_NONCE = 14,                /* RFC 7527 */
};

/* Group records of one report; who is in more groups sends reports that policy judges. */
#define RECORDS_MAX 8

/* The frame ends with its packet, or with what fills it up. */
static __always_inline bool ends_with(const struct cursor *c, const struct packet *p, __u32 length)
{
	return c->length <= p->l3_offset + length || c->length <= p->l3_offset + PADDED_BYTES;
}

static __always_inline bool is_link_group(const struct ip_address *to, __u8 last)
{
	const __u64 *words = (const __u64 *)to->bytes;

	return words[0] == 0x02ff && words[1] == (__u64)last << 56;
}

static __always_inline bool is_ipv4(const struct ip_address *to, __u32 host_order)
{
	return *(const __u32 *)(to->bytes + 12) == network32(host_order);
}

/* Up to two options of 8 bytes each: a link-layer address, a nonce. */
static __always_inline bool are_options(struct cursor *c, __u32 offset, __u32 length, __u8 kind)
{
	for (__u32 i = 0; i < 2; i++) {
		const __u8 *at;

		if (length == 8 * i)
			return true;
		at = bytes_at(c, offset + 8 * i, 8);
		if (!at || at[1] != 1 || (at[0] != kind && at[0] != OPTION_NONCE))
			return false;
	}
	return length == 16;
}

/* RFC 4861 §7.2.2: to the target, or to the group of those whose address ends like it. */
static __always_inline bool asks_target(const struct ip_address *to, const __u8 *target)
{
	struct ip_address address;
	const __u64 *words = (const __u64 *)to->bytes;

	copy_address(&address, target);
	return same_address(to, &address) ||
	       (words[0] == 0x02ff && (words[1] & 0xffffffffffull) == 0xff01000000ull &&
		(words[1] ^ ((const __u64 *)address.bytes)[1]) >> 40 == 0);
}

static __always_inline bool is_discovery(struct cursor *c, const struct packet *p, __u32 length)
{
	const struct ip_address *to = &p->key.remote;
	const __u8 *at = bytes_at(c, p->l4_offset, 8), *whole = bytes_at(c, p->l4_offset, 24);
	__u32 reserved;

	if (!at || p->l4_offset != p->l3_offset + 40)
		return false;
	reserved = *(const __u32 *)(at + 4);
	if (p->icmp_type == ND_ROUTER_SOLICITATION)
		return !reserved && is_link_group(to, 2) &&
		       are_options(c, p->l4_offset + 8, length - 8, OPTION_SOURCE_ADDRESS);
	if (!whole)
		return false;
	if (p->icmp_type == ND_NEIGHBOR_SOLICITATION)
		return !reserved && asks_target(to, whole + 8) &&
		       are_options(c, p->l4_offset + 24, length - 24, OPTION_SOURCE_ADDRESS);
	return !(reserved & network32(0x1fffffff)) && (to->bytes[0] != 0xff || is_link_group(to, 1)) &&
	       are_options(c, p->l4_offset + 24, length - 24, OPTION_TARGET_ADDRESS);
}

static __always_inline bool is_record_list(__u32 length, __u32 count, __u32 record)
{
	return count && count <= RECORDS_MAX && length == 8 + count * record;
}

static __always_inline bool is_listener_report(struct cursor *c, const struct packet *p, __u32 length)
{
	const struct ip_address *to = &p->key.remote;
	const __u8 *at = bytes_at(c, p->l4_offset, 8), *whole = bytes_at(c, p->l4_offset, 24);
	struct ip_address group;

	/* One header before it, with the router alert. */
	if (!at || p->l4_offset > p->l3_offset + 48)
		return false;
	if (p->icmp_type == MLD2_REPORT)
		return is_link_group(to, 0x16) && !load16(at + 4) && is_record_list(length, load16(at + 6), 20);
	if (!whole || length != 24)
		return false;
	if (p->icmp_type == MLD_DONE)
		return is_link_group(to, 2);
	copy_address(&group, whole + 8);
	return p->icmp_type == MLD_REPORT && same_address(to, &group);
}

static __always_inline bool is_group_report(struct cursor *c, const struct packet *p, __u32 length)
{
	const struct ip_address *to = &p->key.remote;
	const __u8 *at = bytes_at(c, p->l4_offset, 8);

	if (!at || p->l4_offset > p->l3_offset + 24)
		return false;
	if (at[0] == IGMP3_REPORT)
		return is_ipv4(to, 0xe0000016) && !load16(at + 4) && is_record_list(length, load16(at + 6), 8);
	if (at[0] == IGMP_LEAVE)
		return length == 8 && is_ipv4(to, 0xe0000002);
	return (at[0] == IGMP_REPORT || at[0] == IGMP2_REPORT) && length == 8 &&
	       *(const __u32 *)(at + 4) == *(const __u32 *)(to->bytes + 12);
}

/* Is this message, which neighbour discovery or group membership sends, all of it and nothing more? */
static __always_inline bool is_well_formed(struct cursor *c, const struct packet *p)
{
	__u32 length = p->length - (p->l4_offset - p->l3_offset);

	if (p->flags & PACKET_FRAGMENT || p->icmp_code || !ends_with(c, p, p->length))
		return false;
	if (p->key.protocol != PROTOCOL_ICMPV6)
		return is_group_report(c, p, length);
	return p->icmp_type >= ND_ROUTER_SOLICITATION && p->icmp_type <= ND_REDIRECT ? is_discovery(c, p, length)
										    : is_listener_report(c, p, length);
}

#endif
