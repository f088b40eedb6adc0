/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The order of the prefilter's questions about a packet that has been read. */
#ifndef BULKHEAD_PREFILTER_JUDGE_H
#define BULKHEAD_PREFILTER_JUDGE_H

#include "find_prefix.h"
#include "prefilter_asked.h"
#include "prefilter_check.h"
#include "prefilter_event.h"
#include "prefilter_limit.h"

/* Global, for the verifier: the walk of IPv6 is long. */
__attribute__((noinline)) int find_feed_ipv6(__u64 hi, __u64 lo)
{
	__u32 index = FEED_TRIE_IPV6;
	void *trie = bpf_map_lookup_elem(&prefilter_feeds_map, &index);

	return trie ? find_prefix(trie, hi, lo, false) : 0;
}

__attribute__((noinline)) int find_feed_ipv4(__u64 hi)
{
	__u32 index = FEED_TRIE_IPV4;
	void *trie = bpf_map_lookup_elem(&prefilter_feeds_map, &index);

	return trie ? find_prefix(trie, hi, 0, true) : 0;
}

#define LIMIT_SCTP_INIT 1

/* An address in the words of tries and blocks. */
struct address_words {
	__u64 hi, lo;
};

static __always_inline struct address_words words_of(const struct ip_address *address, __u8 family)
{
	const aliasing_u64 *words = (const aliasing_u64 *)address->bytes;
	struct address_words w = {};

	if (family == 4) {
		w.hi = (__u64)network32(words[1] >> 32) << 32;
	} else {
		w.hi = network64(words[0]);
		w.lo = network64(words[1]);
	}
	return w;
}

/* The address's /24 or /64. */
static __always_inline struct address_words net_of(struct address_words w, __u8 family)
{
	w.hi &= family == 4 ? ~0ull << 40 : ~0ull;
	w.lo = 0;
	return w;
}

/* By how much a source is blocked. */
enum { BLOCKED_NOT = 0, BLOCKED = 1, BLOCKED_FROM_FAILSAFES = 2 };

static __always_inline int blocked_as(struct address_words w, __u32 length, __u8 family, __u32 bytes)
{
	struct prefilter_block_key key = {.hi = w.hi, .lo = w.lo, .length = length, .is_ipv4 = family == 4};
	struct prefilter_block *block = bpf_map_lookup_elem(&prefilter_blocks_map, &key);

	if (!block || block->expires <= bpf_ktime_get_ns())
		return BLOCKED_NOT;
	__sync_fetch_and_add(&block->packets, 1);
	__sync_fetch_and_add(&block->bytes, bytes);
	return block->failsafes == PREFILTER_CLOSES_FAILSAFES ? BLOCKED_FROM_FAILSAFES : BLOCKED;
}

static __always_inline int blocked(__u32 flags, struct address_words w, __u8 family, __u32 bytes)
{
	int how = flags & PREFILTER_BLOCKS ? blocked_as(w, family == 4 ? 32 : 128, family, bytes) : BLOCKED_NOT;

	if (how || !(flags & PREFILTER_BLOCKED_NETS))
		return how;
	return blocked_as(net_of(w, family), family == 4 ? 24 : 64, family, bytes);
}

static __always_inline int check_limits(const struct prefilter_config *config, const struct packet *p,
					struct address_words source)
{
	struct address_words who = source;
	__u32 kinds = 1 << LIMIT_PACKETS | 1 << LIMIT_BYTES, unlimited = config->flooded_only, here;
	int used_up;

	if (p->flags & PACKET_FRAGMENT)
		kinds |= 1 << LIMIT_FRAGMENTS;
	if (is_icmp(p->key.protocol))
		kinds |= 1 << LIMIT_ICMP;
	if (!(p->flags & PACKET_LATER_FRAGMENT) &&
	    ((p->key.protocol == PROTOCOL_TCP && (p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) ||
	     (p->key.protocol == PROTOCOL_SCTP && p->sctp_chunk == LIMIT_SCTP_INIT)))
		kinds |= 1 << LIMIT_CONNECTIONS;
	if (unlimited && bpf_map_lookup_elem(&prefilter_flooded_map, &p->key.local))
		unlimited = 0;
	for (__u32 scope = 0; scope < LIMIT_SCOPE_COUNT; scope++) {
		here = kinds & ~(unlimited >> scope * LIMIT_KIND_COUNT);
		if (!(config->limited_scopes >> scope & 1) || !here)
			continue;
		if (scope == LIMIT_NET)
			who = net_of(source, p->family);
		else if (scope == LIMIT_DESTINATION)
			who = words_of(&p->key.local, p->family);
		/* Families keep apart: IPv4 words have nothing in the lower half, and 1 there stands for that. */
		used_up = charge_scope(who.hi, p->family == 4 ? 1 : who.lo, scope, here, p->length);
		if (used_up) {
			count_prefilter(PREFILTER_LIMITED + scope, p->length);
			return DROP_SHIELD_PACKETS + used_up - 1;
		}
	}
	return DROP_NONE;
}

static __always_inline bool is_failsafe(const struct packet *p, const struct prefilter_ports *ports)
{
	return p->key.protocol == PROTOCOL_TCP && !(p->flags & PACKET_LATER_FRAGMENT) &&
	       has_port(ports->failsafes, host16(p->key.local_port));
}

static __always_inline bool is_unasked(const struct prefilter_settings *settings, const struct prefilter_config *config,
				       const struct packet *p, const struct prefilter_ports *ports)
{
	if (p->key.protocol != PROTOCOL_UDP || p->flags & PACKET_LATER_FRAGMENT ||
	    !has_port(ports->reflectors, host16(p->key.remote_port)) ||
	    has_port(ports->served, host16(p->key.local_port)))
		return false;
	if (!was_asked(settings, p, config->asked_ticks))
		return true;
	count_prefilter(PREFILTER_ANSWERS, p->length);
	return false;
}

/* Of a source that nobody has looked up. */
#define CLASS_UNKNOWN -1

static __always_inline void count_hit(__u32 class, __u32 bytes)
{
	struct metric *hits = bpf_map_lookup_elem(&prefilter_feed_hits_map, &class);

	if (hits) {
		hits->packets += 1;
		hits->bytes += bytes;
	}
}

/* Why a packet that parses is dropped: the reason, and above 8 bits the number of the feed that says so. */
static __always_inline int judge_source(const struct prefilter_settings *settings, const struct prefilter_config *config,
					const struct packet *p, int class)
{
	__u32 zero = 0, flags = config->flags;
	struct address_words source = words_of(&p->key.remote, p->family);
	const struct prefilter_ports *ports;
	int reason = DROP_NONE;

	if (flags & PREFILTER_MALFORMED && same_address(&p->key.local, &p->key.remote))
		return DROP_SHIELD_LAND;
	if (flags & PREFILTER_MARTIANS && is_martian(p))
		return DROP_SHIELD_MARTIAN;
	/* Neighbours that cannot find each other are cut off, whoever else is. */
	if (p->flags & PACKET_LINK_MAINTENANCE)
		return DROP_NONE;
	if (flags & PREFILTER_FEEDS) {
		if (class == CLASS_UNKNOWN)
			class = p->family == 4 ? find_feed_ipv4(source.hi) : find_feed_ipv6(source.hi, source.lo);
		if (class) {
			count_hit(class, p->length);
			if (class >= FEED_ALLOW_FIRST) {
				count_prefilter(PREFILTER_ALLOWED, p->length);
				return DROP_NONE;
			}
			reason = DROP_SHIELD_FEED | class << 8;
		}
	}
	if (!reason && flags & (PREFILTER_BLOCKS | PREFILTER_BLOCKED_NETS)) {
		int how = blocked(flags, source, p->family, p->length);

		if (how == BLOCKED_FROM_FAILSAFES)
			return DROP_SHIELD_BLOCK;
		reason = how ? DROP_SHIELD_BLOCK : DROP_NONE;
	}
	if (reason && !(flags & PREFILTER_FAILSAFES))
		return reason;
	if (reason || flags & PREFILTER_REFLECTORS) {
		ports = bpf_map_lookup_elem(&prefilter_ports_map, &zero);
		if (!ports)
			return reason;
		if (reason) {
			if (!is_failsafe(p, ports))
				return reason;
			count_prefilter(PREFILTER_FAILSAFE, p->length);
		} else if (is_unasked(settings, config, p, ports)) {
			return DROP_SHIELD_REFLECTOR;
		}
	}
	return config->limited_scopes ? check_limits(config, p, source) : DROP_NONE;
}

/* The last step: `cause` as it was found, 0 if the packet passes. `bytes`: of the frame. */
static __always_inline bool settle(__u32 flags, int cause, const struct packet *p, __u32 bytes, __u32 interface)
{
	__u32 reason = cause & (PREFILTER_REASONS - 1);

	if (!cause) {
		count_prefilter(PREFILTER_PASSED, bytes);
		return true;
	}
	count_prefilter((flags & PREFILTER_ENFORCE ? PREFILTER_DROPPED : PREFILTER_WOULD_DROP) + reason, bytes);
	if (has_credit(reason))
		tell_drop(p, cause, flags & PREFILTER_ENFORCE ? VERDICT_DENY : VERDICT_AUDIT, interface);
	return !(flags & PREFILTER_ENFORCE);
}

#endif
