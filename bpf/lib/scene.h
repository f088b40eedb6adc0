/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Everything known about the packet in hand, gathered once; and the two ways a packet ends. */
#ifndef BULKHEAD_SCENE_H
#define BULKHEAD_SCENE_H

#include "count.h"
#include "emit.h"
#include "parse_skb.h"

struct scene {
	struct __sk_buff *skb;
	struct packet p;
	struct datapath_config *config;
	struct endpoint_entry *ep;
	struct subject_entry *subject;
	__u32 now;                        /* jiffies, low 32 bits */
	__u32 place;                      /* of the flow in the flow table */
	__u32 head_seen;                  /* its chain's head when it did not have the flow */
	__u8 bank;
	__u8 met;                         /* MET_*: what the lookup found; set before a flow is judged as a new one */
	__u16 slot;                       /* of the subject; `ep` names another one where a packet only passes through */
};

/* What `is_host` says: false, or which part of the host it is about. */
enum {
	IS_HOST = 1,                      /* the host, at its devices: with packets that only pass through */
	IS_SERVICE = 2,                   /* a service of the host, at its sockets */
	IS_FORWARDED = 3,                 /* what passes through the host, at its devices, where policies are about that */
};

static __always_inline struct endpoint_entry *find_endpoint(__u32 ifindex)
{
	__u32 slot = ifindex & (ENDPOINT_TABLE_SIZE - 1);
	struct endpoint_entry *ep = bpf_map_lookup_elem(&endpoint_map, &slot);

	if (ep && ep->ifindex == ifindex)
		return ep;
	return bpf_map_lookup_elem(&endpoint_overflow_map, &ifindex);
}

/* Not a tc action: what a step returns that has not decided. */
#define CONTINUE 100
/* Nor this: a packet of others at a device of the host, which policies are about. */
#define IS_OF_OTHERS 101

static __always_inline void report(struct scene *s, int direction, __u8 verdict, __u8 reason, __u8 state, __u32 rule,
				   __u32 peer, const struct conntrack_entry *e)
{
	struct occasion o = {
		.rule = rule, .peer_identity = peer, .ifindex = s->skb->ifindex, .generation = s->config->bank_generation[0],
		.packets = 1, .bytes = s->p.length, .verdict = verdict, .reason = reason, .conntrack = state,
	};

	/* By constant index, here and below: the verifier does not know the bank and the side. */
	if (s->bank)
		o.generation = s->config->bank_generation[1];
	if (e) {
		bool other = (e->flags & CONNTRACK_OPENED_INGRESS ? 1 : 0) ^ (direction == DIRECTION_INGRESS ? 1 : 0);

		o.packets = other ? e->packets[1] : e->packets[0];
		o.bytes = other ? e->bytes[1] : e->bytes[0];
	}
	emit_flow(&s->p, s->ep, &o, direction);
}

/* Before an endpoint is known there is no event to write, but the packet is counted all the same. */
static __attribute__((noinline)) int refuse(struct __sk_buff *skb, int direction, __u32 reason, __u32 is_host)
{
	if (is_host)
		return TC_ACT_UNSPEC;
	count_drop(reason, direction, skb->len);
	return TC_ACT_SHOT;
}

static __always_inline int pass_packet(struct scene *s, int direction, __u32 rule)
{
	count_rule(rule, direction, s->p.length);
	return TC_ACT_UNSPEC;
}

/* Counts, reports and drops. `peer` and `rule` as far as they are known. */
static __attribute__((noinline)) int drop_packet(struct scene *s, int direction, __u32 reason, __u32 rule, __u32 peer)
{
	__u32 length = s->p.length ? s->p.length : s->skb->len;

	count_drop(reason, direction, length);
	if (rule != RULE_NONE)
		count_rule(rule, direction, length);
	report(s, direction, VERDICT_DENY, reason, FLOW_UNTRACKED, rule, peer, 0);
	return TC_ACT_SHOT;
}

#endif
