/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Connections of the host that were open before a policy selected it: no default deny cuts them, a deny rule does. */
#ifndef BULKHEAD_KEPT_H
#define BULKHEAD_KEPT_H

#include "rule.h"

/* The agent lists them when the host comes under a policy, and takes those off the list that are over. */
static __attribute__((noinline)) bool is_kept(const struct conntrack_key *key)
{
	struct conntrack_key listed = *key;

	listed.endpoint = 0;
	return bpf_map_lookup_elem(&kept_flow_map, &listed) != 0;
}

/* Has the last word about a flow that policy denies: returns what is left of `reason`. */
static __always_inline int keep_flow(const struct packet *p, int reason, struct ruling *r)
{
	if (p->key.protocol != PROTOCOL_TCP || (reason ? reason : r->reason) != DROP_POLICY_DEFAULT_DENY)
		return reason;
	if ((p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN || !is_kept(&p->key))
		return reason;
	r->rule = RULE_KEPT;
	r->reason = DROP_NONE;
	r->audited = 0;
	return DROP_NONE;
}

#endif
