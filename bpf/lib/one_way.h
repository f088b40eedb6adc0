/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Flows that are received and never answered: see `one_way` of struct conntrack_key. */
#ifndef BULKHEAD_ONE_WAY_H
#define BULKHEAD_ONE_WAY_H

#include "fragment.h"
#include "neighbor.h"

/*
 * What arrives under an address that is not the endpoint's own. To one address: it is somebody else's, and whoever steals
 * its frames must not be able to answer in its name. To a group, or a DHCP offer: may be received, never answered.
 */
static __attribute__((noinline)) int check_destination(struct scene *s)
{
	if (s->ep->flags & ENDPOINT_NO_SOURCE_CHECK || owns_address(s->ep, &s->p.key.local))
		return DROP_NONE;
	if (!is_to_group(s->skb, &s->p.key.local, &s->p, s->ep) && !is_dhcp_offer(&s->p))
		return DROP_DESTINATION_ADDRESS;
	s->p.key.one_way = 1;
	return DROP_NONE;
}

/* The one-way flow that this packet continues, if the policy has not changed since it was judged. */
static __attribute__((noinline)) int continue_one_way(struct scene *s)
{
	struct conntrack_node *n = find_flow(&s->p.key);
	struct conntrack_entry *e;

	s->met = n ? MET_ENTRY : MET_NOTHING;
	if (!n)
		return CONTINUE;
	e = entry_of(n);
	if (!is_alive(e, s->config, s->now) || e->epoch != s->subject->epoch)
		return CONTINUE;
	e->last_seen = s->now;
	e->packets[0] += 1;
	e->bytes[0] += s->p.length;
	if (ticks_since(e->last_report, s->now) >= s->config->report_interval_ticks) {
		e->last_report = s->now;
		report(s, DIRECTION_INGRESS, e->flags & CONNTRACK_AUDITED ? VERDICT_AUDIT : VERDICT_ALLOW, e->reason,
		       FLOW_ESTABLISHED, e->rule, e->peer_identity, e);
	}
	if (e->flags & CONNTRACK_AUDITED)
		count_metric(METRIC_AUDITED, s->p.length);
	if (s->p.flags & PACKET_FRAGMENT && !(s->p.flags & PACKET_LATER_FRAGMENT))
		remember_fragment(s, DIRECTION_INGRESS);
	return pass_packet(s, DIRECTION_INGRESS, e->rule);
}

#endif
