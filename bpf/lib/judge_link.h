/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* judge link: what keeps the link itself going, ARP, neighbour discovery and membership; no policy is asked about it. */
#ifndef BULKHEAD_JUDGE_LINK_H
#define BULKHEAD_JUDGE_LINK_H

#include "identify.h"
#include "maintenance.h"
#include "neighbor.h"
#include "scene.h"

static __attribute__((noinline)) int judge_arp(struct scene *s, int direction, __u32 is_host)
{
	int reason = DROP_NONE;

	if (direction == DIRECTION_EGRESS && !is_host) {
		struct cursor c = open_cursor(s->skb);

		reason = check_arp(&c, &s->p, s->ep);
	}
	if (reason)
		return drop_packet(s, direction, reason, RULE_NONE, IDENTITY_UNKNOWN);
	count_metric(METRIC_NOT_IP, s->skb->len);
	return TC_ACT_UNSPEC;
}

/*
 * A link-local address that is known as the host's (the router's) or another workload's. The agent need not know every
 * one, a tap's guest makes its own: what nobody is known to have may be the endpoint's.
 */
static __attribute__((noinline)) int is_anothers(struct scene *s, const struct ip_address *address)
{
	__u32 identity;

	if (!is_link_local(address) || owns_address(s->ep, address))
		return false;
	identity = identify(address, 6, s->bank);
	return identity == IDENTITY_HOST || (identity >= IDENTITY_WORKLOAD_MIN && identity <= IDENTITY_WORKLOAD_MAX);
}

static __attribute__((noinline)) int judge_maintenance(struct scene *s, int direction, __u32 is_host)
{
	int reason = DROP_NONE;

	if (direction == DIRECTION_EGRESS && !is_host) {
		struct cursor c = open_cursor(s->skb);
		struct ip_address target = {};

		if (!stays_on_link(&s->p))
			return CONTINUE;
		reason = check_neighbor_discovery(&c, &s->p, s->ep, &target);
		if (!reason && !(s->ep->flags & ENDPOINT_NO_SOURCE_CHECK) &&
		    (is_anothers(s, &s->p.key.local) || is_anothers(s, &target)))
			reason = DROP_NEIGHBOR_SPOOFED;
		if (!reason && !(s->ep->flags & ENDPOINT_NO_SOURCE_CHECK) && !is_well_formed(&c, &s->p))
			reason = DROP_LINK_PAYLOAD;
	}
	if (reason)
		return drop_packet(s, direction, reason, RULE_NONE, IDENTITY_UNKNOWN);
	return pass_packet(s, direction, RULE_NEIGHBOR_DISCOVERY);
}

#endif
