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

#include "decide.h"
#include "identify.h"
#include "neighbor.h"
#include "scene.h"
#include "track.h"

/* What decide says once audit mode had its word. The first two fields are asked, the others answered. */
struct ruling {
	__u8 icmp_type;
	__u8 no_port;                     /* the packet does not show what opened its flow */
	__u16 pad;
	__u32 rule;
	__u32 peer;
	__u8 reason;                      /* DROP_*, or of an audited packet the reason it would have been dropped */
	__u8 audited;
};

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
		.bucket_mask = s->config->policy_bucket_mask[0], .no_port = r->no_port,
	};
	struct answer a = {};
	struct subject_entry *subject = s->subject;
	__u32 peer_mask, any_mask, rule_all;
	int enforced, all;

	if (s->bank)
		q.bucket_mask = s->config->policy_bucket_mask[1];
	r->audited = 0;
	r->peer = identify(&key->remote, s->p.family, s->bank);
	if (same_address(&key->local, &key->remote)) {
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

static __attribute__((noinline)) int remember_fragment(struct scene *s, int direction)
{
	struct fragment_key key = {
		.source = *source_of(&s->p, direction), .destination = *destination_of(&s->p, direction),
		.identification = s->p.fragment_id, .endpoint = s->ep->endpoint, .protocol = s->p.key.protocol,
		.direction = direction,
	};
	struct fragment_entry entry = {
		.source_port = direction == DIRECTION_EGRESS ? s->p.key.local_port : s->p.key.remote_port,
		.destination_port = direction == DIRECTION_EGRESS ? s->p.key.remote_port : s->p.key.local_port,
		.last_seen = s->now, .icmp_type = s->p.icmp_type, .icmp_code = s->p.icmp_code,
	};

	bpf_map_update_elem(&fragment_map, &key, &entry, BPF_ANY);
	count_metric(METRIC_FRAGMENT_TRACKED, s->p.length);
	return 0;
}

/* Gives a later fragment the ports of its first one. */
static __attribute__((noinline)) int recall_fragment(struct scene *s, int direction)
{
	struct fragment_key key = {
		.source = *source_of(&s->p, direction), .destination = *destination_of(&s->p, direction),
		.identification = s->p.fragment_id, .endpoint = s->ep->endpoint, .protocol = s->p.key.protocol,
		.direction = direction,
	};
	struct fragment_entry *entry = bpf_map_lookup_elem(&fragment_map, &key);

	/* A datagram is put together within 30 s (RFC 791, RFC 8200: 60 s) or never. */
	if (!entry || ticks_since(entry->last_seen, s->now) > 60 * s->config->ticks_per_second)
		return DROP_FRAGMENT_UNTRACKED;
	set_ports(&s->p, direction, entry->source_port, entry->destination_port);
	s->p.icmp_type = entry->icmp_type;
	s->p.icmp_code = entry->icmp_code;
	return DROP_NONE;
}

static __attribute__((noinline)) int create_entry(struct scene *s, int direction, int opener, const struct ruling *r,
						  __u8 flags)
{
	struct conntrack_entry e = {
		.last_seen = s->now, .last_report = s->now, .created = s->now, .epoch = s->subject->epoch,
		.peer_identity = r->peer, .rule = r->rule, .state = first_state(&s->p),
		.flags = flags | (opener == DIRECTION_INGRESS ? CONNTRACK_OPENED_INGRESS : 0) |
			 (r->audited ? CONNTRACK_AUDITED : 0),
		.reason = r->audited ? r->reason : DROP_NONE, .icmp_type = s->p.icmp_type,
	};

	if (opener == direction) {
		e.packets[0] = 1;
		e.bytes[0] = s->p.length;
		e.tcp_flags[0] = s->p.tcp_flags;
	} else {
		e.packets[1] = 1;
		e.bytes[1] = s->p.length;
		e.tcp_flags[1] = s->p.tcp_flags;
	}
	if (bpf_map_update_elem(&conntrack_map, &s->p.key, &e, BPF_ANY)) {
		count_metric(METRIC_CONNTRACK_FULL, s->p.length);
		return DROP_CONNTRACK_FULL;
	}
	count_metric(METRIC_CONNTRACK_CREATED, s->p.length);
	return DROP_NONE;
}

/* Host devices: is this packet the host's own, or only passing through? */
static __always_inline bool is_forwarded(const struct scene *s, int direction)
{
	return !owns_address(s->ep, &s->p.key.local) || (direction == DIRECTION_EGRESS && s->ingress_ifindex);
}

static __attribute__((noinline)) int judge_first(struct scene *s, int direction, __u32 is_host)
{
	int opener = opener_of(&s->p, direction), reason;
	struct ruling r = { .rule = RULE_NONE, .peer = IDENTITY_UNKNOWN };
	__u8 flags = 0;

	if (is_host && is_forwarded(s, direction)) {
		/* Traffic of others is not the host's; what leaves under the host's address is tracked for its replies. */
		if (direction == DIRECTION_INGRESS || !owns_address(s->ep, &s->p.key.local))
			return TC_ACT_UNSPEC;
		flags = CONNTRACK_FORWARDED;
		r.rule = RULE_FORWARDED;
	} else if (!is_host && direction == DIRECTION_EGRESS) {
		reason = check_source(&s->p, s->ep);
		if (reason)
			return drop_packet(s, direction, reason, RULE_NONE, IDENTITY_UNKNOWN);
	}
	if (!flags && is_host && is_failsafe(&s->p.key, opener)) {
		r.rule = RULE_FAILSAFE;
		r.peer = identify(&s->p.key.remote, s->p.family, s->bank);
	} else if (!flags) {
		r.icmp_type = s->p.icmp_type;
		r.no_port = s->p.flags & PACKET_ICMP_REPLY ? 1 : 0;
		reason = rule_on(s, &s->p.key, opener, &r);
		if (reason && s->p.flags & PACKET_ICMP_ERROR && reason == DROP_POLICY_DEFAULT_DENY)
			reason = DROP_ICMP_UNRELATED;
		if (reason)
			return drop_packet(s, direction, reason, r.rule, r.peer);
	}
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

/* Not tc actions: what a step returns that has not decided. */
#define UNRELATED 100 /* no flow that this error is about */
#define CONTINUE 101

/* The quoted packet belongs to a flow that was allowed and still is: its errors are welcome. */
static __attribute__((noinline)) int judge_related(struct scene *s, int direction, __u32 is_host)
{
	struct packet quoted = {
		.key.endpoint = s->ep->endpoint, .ethertype = s->p.ethertype, .l3_offset = s->p.l4_offset + 8,
	};
	struct conntrack_entry *e;
	struct ruling r = {};
	int reason = parse_quoted_skb(s->skb, &quoted, direction);

	if (reason)
		return drop_packet(s, direction, reason, RULE_NONE, IDENTITY_UNKNOWN);
	/* The error goes to whom sent the quoted packet; an endpoint reports under its own address. */
	if (direction == DIRECTION_INGRESS && !same_address(&s->p.key.local, &quoted.key.local))
		return drop_packet(s, direction, DROP_ICMP_UNRELATED, RULE_NONE, IDENTITY_UNKNOWN);
	e = quoted.flags & PACKET_LATER_FRAGMENT ? 0 : bpf_map_lookup_elem(&conntrack_map, &quoted.key);
	if (!e || !is_alive(e, s->config, s->now) || e->flags & CONNTRACK_DENIED)
		return UNRELATED;
	if (!is_host && direction == DIRECTION_EGRESS) {
		reason = check_source(&s->p, s->ep);
		if (reason)
			return drop_packet(s, direction, reason, RULE_NONE, IDENTITY_UNKNOWN);
	}
	if (e->epoch != s->subject->epoch && !(e->flags & CONNTRACK_FORWARDED)) {
		r.icmp_type = e->icmp_type;
		reason = rule_on(s, &quoted.key, e->flags & CONNTRACK_OPENED_INGRESS ? DIRECTION_INGRESS : DIRECTION_EGRESS,
				 &r);
		if (reason)
			return drop_packet(s, direction, reason, r.rule, r.peer);
	}
	report(s, direction, VERDICT_ALLOW, DROP_NONE, FLOW_RELATED, RULE_RELATED, e->peer_identity, 0);
	return pass_packet(s, direction, RULE_RELATED);
}

/* The verdict is of an older epoch. Judges the flow again, as it was opened, and notes the answer. */
static __attribute__((noinline)) int judge_changed(struct scene *s, struct conntrack_entry *e, int direction,
						   __u32 is_host)
{
	int opener = e->flags & CONNTRACK_OPENED_INGRESS ? DIRECTION_INGRESS : DIRECTION_EGRESS, reason = DROP_NONE;
	struct ruling r = { .icmp_type = e->icmp_type, .rule = e->rule, .peer = e->peer_identity };
	__u8 flags = e->flags & ~(CONNTRACK_DENIED | CONNTRACK_AUDITED);

	count_metric(METRIC_REEVALUATED, s->p.length);
	if (!is_host && direction == DIRECTION_EGRESS)
		reason = check_source(&s->p, s->ep);
	if (reason) {
		/* The address was taken away from the endpoint: the flow stays cut. */
		r.rule = RULE_NONE;
		r.audited = 0;
	} else if (!(e->flags & CONNTRACK_FORWARDED) && !(is_host && is_failsafe(&s->p.key, opener))) {
		reason = rule_on(s, &s->p.key, opener, &r);
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
	struct conntrack_entry *e = bpf_map_lookup_elem(&conntrack_map, &s->p.key);
	__u32 side;

	if (!e)
		return judge_first(s, direction, is_host);
	if (!is_alive(e, s->config, s->now)) {
		count_metric(METRIC_CONNTRACK_EXPIRED, 0);
		return judge_first(s, direction, is_host);
	}
	side = side_of(e, direction);
	if (is_reopening(e, &s->p, side))
		return judge_first(s, direction, is_host);
	if (e->epoch != s->subject->epoch)
		judge_changed(s, e, direction, is_host);
	/* Flags are read after the epoch, as judge_changed writes them before it. */
	asm volatile("" ::: "memory");
	touch(e, s->now);
	if (e->flags & CONNTRACK_DENIED)
		return drop_packet(s, direction, e->reason, e->rule, e->peer_identity);
	if (side) {
		e->packets[1] += 1;
		e->bytes[1] += s->p.length;
		e->tcp_flags[1] |= s->p.tcp_flags;
	} else {
		e->packets[0] += 1;
		e->bytes[0] += s->p.length;
		e->tcp_flags[0] |= s->p.tcp_flags;
	}
	if (advance_state(e, &s->p, side))
		report(s, direction, VERDICT_ALLOW, DROP_NONE, FLOW_CLOSED, e->rule, e->peer_identity, e);
	else if (ticks_since(e->last_report, s->now) >= s->config->report_interval_ticks) {
		e->last_report = s->now;
		report(s, direction, e->flags & CONNTRACK_AUDITED ? VERDICT_AUDIT : VERDICT_ALLOW, e->reason,
		       side ? FLOW_REPLY : FLOW_ESTABLISHED, e->rule, e->peer_identity, e);
	}
	if (e->flags & CONNTRACK_AUDITED)
		count_metric(METRIC_AUDITED, s->p.length);
	if (s->p.flags & PACKET_FRAGMENT && !(s->p.flags & PACKET_LATER_FRAGMENT))
		remember_fragment(s, direction);
	return pass_packet(s, direction, e->rule);
}

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

static __attribute__((noinline)) int judge_maintenance(struct scene *s, int direction, __u32 is_host)
{
	int reason = DROP_NONE;

	if (direction == DIRECTION_EGRESS && !is_host) {
		struct cursor c = open_cursor(s->skb);

		reason = check_neighbor_discovery(&c, &s->p, s->ep);
	}
	if (reason)
		return drop_packet(s, direction, reason, RULE_NONE, IDENTITY_UNKNOWN);
	return pass_packet(s, direction, RULE_NEIGHBOR_DISCOVERY);
}

/* Everything off the short path: the long parser, link-layer matters, fragments, ICMP errors. */
static __attribute__((noinline)) int judge_unusual(struct scene *s, int direction, __u32 is_host)
{
	int reason = direction == DIRECTION_EGRESS ? parse_egress(s->skb, &s->p) : parse_ingress(s->skb, &s->p);

	if (reason && is_host && reason == DROP_ETHERTYPE)
		return TC_ACT_UNSPEC;
	if (!reason && s->p.flags & PACKET_ARP)
		return judge_arp(s, direction, is_host);
	if (!reason && s->p.flags & PACKET_LINK_MAINTENANCE)
		return judge_maintenance(s, direction, is_host);
	if (!reason && s->p.flags & PACKET_LATER_FRAGMENT)
		reason = recall_fragment(s, direction);
	if (reason)
		return drop_packet(s, direction, reason, RULE_NONE, IDENTITY_UNKNOWN);
	return s->p.flags & PACKET_ICMP_ERROR ? judge_related(s, direction, is_host) : CONTINUE;
}

#endif
