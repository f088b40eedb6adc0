/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Policies without flows (Calico's doNotTrack): asked about every packet at the host's devices, ahead of the flow table. An
 * allowed packet meets neither that nor another policy of the device; what they leave open goes on as if they were not there.
 */
#ifndef BULKHEAD_UNTRACKED_H
#define BULKHEAD_UNTRACKED_H

#include "fragment.h"
#include "neighbor.h"
#include "rule.h"

/*
 * What the host sends or receives, or routes. Frames that are bridged, groups that come in, and packets to
 * oneself are neither.
 */
static __always_inline bool crosses_host(const struct scene *s, int direction)
{
	if (same_address(&s->p.key.local, &s->p.key.remote))
		return false;
	if (s->skb->pkt_type == PACKET_TO_US && (direction == DIRECTION_INGRESS || s->skb->ingress_ifindex))
		return true;
	return owns_address(s->ep, &s->p.key.local);
}

/*
 * There is no flow to note the last report in, so one is made for each rule, peer and port, in a table that bounds how many
 * they can be: packets of made-up senders must not fill the rings.
 */
static __attribute__((noinline)) bool is_report_due(const struct scene *s, const struct ruling *r, int direction)
{
	__u32 ports = direction == DIRECTION_EGRESS ? s->p.key.remote_port : s->p.key.local_port;
	__u32 index = hash_key(r->peer, r->rule, ports << 8 | direction) & (UNTRACKED_REPORT_COUNT - 1);
	__u64 *last = bpf_map_lookup_elem(&untracked_report_map, &index), now = bpf_jiffies64();

	if (!last || (*last && now - *last < s->config->report_interval_ticks))
		return false;
	*last = now;
	return true;
}

/* Failsafe ports without flows: a packet to or from one, whoever began. */
static __attribute__((noinline)) bool is_failsafe_packet(const struct conntrack_key *key)
{
	return is_failsafe(key, DIRECTION_INGRESS) || is_failsafe(key, DIRECTION_EGRESS);
}

/* A tc action, or CONTINUE. */
static __always_inline int judge_untracked(struct scene *s, int direction)
{
	/* Of this packet itself: what answers is not judged as what it answers. */
	struct ruling r = { .subject = s->slot, .bank = s->bank, .now = s->now, .family = s->p.family };
	bool is_decided;
	int reason;

	if (s->p.flags & PACKET_LATER_FRAGMENT && recall_fragment(s, direction))
		return CONTINUE;
	r.icmp_type = s->p.icmp_type;
	reason = rule_flow(&s->p.key, &r, direction);
	is_decided = r.settled & SETTLED_ENFORCED;
	if (reason == DROP_POLICY_TABLE || (!is_decided && !r.audited))
		return CONTINUE;
	if ((reason || r.audited) && is_failsafe_packet(&s->p.key))
		return CONTINUE;
	if (reason && (s->config->flags & CONFIG_AUDIT || s->ep->flags & ENDPOINT_AUDIT)) {
		r.audited = 1;
		is_decided = false;
	} else if (reason) {
		return drop_packet(s, direction, reason, r.rule, r.peer);
	}
	if (r.audited)
		count_metric(METRIC_AUDITED, s->p.length);
	if (is_report_due(s, &r, direction))
		report(s, direction, r.audited ? VERDICT_AUDIT : VERDICT_ALLOW, r.audited ? r.reason : DROP_NONE,
		       FLOW_UNTRACKED, r.rule, r.peer, 0);
	if (s->p.flags & PACKET_FRAGMENT && !(s->p.flags & PACKET_LATER_FRAGMENT))
		remember_fragment(s, direction);
	count_rule(r.rule, direction, s->p.length);
	return is_decided ? TC_ACT_UNSPEC : CONTINUE;
}

#endif
