/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* rule on: what the policy in force says about a flow, with audit mode, failsafe ports and the endpoint itself. */
#ifndef BULKHEAD_RULE_H
#define BULKHEAD_RULE_H

#include "decide.h"
#include "fqdn_peers.h"
#include "identify.h"
#include "scene.h"
#include "track.h"

/* What decide says once audit mode had its word. The first fields are asked, the others answered. */
struct ruling {
	__u32 icmp_type;                  /* of the packet that opens such a flow */
	__u32 subject;                    /* slot */
	__u32 bank;
	__u32 now;
	__u8 family;
	__u8 is_audit;                    /* the endpoint's audit mode, or the global one */
	__u8 reason;                      /* DROP_*, or of an audited packet the reason it would have been dropped */
	__u8 audited;
	__u8 reversed;                    /* not as asked, but as opened from the other side */
	__u8 settled;                     /* SETTLED_*: while the tiers are asked */
	__u8 other_reason;                /* what all policies say, audit-mode ones included */
	__u8 traits;                      /* asked: TRAIT_* */
	__u32 other_rule;
	__u32 rule;
	__u32 peer;
	__u32 asks_names;                 /* some tier of the subject has rules about names */
};

enum {
	TRAIT_OPEN = 1 << 0,              /* the flow exists, and may rely on names whose time is over */
	TRAIT_SERVICE = 1 << 1,           /* it is a service's: other processes behind the same addresses are its peers */
};

enum {
	SETTLED_ENFORCED = 1 << 0,
	SETTLED_ALL = 1 << 1,
	SETTLED_BOTH = SETTLED_ENFORCED | SETTLED_ALL,
};

/*
 * Packets to oneself stay inside the endpoint but for a detour by address translation; what arrives under the
 * endpoint's own address must have been sent by it, or it is forged. One packet has two keys: ours and the sender's.
 */
static __attribute__((noinline)) int has_sent(const struct conntrack_key *key, const struct datapath_config *config, __u32 now)
{
	struct conntrack_key sent = *key;
	struct conntrack_node *n;

	if (is_icmp(key->protocol)) {
		sent.local_port ^= network16(1);
	} else {
		sent.local_port = key->remote_port;
		sent.remote_port = key->local_port;
	}
	n = find_flow(&sent);
	return n && is_alive(entry_of(n), config, now);
}

/* 127.0.0.0/8 or ::1. */
static __always_inline bool is_loopback(const struct ip_address *address)
{
	const __u64 *words = (const __u64 *)address->bytes;

	return !words[0] && (words[1] == network64(1) || (words[1] & 0xffffffffffull) == 0x7fffff0000ull);
}

/* One tier's say about both classes of policies, as far as earlier tiers have left it open. */
static __always_inline void settle(struct ruling *r, const struct answer *a, __u8 closed, __u8 closed_all, __u32 closed_rule)
{
	__u32 rule = RULE_NONE;
	int reason;

	if (!(r->settled & SETTLED_ENFORCED)) {
		reason = conclude(&a->enforced, closed, closed_rule, &rule);
		if (reason != NEXT_TIER) {
			r->reason = reason;
			r->rule = rule;
			/* What is cut needs no second verdict. */
			r->settled |= reason ? SETTLED_BOTH : SETTLED_ENFORCED;
		}
	}
	if (!(r->settled & SETTLED_ALL)) {
		reason = conclude(&a->all, closed_all, closed_rule, &rule);
		if (reason != NEXT_TIER) {
			r->other_reason = reason;
			r->other_rule = rule;
			r->settled |= SETTLED_ALL;
		}
	}
}

/* Asks one tier. A global function, as `probe_key` is; so it looks up for itself what it is asked about. */
__attribute__((noinline)) int ask_tier(struct question *q, struct ruling *r, __u32 slot)
{
	struct answer a = {};
	struct subject_entry *tier;
	__u32 peer_mask, any_mask, index;
	bool ingress;

	if (!q || !r)
		return DROP_POLICY_TABLE;
	index = (q->bank & 1) * SUBJECT_SLOT_COUNT + (slot & (SUBJECT_SLOT_COUNT - 1));
	tier = bpf_map_lookup_elem(&subject_map, &index);
	if (!tier)
		return DROP_POLICY_TABLE;
	q->subject = slot;
	ingress = q->direction == DIRECTION_INGRESS;
	peer_mask = ingress ? tier->probe_mask[1][SUBJECT_PEER] : tier->probe_mask[0][SUBJECT_PEER];
	any_mask = ingress ? tier->probe_mask[1][SUBJECT_ANY] : tier->probe_mask[0][SUBJECT_ANY];
	if (decide(q, &a, peer_mask, any_mask))
		return DROP_POLICY_TABLE;
	if (r->asks_names)
		take_names(&a);
	if (a.damaged)
		return DROP_POLICY_TABLE;
	if (ingress)
		settle(r, &a, tier->default_deny[1], tier->default_deny_all[1], tier->default_deny_rule[1]);
	else
		settle(r, &a, tier->default_deny[0], tier->default_deny_all[0], tier->default_deny_rule[0]);
	return DROP_NONE;
}

/* The last word about a flow: what no tier settled is allowed, and audit mode reports instead of cutting. */
static __always_inline int last_word(struct ruling *r)
{
	if (r->reason) {
		r->audited = r->is_audit;
		return r->audited ? DROP_NONE : r->reason;
	}
	if (r->other_reason) {
		r->reason = r->other_reason;
		r->rule = r->other_rule;
		r->audited = 1;
	}
	return DROP_NONE;
}

/* Type and code; requests that are answered carry their identifier in the key instead of the code, which is 0. */
static __always_inline __u16 icmp_port(const struct conntrack_key *key, __u32 type)
{
	return type << 8 | (host16(key->local_port) >> 8 ? 0 : host16(key->remote_port) & 0xff);
}

/*
 * Asks the policy about the flow of `key`, opened in `direction`: tier after tier. Everything it needs is in the key and
 * the entry, so the same words judge a first packet and, after a policy change, the millionth. A global function, as
 * `decide` is; so it looks up for itself what it is asked about.
 */
__attribute__((noinline)) int rule_flow(const struct conntrack_key *key, struct ruling *r, __u32 direction)
{
	bool ingress = direction == DIRECTION_INGRESS;
	struct question q = {};
	struct subject_entry *subject;
	struct datapath_config *config;
	__u32 chain, zero = 0, index;

	if (!key || !r)
		return DROP_POLICY_TABLE;
	index = (r->bank & 1) * SUBJECT_SLOT_COUNT + (r->subject & (SUBJECT_COUNT_MAX - 1));
	config = bpf_map_lookup_elem(&config_map, &zero);
	subject = bpf_map_lookup_elem(&subject_map, &index);
	if (!config || !subject)
		return DROP_POLICY_TABLE;
	r->audited = 0;
	r->settled = 0;
	r->reason = DROP_NONE;
	r->other_reason = DROP_NONE;
	r->rule = RULE_NONE;
	r->peer = identify(&key->remote, r->family, r->bank & 1);
	if (r->traits & TRAIT_SERVICE) {
		if (is_loopback(&key->remote))
			r->peer = IDENTITY_HOST;
	} else if (same_address(&key->local, &key->remote) && (!ingress || has_sent(key, config, r->now))) {
		r->rule = RULE_SELF;
		return DROP_NONE;
	}
	q.bank = r->bank;
	q.protocol = key->protocol;
	q.direction = direction;
	q.bucket_mask = r->bank & 1 ? config->policy_bucket_mask[1] : config->policy_bucket_mask[0];
	q.peer = r->peer;
	q.port = is_icmp(key->protocol) ? icmp_port(key, r->icmp_type) : host16(ingress ? key->local_port : key->remote_port);
	r->asks_names = !ingress && subject->probe_mask[0][SUBJECT_ANY] >> PROBE_NAMES & 1;
	if (r->asks_names)
		gather_names(key, r->peer, r->traits & TRAIT_OPEN);
	chain = subject->chain ? subject->chain : 1;
	for (int i = 0; i < SUBJECT_TIER_COUNT && chain && r->settled != SETTLED_BOTH; i++) {
		__u32 slot = ((chain & 15) - 1) * SUBJECT_COUNT_MAX + (r->subject & (SUBJECT_COUNT_MAX - 1));

		if (r->asks_names)
			ask_names(&q, slot);
		if (ask_tier(&q, r, slot)) {
			r->rule = RULE_NONE;
			return r->reason = DROP_POLICY_TABLE;
		}
		chain >>= 4;
	}
	return last_word(r);
}

static __always_inline int rule_on(struct scene *s, const struct conntrack_key *key, __u32 direction, struct ruling *r)
{
	r->subject = s->slot;
	r->bank = s->bank;
	r->now = s->now;
	r->family = s->p.family;
	r->is_audit = s->config->flags & CONFIG_AUDIT || s->ep->flags & ENDPOINT_AUDIT;
	return rule_flow(key, r, direction);
}

/*
 * `flags`: of the flow's entry. A stream of which nobody knows who opened it is allowed if either side may have; sets
 * r->reversed if only the other one may.
 */
static __always_inline int rule_on_either(struct scene *s, const struct conntrack_key *key, __u32 direction, __u8 flags,
					  struct ruling *r)
{
	int reason = rule_on(s, key, direction, r);

	if (!(flags & CONNTRACK_EITHER) || (!reason && !r->audited))
		return reason;
	/* Asked a second time, if the other way is no better: cheaper than room for two answers on the stack. */
	r->reversed = !rule_flow(key, r, reverse_of(direction)) && !r->audited;
	return r->reversed ? DROP_NONE : rule_flow(key, r, direction);
}

static __always_inline bool is_failsafe(const struct conntrack_key *key, int direction)
{
	struct failsafe_key f = {
		.port = direction == DIRECTION_INGRESS ? key->local_port : key->remote_port,
		.protocol = key->protocol, .direction = direction,
	};

	return bpf_map_lookup_elem(&failsafe_map, &f) != 0;
}

/* `flags`: of its entry; whose opener is unknown passes if it is a failsafe flow either way. */
static __always_inline bool is_failsafe_flow(const struct conntrack_key *key, int opener, __u8 flags)
{
	return is_failsafe(key, opener) || (flags & CONNTRACK_EITHER && is_failsafe(key, reverse_of(opener)));
}

#endif
