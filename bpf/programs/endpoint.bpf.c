/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tc programs of an endpoint. They sit on the host side of its link, where the endpoint cannot reach them:
 *
 *   endpoint --sends--> [link] --> tc ingress of the host side = tc_from_endpoint --> host stack, bridge
 *   host stack, bridge --> tc egress of the host side = tc_to_endpoint --> [link] --> endpoint
 *
 * For the host itself the same judgement sits on its devices, seen from the other end: what arrives is ingress of the
 * host. A workload without configuration is cut off (fail closed); the host never is.
 */
#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include "judge.h"

static __always_inline struct endpoint_entry *find_endpoint(__u32 ifindex)
{
	__u32 slot = ifindex & (ENDPOINT_TABLE_SIZE - 1);
	struct endpoint_entry *ep = bpf_map_lookup_elem(&endpoint_map, &slot);

	if (ep && ep->ifindex == ifindex)
		return ep;
	return bpf_map_lookup_elem(&endpoint_overflow_map, &ifindex);
}

/* Before an endpoint is known there is no event to write, but the packet is counted all the same. */
static __always_inline int refuse(struct __sk_buff *skb, int direction, __u32 reason, bool is_host)
{
	if (is_host)
		return TC_ACT_UNSPEC;
	count_verdict(reason, direction, skb->len);
	return TC_ACT_SHOT;
}

static __always_inline int judge_packet(struct __sk_buff *skb, int direction, bool is_host)
{
	struct scene s = { .skb = skb, .ifindex = skb->ifindex };
	__u32 zero = 0, subject;
	int reason;

	s.config = bpf_map_lookup_elem(&config_map, &zero);
	if (!s.config || !(s.config->flags & CONFIG_READY))
		return refuse(skb, direction, DROP_CONFIGURATION, is_host);
	s.ep = find_endpoint(s.ifindex);
	if (!s.ep)
		return refuse(skb, direction, DROP_ENDPOINT_UNKNOWN, is_host);
	/* The one read that decides which half of every banked table this packet sees. */
	s.bank = *(volatile __u32 *)&s.config->active_bank & 1;
	subject = s.bank * SUBJECT_COUNT_MAX + (s.ep->subject & (SUBJECT_COUNT_MAX - 1));
	s.subject = bpf_map_lookup_elem(&subject_map, &subject);
	if (!s.subject)
		return refuse(skb, direction, DROP_CONFIGURATION, is_host);
	s.generation = s.config->bank_generation[0];
	if (s.bank)
		s.generation = s.config->bank_generation[1];
	s.now = bpf_jiffies64();
	s.p.key.endpoint = s.ep->endpoint;
	if (s.ep->flags & ENDPOINT_NO_LINK_LAYER)
		s.p.ethertype = host16(skb->protocol);
	reason = direction == DIRECTION_EGRESS ? parse_egress(skb, &s.p) : parse_ingress(skb, &s.p);
	if (is_host)
		s.ingress_ifindex = skb->ingress_ifindex;
	if (reason)
		return is_host && reason == DROP_ETHERTYPE ? TC_ACT_UNSPEC
							   : drop_packet(&s, direction, reason, RULE_NONE, 0);
	if (s.p.flags & PACKET_ARP)
		return judge_arp(&s, direction, is_host);
	if (s.p.flags & PACKET_LINK_MAINTENANCE)
		return judge_maintenance(&s, direction, is_host);
	if (s.p.flags & PACKET_LATER_FRAGMENT) {
		reason = recall_fragment(&s, direction);
		if (reason)
			return drop_packet(&s, direction, reason, RULE_NONE, 0);
	}
	if (s.p.flags & PACKET_ICMP_ERROR) {
		int action = judge_related(&s, direction, is_host);

		return action == UNRELATED ? judge_first(&s, direction, is_host) : action;
	}
	return judge_tracked(&s, direction, is_host);
}

SEC("tc")
int tc_from_endpoint(struct __sk_buff *skb)
{
	return judge_packet(skb, DIRECTION_EGRESS, false);
}

SEC("tc")
int tc_to_endpoint(struct __sk_buff *skb)
{
	return judge_packet(skb, DIRECTION_INGRESS, false);
}

SEC("tc")
int tc_from_network(struct __sk_buff *skb)
{
	return judge_packet(skb, DIRECTION_INGRESS, true);
}

SEC("tc")
int tc_to_network(struct __sk_buff *skb)
{
	return judge_packet(skb, DIRECTION_EGRESS, true);
}

char _license[] SEC("license") = "Dual BSD/GPL";
