/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * judge: one packet from bytes to verdict. The order of the steps is the order of the functions below, read upwards:
 *
 *   judge_packet     configuration, endpoint, parse, link-layer matters
 *   judge_tracked    the one lookup: an established flow of the current epoch ends here
 *   judge_changed    its subject's policy has changed since: decide again
 *   judge_related    an ICMP error about a flow
 *   judge_first      source check, identify, decide, create the entry
 */
#ifndef BULKHEAD_JUDGE_H
#define BULKHEAD_JUDGE_H

#include "see_dns.h"
#include "fragment.h"
#include "judge_link.h"
#include "kept.h"
#include "one_way.h"
#include "related.h"
#include "rule.h"
#include "service.h"
#include "syn_judge.h"

/* Adds the flow, or begins it anew where its key is in the table already. */
static __attribute__((noinline)) int create_entry(struct scene *s, int direction, int opener, const struct ruling *r,
						  __u8 flags)
{
	__u32 endpoint = s->p.key.endpoint, *held = bpf_map_lookup_elem(&endpoint_flows_map, &endpoint);
	bool reply = opener != direction, is_more = !(s->met & MET_ENTRY);
	struct conntrack_node *n;
	struct conntrack_entry *e;

	if (is_more && held && s->config->conntrack_share && *held >= s->config->conntrack_share) {
		count_metric(METRIC_CONNTRACK_FULL, s->p.length);
		return DROP_CONNTRACK_SHARE;
	}
	n = node_at(add_node(&s->p.key, s->place, s->met & MET_ENTRY ? CHAIN_TOO_LONG : s->head_seen));
	if (!n) {
		count_metric(METRIC_CONNTRACK_FULL, s->p.length);
		return DROP_CONNTRACK_FULL;
	}
	if (is_more && held)
		__sync_fetch_and_add(held, 1);
	flags |= opener == DIRECTION_INGRESS ? CONNTRACK_OPENED_INGRESS : 0;
	flags |= reply ? CONNTRACK_HEARD_OTHER : CONNTRACK_HEARD_OPENER;
	flags |= r->audited ? CONNTRACK_AUDITED : 0;
	e = entry_of(n);
	e->packets[0] = !reply;
	/* Our answer with the cookie counts as the other side's. */
	e->packets[1] = reply || s->met & MET_COOKIE;
	e->bytes[0] = reply ? 0 : s->p.length;
	e->bytes[1] = reply ? s->p.length : 0;
	e->last_seen = s->now;
	e->last_report = s->now;
	e->peer_identity = r->peer;
	e->rule = r->rule;
	e->created = s->now;
	e->epoch = s->subject->epoch;
	/* Last, and in one store, what makes it count: state, flags, reason, tcp_flags, icmp_type. */
	asm volatile("" ::: "memory");
	*(volatile __u64 *)&e->state = (s->met & MET_COOKIE ? CONNTRACK_ESTABLISHED : first_state(&s->p)) | (__u64)flags << 8 |
				       (__u64)(r->audited ? r->reason : DROP_NONE) << 16 |
				       (__u64)s->p.tcp_flags << (reply ? 32 : 24) |
				       (__u64)opening_icmp_type(&s->p) << 40;
	count_metric(METRIC_CONNTRACK_CREATED, s->p.length);
	return DROP_NONE;
}

/* The ways into the host stay open, not the ways through it. */
static __always_inline bool has_failsafes(__u32 is_host)
{
	return is_host && is_host != IS_FORWARDED;
}

/* Host devices: is this packet the host's own, or only passing through? What a service sends was judged as that. */
static __always_inline bool is_forwarded(const struct scene *s, int direction)
{
	return !owns_address(s->ep, &s->p.key.local) ||
	       (direction == DIRECTION_EGRESS && (s->skb->ingress_ifindex || service_of(s->skb)));
}

/*
 * Some policy is about what passes through the host, and the packet does: it was sent to our link-layer address, or has
 * none. Frames that are bridged, and groups, do not.
 */
static __always_inline bool is_routed(const struct __sk_buff *skb, const struct datapath_config *config)
{
	return config->forward_subject && skb->pkt_type == PACKET_TO_US;
}

static __attribute__((noinline)) int judge_first(struct scene *s, int direction, __u32 is_host)
{
	struct ruling r = { .rule = RULE_NONE, .peer = IDENTITY_UNKNOWN };
	int opening, opener, reason = DROP_NONE;
	__u8 flags;

	if (direction == DIRECTION_INGRESS && !(s->met & ~MET_SENSED) && has_cookie(s->skb, &s->p))
		s->met |= MET_COOKIE;
	opening = opening_of(&s->p, direction, s->met);
	opener = opening & 1;
	flags = opening >> 8;
	if (is_host == IS_HOST && is_forwarded(s, direction)) {
		if (direction == DIRECTION_INGRESS && is_routed(s->skb, s->config))
			return IS_OF_OTHERS;
		/* Traffic of others is not the host's; what leaves under the host's address is tracked for its replies. */
		if (direction == DIRECTION_INGRESS || !owns_address(s->ep, &s->p.key.local))
			return TC_ACT_UNSPEC;
		flags |= CONNTRACK_FORWARDED;
		r.rule = RULE_FORWARDED;
	} else if (!is_host) {
		reason = direction == DIRECTION_EGRESS ? check_source(&s->p, s->ep) : check_destination(s);
		if (reason)
			return drop_packet(s, direction, reason, RULE_NONE, IDENTITY_UNKNOWN);
		if (s->p.key.one_way) {
			int action = continue_one_way(s);

			if (action != CONTINUE)
				return action;
		}
	}
	if (!(flags & CONNTRACK_FORWARDED) && has_failsafes(is_host) && is_failsafe_flow(&s->p.key, opener, flags)) {
		r.rule = RULE_FAILSAFE;
		r.peer = identify(&s->p.key.remote, s->p.family, s->bank);
	} else if (!(flags & CONNTRACK_FORWARDED)) {
		r.icmp_type = opening_icmp_type(&s->p);
		r.traits = is_host == IS_SERVICE ? TRAIT_SERVICE : 0;
		reason = rule_on_either(s, &s->p.key, opener, flags, &r);
		if (r.reversed)
			opener = reverse_of(opener);
		if (reason == DROP_POLICY_TABLE && is_host)
			reason = DROP_NONE;
		if (has_failsafes(is_host))
			reason = keep_flow(&s->p, reason, &r);
		if (reason && s->p.flags & PACKET_ICMP_ERROR && reason == DROP_POLICY_DEFAULT_DENY)
			reason = DROP_ICMP_UNRELATED;
		if (reason) {
			is_stateless(&s->p, direction, true, s->skb->ifindex);
			return drop_packet(s, direction, reason, r.rule, r.peer);
		}
	}
	/* Whose key is in the table already takes no more room there. */
	if (!(s->met & ~MET_SENSED) &&
	    is_stateless(&s->p, direction, r.rule != RULE_NONE && r.rule != RULE_FAILSAFE, s->skb->ifindex))
		return pass_packet(s, direction, r.rule);
	if (!(s->met & MET_BESIDE))
		reason = create_entry(s, direction, opener, &r, flags);
	if (reason && !is_host)
		return drop_packet(s, direction, reason, r.rule, r.peer);
	if (s->p.flags & PACKET_FRAGMENT)
		remember_fragment(s, direction);
	if (r.audited)
		count_metric(METRIC_AUDITED, s->p.length);
	report(s, direction, r.audited ? VERDICT_AUDIT : VERDICT_ALLOW, r.audited ? r.reason : DROP_NONE,
	       opener == direction ? FLOW_NEW : FLOW_REPLY, r.rule, r.peer, 0);
	return pass_packet(s, direction, r.rule);
}

/* The verdict is of an older epoch. Judges the flow again, as it was opened, and notes the answer. */
static __attribute__((noinline)) int judge_changed(struct scene *s, struct conntrack_entry *e, int direction,
						   __u32 is_host)
{
	int opener = e->flags & CONNTRACK_OPENED_INGRESS ? DIRECTION_INGRESS : DIRECTION_EGRESS, reason = DROP_NONE;
	struct ruling r = { .icmp_type = e->icmp_type, .traits = TRAIT_OPEN, .rule = e->rule, .peer = e->peer_identity };
	__u8 flags = e->flags & ~(CONNTRACK_DENIED | CONNTRACK_AUDITED);

	count_metric(METRIC_REEVALUATED, s->p.length);
	if (!is_host && direction == DIRECTION_EGRESS)
		reason = check_source(&s->p, s->ep);
	if (reason) {
		/* The address was taken away from the endpoint: the flow stays cut. */
		r.rule = RULE_NONE;
	} else if (has_failsafes(is_host) && !(e->flags & CONNTRACK_FORWARDED) && is_failsafe_flow(&s->p.key, opener, e->flags)) {
		r.rule = RULE_FAILSAFE;
	} else if (!(e->flags & CONNTRACK_FORWARDED)) {
		r.traits |= is_host == IS_SERVICE ? TRAIT_SERVICE : 0;
		reason = rule_on_either(s, &s->p.key, opener, flags, &r);
		if (reason == DROP_POLICY_TABLE && is_host)
			reason = DROP_NONE;
		if (has_failsafes(is_host))
			reason = keep_flow(&s->p, reason, &r);
	}
	if (reason && !(e->flags & CONNTRACK_DENIED))
		count_metric(METRIC_REVOKED, s->p.length);
	e->rule = r.rule;
	e->peer_identity = r.peer;
	e->reason = reason ? reason : r.audited ? r.reason : DROP_NONE;
	e->flags = flags | (reason ? CONNTRACK_DENIED : 0) | (r.audited ? CONNTRACK_AUDITED : 0);
	/* The epoch last: who sees it on another CPU sees the verdict that goes with it. */
	asm volatile("" ::: "memory");
	e->epoch = s->subject->epoch;
	if (r.audited)
		report(s, direction, VERDICT_AUDIT, r.reason, FLOW_ESTABLISHED, r.rule, r.peer, 0);
	return reason;
}

/* The one lookup. What an established packet of an unchanged policy costs is in here and in parse. */
static __always_inline int judge_tracked(struct scene *s, int direction, __u32 is_host)
{
	struct conntrack_table *t = flow_table();
	struct conntrack_node *n;
	struct conntrack_entry *e;
	__u32 side, *head, found, met = MET_NOTHING;
	bool closed;

	if (!t)
		return refuse(s->skb, direction, DROP_CONFIGURATION, is_host);
	s->place = place_of(t, &s->p.key);
	head = head_at(s->place);
	found = head ? *(volatile __u32 *)head : 0;
	n = find_in_chain(&found, mark_at(s->place), &s->p.key);
	s->head_seen = found;
	if (!n)
		goto first;
	e = entry_of(n);
	if (!is_alive(e, s->config, s->now)) {
		count_metric(METRIC_CONNTRACK_EXPIRED, 0);
		met = met_expired(e);
		goto first;
	}
	side = side_of(e, direction);
	met = is_reopening(e, &s->p, side);
	if (met)
		goto first;
	if (e->epoch != s->subject->epoch)
		judge_changed(s, e, direction, is_host);
	/* Flags are read after the epoch, as judge_changed writes them before it. */
	asm volatile("" ::: "memory");
	touch(e, s->now);
	if (e->flags & CONNTRACK_DENIED) {
		if (!is_symmetric(&s->p.key) || !side)
			return drop_packet(s, direction, e->reason, e->rule, e->peer_identity);
		met = MET_ENTRY;
		goto first;
	}
	if (side) {
		e->packets[1] += 1;
		if (e->packets[1] == 1)
			s->met = MET_SENSED;
		e->bytes[1] += s->p.length;
		e->tcp_flags[1] |= s->p.tcp_flags;
	} else {
		e->packets[0] += 1;
		e->bytes[0] += s->p.length;
		e->tcp_flags[0] |= s->p.tcp_flags;
	}
	closed = advance_state(e, &s->p, side);
	if (closed || ticks_since(e->last_report, s->now) >= s->config->report_interval_ticks) {
		e->last_report = s->now;
		report(s, direction, e->flags & CONNTRACK_AUDITED ? VERDICT_AUDIT : VERDICT_ALLOW, e->reason,
		       closed ? FLOW_CLOSED : side ? FLOW_REPLY : FLOW_ESTABLISHED, e->rule, e->peer_identity, e);
	}
	if (e->flags & CONNTRACK_AUDITED)
		count_metric(METRIC_AUDITED, s->p.length);
	if (s->p.flags & PACKET_FRAGMENT && !(s->p.flags & PACKET_LATER_FRAGMENT))
		remember_fragment(s, direction);
	return pass_packet(s, direction, e->rule);
first:
	s->met = met | MET_SENSED;
	return judge_first(s, direction, is_host);
}

/* Host devices: frames of other protocols and packets of others, broken or in parts, are none of the host's business. */
static __always_inline bool is_foreign(const struct scene *s, int reason)
{
	if (reason == DROP_ETHERTYPE || reason == DROP_VLAN_DEPTH)
		return true;
	return s->p.family && !owns_address(s->ep, &s->p.key.local);
}

/* Everything off the short path: the long parser, link-layer matters, fragments, ICMP errors. */
static __attribute__((noinline)) int judge_unusual(struct scene *s, int direction, __u32 is_host)
{
	int reason = direction == DIRECTION_EGRESS ? parse_egress(s->skb, &s->p) : parse_ingress(s->skb, &s->p);
	int action;

	if (is_host == IS_HOST && (reason || s->p.flags & (PACKET_LATER_FRAGMENT | PACKET_ICMP_ERROR)) && is_foreign(s, reason))
		return s->p.family && direction == DIRECTION_INGRESS && is_routed(s->skb, s->config) ? IS_OF_OTHERS
												      : TC_ACT_UNSPEC;
	if (is_host == IS_FORWARDED && !s->p.family)
		return TC_ACT_UNSPEC;
	if (!reason && s->p.flags & PACKET_ARP)
		return judge_arp(s, direction, is_host);
	if (!reason && is_host != IS_FORWARDED && s->p.flags & PACKET_LINK_MAINTENANCE) {
		action = judge_maintenance(s, direction, is_host);
		if (action != CONTINUE)
			return action;
	}
	if (!reason && s->p.flags & PACKET_LATER_FRAGMENT)
		reason = recall_fragment(s, direction);
	if (reason)
		return drop_packet(s, direction, reason, RULE_NONE, IDENTITY_UNKNOWN);
	return s->p.flags & PACKET_ICMP_ERROR ? judge_related(s, direction, is_host) : CONTINUE;
}

#endif
