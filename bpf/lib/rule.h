/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* rule on: what the policy in force says about a flow, with audit mode, failsafe ports and the endpoint itself. */
#ifndef BULKHEAD_RULE_H
#define BULKHEAD_RULE_H

#include "decide.h"
#include "identify.h"
#include "scene.h"
#include "track.h"

/* What decide says once audit mode had its word. The first field is asked, the others answered. */
struct ruling {
	__u32 icmp_type;                  /* of the packet that opens such a flow */
	__u32 rule;
	__u32 peer;
	__u8 reason;                      /* DROP_*, or of an audited packet the reason it would have been dropped */
	__u8 audited;
};

/*
 * Packets to oneself stay inside the endpoint but for a detour by address translation; what arrives under the
 * endpoint's own address must have been sent by it, or it is forged. One packet has two keys: ours and the sender's.
 */
static __attribute__((noinline)) int has_sent(struct scene *s, const struct conntrack_key *key)
{
	struct conntrack_key sent = *key;
	struct conntrack_entry *e;

	if (is_icmp(key->protocol)) {
		sent.local_port ^= network16(1);
	} else {
		sent.local_port = key->remote_port;
		sent.remote_port = key->local_port;
	}
	e = bpf_map_lookup_elem(&conntrack_map, &sent);
	return e && is_alive(e, s->config, s->now);
}

/*
 * Asks the policy about the flow of `key`, opened in `direction`. Everything it needs is in the key and the entry, so
 * the same words judge a first packet and, after a policy change, the millionth.
 */
static __attribute__((noinline)) int rule_on(struct scene *s, const struct conntrack_key *key, __u32 direction,
					     struct ruling *r)
{
	bool ingress = direction == DIRECTION_INGRESS;
	struct question q = {
		.subject = s->ep->subject, .bank = s->bank, .protocol = key->protocol, .direction = direction,
		.bucket_mask = s->config->policy_bucket_mask[0],
	};
	struct answer a = {};
	struct subject_entry *subject = s->subject;
	__u32 peer_mask, any_mask, rule_all;
	int enforced, all;

	if (s->bank)
		q.bucket_mask = s->config->policy_bucket_mask[1];
	r->audited = 0;
	r->peer = identify(&key->remote, s->p.family, s->bank);
	if (same_address(&key->local, &key->remote) && (!ingress || has_sent(s, key))) {
		r->rule = RULE_SELF;
		return r->reason = DROP_NONE;
	}
	q.peer = r->peer;
	q.port = is_icmp(key->protocol) ? r->icmp_type << 8 : host16(ingress ? key->local_port : key->remote_port);
	peer_mask = ingress ? subject->probe_mask[1][SUBJECT_PEER] : subject->probe_mask[0][SUBJECT_PEER];
	any_mask = ingress ? subject->probe_mask[1][SUBJECT_ANY] : subject->probe_mask[0][SUBJECT_ANY];
	if (decide(&q, &a, peer_mask, any_mask) || a.damaged) {
		r->rule = RULE_NONE;
		return r->reason = DROP_POLICY_TABLE;
	}
	enforced = conclude(&a.enforced, ingress ? subject->default_deny[1] : subject->default_deny[0],
			    ingress ? subject->default_deny_rule[1] : subject->default_deny_rule[0], &r->rule);
	all = conclude(&a.all, ingress ? subject->default_deny_all[1] : subject->default_deny_all[0],
		       ingress ? subject->default_deny_rule[1] : subject->default_deny_rule[0], &rule_all);
	r->reason = enforced;
	if (enforced) {
		r->audited = s->config->flags & CONFIG_AUDIT || s->ep->flags & ENDPOINT_AUDIT;
	} else if (all) {
		r->reason = all;
		r->rule = rule_all;
		r->audited = 1;
	}
	return r->audited ? DROP_NONE : r->reason;
}

static __always_inline bool is_failsafe(const struct conntrack_key *key, int direction)
{
	struct failsafe_key f = {
		.port = direction == DIRECTION_INGRESS ? key->local_port : key->remote_port,
		.protocol = key->protocol, .direction = direction,
	};

	return bpf_map_lookup_elem(&failsafe_map, &f) != 0;
}

#endif
