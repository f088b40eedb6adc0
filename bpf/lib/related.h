/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ICMP errors about a flow. */
#ifndef BULKHEAD_RELATED_H
#define BULKHEAD_RELATED_H

#include "neighbor.h"
#include "scene.h"
#include "track.h"

/*
 * The quoted packet belongs to a flow that was allowed and still is: its errors are welcome. A flow that has not been
 * judged since the policy changed does not count: the packet that the error is about would have been judged.
 */
static __attribute__((noinline)) int judge_related(struct scene *s, int direction, __u32 is_host)
{
	struct packet quoted = {
		.key.endpoint = s->p.key.endpoint, .ethertype = s->p.ethertype, .l3_offset = s->p.l4_offset + 8,
	};
	struct conntrack_node *n;
	struct conntrack_entry *e;
	int reason = parse_quoted_skb(s->skb, &quoted, direction);

	if (reason)
		return drop_packet(s, direction, reason, RULE_NONE, IDENTITY_UNKNOWN);
	/* The error goes to whom sent the quoted packet, and to nobody else. */
	if (direction == DIRECTION_INGRESS && !same_address(&s->p.key.local, &quoted.key.local))
		return drop_packet(s, direction, DROP_ICMP_UNRELATED, RULE_NONE, IDENTITY_UNKNOWN);
	if (direction == DIRECTION_EGRESS && !same_address(&s->p.key.remote, &quoted.key.remote))
		return CONTINUE;
	n = quoted.flags & PACKET_LATER_FRAGMENT ? 0 : find_flow(&quoted.key);
	if (!n)
		return CONTINUE;
	e = entry_of(n);
	if (!is_alive(e, s->config, s->now) || e->epoch != s->subject->epoch || e->flags & CONNTRACK_DENIED)
		return CONTINUE;
	if (!is_host && direction == DIRECTION_EGRESS) {
		reason = check_source(&s->p, s->ep);
		if (reason)
			return drop_packet(s, direction, reason, RULE_NONE, IDENTITY_UNKNOWN);
	}
	report(s, direction, VERDICT_ALLOW, DROP_NONE, FLOW_RELATED, RULE_RELATED, e->peer_identity, 0);
	return pass_packet(s, direction, RULE_RELATED);
}

#endif
