/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Frames that are dropped for their source before they are read: most of what deny feeds drop. A flood of them costs little
 * more than a bare XDP_DROP.
 */
#ifndef BULKHEAD_PREFILTER_EARLY_H
#define BULKHEAD_PREFILTER_EARLY_H

#include "prefilter_judge.h"

/* An untagged frame without IP options, at the places that its fields then have. */
#define EARLY_BYTES 42
#define EARLY_IPV6_BYTES 58

/* As find_feed_ipv4, without the call. */
static __always_inline int find_feed_ipv4_here(__u64 hi)
{
	__u32 index = FEED_TRIE_IPV4;
	void *trie = bpf_map_lookup_elem(&prefilter_feeds_map, &index);

	return trie ? find_prefix(trie, hi, 0, true) : 0;
}

/* The class of the source; CLASS_UNKNOWN for other frames. At least EARLY_BYTES are there. */
static __always_inline int class_of_frame(const __u8 *data)
{
	if (*(const __u16 *)(data + 12) == network16(ETHERTYPE_IPV4) && data[14] == 0x45)
		return find_feed_ipv4_here((__u64)network32(*(const __u32 *)(data + 26)) << 32);
	if (*(const __u16 *)(data + 12) == network16(ETHERTYPE_IPV6) && data[14] >> 4 == 6)
		return find_feed_ipv6(network64(*(const __u64 *)(data + 22)), network64(*(const __u64 *)(data + 30)));
	return CLASS_UNKNOWN;
}

/* False if it is certain that a TCP segment goes to no failsafe port. */
static __always_inline bool may_be_failsafe(const __u8 *data, const __u8 *end)
{
	const struct prefilter_ports *ports;
	__u32 zero = 0;
	__u16 port;

	if (data[14] == 0x45) {
		if (*(const __u16 *)(data + 20) & network16(0x1fff))
			return true;
		port = *(const __u16 *)(data + 36);
	} else {
		if (data + EARLY_IPV6_BYTES > end)
			return true;
		port = *(const __u16 *)(data + 56);
	}
	ports = bpf_map_lookup_elem(&prefilter_ports_map, &zero);
	return !ports || has_port(ports->failsafes, host16(port));
}

/*
 * A datagram is no neighbour discovery and goes to no failsafe port, so its source settles it; a TCP segment's port must be
 * looked at. Not if the drop is to be told: then there must be a packet to tell of.
 */
static __always_inline bool is_settled_early(__u32 flags, const __u8 *data, const __u8 *end, int class)
{
	__u8 protocol = data[data[14] == 0x45 ? 23 : 20];

	if (class <= 0 || class >= FEED_ALLOW_FIRST || !(flags & PREFILTER_ENFORCE) || has_credit(DROP_SHIELD_FEED))
		return false;
	return protocol == PROTOCOL_UDP ||
	       (protocol == PROTOCOL_TCP && (!(flags & PREFILTER_FAILSAFES) || !may_be_failsafe(data, end)));
}

#endif
