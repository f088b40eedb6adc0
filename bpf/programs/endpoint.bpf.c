/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tc programs of an endpoint. They sit on the host side of its link, where the endpoint cannot reach them:
 *
 *   endpoint --sends--> [link] --> tc ingress of the host side = tc_from_endpoint --> host stack, bridge
 *   host stack, bridge --> tc egress of the host side = tc_to_endpoint --> [link] --> endpoint
 *
 * For the host itself the same judgement sits on its devices, seen from the other end: what arrives is ingress of the
 * host. What only passes through goes to programs of its own where policies are about that, else untouched; before all of
 * that, where there are policies without flows, every packet goes to programs that ask them. A workload without
 * configuration is cut off (fail closed); the host never is.
 */
#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include "judge.h"
#include "sense_programs.h"
#include "untracked.h"

/*
 * By direction: where packets of port 53 go once they may pass. Programs of their own, for a stack of their own. Who
 * loads them fills this table and the next (Sources/KernelPrograms/ProgramTables.swift).
 */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, DIRECTION_COUNT);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} dns_programs_map SEC(".maps");

/* What a packet of the host's devices may be handed to: tc_forwarded_in, and so on. */
enum {
	HAND_TO_FORWARDED_IN = 0,
	HAND_TO_FORWARDED_OUT = 1,
	HAND_TO_REST_OUT = 2,             /* the host's own judgement, after that of what passes through */
	HAND_TO_REST_IN = 3,              /* all but the policies without flows */
	HAND_TO_UNTRACKED_IN = 4,         /* the policies without flows */
	HAND_TO_UNTRACKED_OUT = 5,
	HAND_TO_COUNT = 6,
};

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, HAND_TO_COUNT);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} host_programs_map SEC(".maps");

/* Leaving the host, policies are about what passes through it, and this packet does. */
static __always_inline bool is_passing(const struct __sk_buff *skb, const struct datapath_config *config)
{
	return config->forward_subject && skb->ingress_ifindex && is_routed(skb, config);
}

/* `is_first`: of the programs that judge this packet at a device of the host. */
static __always_inline int judge_packet(struct __sk_buff *skb, int direction, __u32 is_host, bool is_first)
{
	__u32 zero = 0, subject;
	struct scene s;
	struct cursor c;
	int action;

	s.skb = skb;
	s.met = MET_NOTHING;
	__builtin_memset(&s.p, 0, sizeof(s.p));
	s.config = bpf_map_lookup_elem(&config_map, &zero);
	if (!s.config || !(s.config->flags & CONFIG_READY))
		return refuse(skb, direction, DROP_CONFIGURATION, is_host);
	if (is_host == IS_HOST && is_first && s.config->untracked_subject)
		bpf_tail_call(skb, &host_programs_map,
			      direction == DIRECTION_EGRESS ? HAND_TO_UNTRACKED_OUT : HAND_TO_UNTRACKED_IN);
	if (is_host == IS_HOST && is_first && direction == DIRECTION_EGRESS && is_passing(skb, s.config))
		bpf_tail_call(skb, &host_programs_map, HAND_TO_FORWARDED_OUT);
	/* Not before: Linux 6.12 takes pointers into the packet for stale after a tail call that did not happen. */
	c = cursor_of(skb);
	s.ep = find_endpoint(skb->ifindex);
	if (!s.ep)
		return refuse(skb, direction, DROP_ENDPOINT_UNKNOWN, is_host);
	/* The one read that decides which half of every banked table this packet sees. */
	s.bank = *(volatile __u32 *)&s.config->active_bank & 1;
	s.slot = (is_host == IS_FORWARDED ? s.config->forward_subject : s.ep->subject) & (SUBJECT_COUNT_MAX - 1);
	subject = s.bank * SUBJECT_SLOT_COUNT + s.slot;
	s.subject = bpf_map_lookup_elem(&subject_map, &subject);
	if (!s.subject)
		return refuse(skb, direction, DROP_CONFIGURATION, is_host);
	s.now = bpf_jiffies64();
	s.p.key.endpoint = is_host == IS_FORWARDED ? 0 : s.ep->endpoint;
	if (s.ep->flags & ENDPOINT_NO_LINK_LAYER || skb->vlan_present || !parse_usual(&c, &s.p, direction)) {
		if (s.ep->flags & ENDPOINT_NO_LINK_LAYER)
			s.p.ethertype = host16(skb->protocol);
		action = judge_unusual(&s, direction, is_host);
		if (action != CONTINUE)
			goto judged;
	}
	action = judge_tracked(&s, direction, is_host);
	/* Read from memory again: kept over all of the above, the pointer would need room on the stack. */
	if (action == TC_ACT_UNSPEC && is_host != IS_FORWARDED &&
	    (s.p.key.remote_port == network16(FQDN_PORT) ||
	     (!is_host && direction == DIRECTION_EGRESS && s.p.key.local_port == network16(FQDN_PORT))))
		bpf_tail_call(*(struct __sk_buff *volatile *)&s.skb, &dns_programs_map, direction);
judged:
	if (is_sensed(&s, is_host, action)) {
		struct __sk_buff *sensed = *(struct __sk_buff *volatile *)&s.skb;

		sensed->cb[0] = s.ep->flags & ENDPOINT_NO_LINK_LAYER;
		bpf_tail_call(sensed, &sense_programs_map, 2 * direction + (action == TC_ACT_SHOT));
	}
	if (is_host == IS_HOST && direction == DIRECTION_INGRESS && action == IS_OF_OTHERS) {
		bpf_tail_call(*(struct __sk_buff *volatile *)&s.skb, &host_programs_map, HAND_TO_FORWARDED_IN);
		return TC_ACT_UNSPEC;
	}
	/* What leaves under the host's own address is tracked as the host's too, for its replies. */
	if (is_host == IS_FORWARDED && direction == DIRECTION_EGRESS && action == TC_ACT_UNSPEC)
		bpf_tail_call(*(struct __sk_buff *volatile *)&s.skb, &host_programs_map, HAND_TO_REST_OUT);
	return action;
}

SEC("tc")
int tc_from_endpoint(struct __sk_buff *skb)
{
	return judge_packet(skb, DIRECTION_EGRESS, false, true);
}

SEC("tc")
int tc_to_endpoint(struct __sk_buff *skb)
{
	return judge_packet(skb, DIRECTION_INGRESS, false, true);
}

SEC("tc")
int tc_from_network(struct __sk_buff *skb)
{
	return judge_packet(skb, DIRECTION_INGRESS, IS_HOST, true);
}

SEC("tc")
int tc_to_network(struct __sk_buff *skb)
{
	return judge_packet(skb, DIRECTION_EGRESS, IS_HOST, true);
}

SEC("tc")
int tc_to_network_rest(struct __sk_buff *skb)
{
	return judge_packet(skb, DIRECTION_EGRESS, IS_HOST, false);
}

SEC("tc")
int tc_forwarded_in(struct __sk_buff *skb)
{
	return judge_packet(skb, DIRECTION_INGRESS, IS_FORWARDED, false);
}

SEC("tc")
int tc_forwarded_out(struct __sk_buff *skb)
{
	return judge_packet(skb, DIRECTION_EGRESS, IS_FORWARDED, false);
}

SEC("tc")
int tc_from_network_rest(struct __sk_buff *skb)
{
	return judge_packet(skb, DIRECTION_INGRESS, IS_HOST, false);
}

/* Asks the policies without flows, and hands on what they leave open. */
static __always_inline int judge_without_flow(struct __sk_buff *skb, int direction)
{
	int action = CONTINUE, reason = DROP_NONE;
	struct cursor c = cursor_of(skb);
	struct scene s;
	__u32 zero = 0;

	s.skb = skb;
	__builtin_memset(&s.p, 0, sizeof(s.p));
	s.config = bpf_map_lookup_elem(&config_map, &zero);
	s.ep = find_endpoint(skb->ifindex);
	if (!s.config || !s.ep)
		return TC_ACT_UNSPEC;
	s.bank = *(volatile __u32 *)&s.config->active_bank & 1;
	s.slot = *(volatile __u32 *)&s.config->untracked_subject & (SUBJECT_COUNT_MAX - 1);
	s.now = bpf_jiffies64();
	s.p.key.endpoint = s.ep->endpoint;
	if (s.ep->flags & ENDPOINT_NO_LINK_LAYER || skb->vlan_present || !parse_usual(&c, &s.p, direction)) {
		if (s.ep->flags & ENDPOINT_NO_LINK_LAYER)
			s.p.ethertype = host16(skb->protocol);
		reason = direction == DIRECTION_EGRESS ? parse_egress(skb, &s.p) : parse_ingress(skb, &s.p);
	}
	if (s.slot && !reason && s.p.family && !(s.p.flags & PACKET_LINK_MAINTENANCE) && crosses_host(&s, direction))
		action = judge_untracked(&s, direction);
	if (action == CONTINUE && direction == DIRECTION_INGRESS)
		bpf_tail_call(skb, &host_programs_map, HAND_TO_REST_IN);
	if (action == CONTINUE && direction == DIRECTION_EGRESS) {
		if (is_passing(skb, s.config))
			bpf_tail_call(skb, &host_programs_map, HAND_TO_FORWARDED_OUT);
		bpf_tail_call(skb, &host_programs_map, HAND_TO_REST_OUT);
	}
	if (action == TC_ACT_UNSPEC && s.p.key.remote_port == network16(FQDN_PORT))
		bpf_tail_call(skb, &dns_programs_map, direction);
	return action == CONTINUE ? TC_ACT_UNSPEC : action;
}

SEC("tc")
int tc_untracked_in(struct __sk_buff *skb)
{
	return judge_without_flow(skb, DIRECTION_INGRESS);
}

SEC("tc")
int tc_untracked_out(struct __sk_buff *skb)
{
	return judge_without_flow(skb, DIRECTION_EGRESS);
}

/* Reads a packet that has been judged. It passes whatever is in it. */
static __always_inline int see_dns_packet(struct __sk_buff *skb, int direction)
{
	struct endpoint_entry *ep = find_endpoint(skb->ifindex);
	struct packet p = {};
	int reason;

	if (!ep)
		return TC_ACT_UNSPEC;
	if (ep->flags & ENDPOINT_NO_LINK_LAYER)
		p.ethertype = host16(skb->protocol);
	p.key.endpoint = ep->endpoint;
	reason = direction == DIRECTION_EGRESS ? parse_egress(skb, &p) : parse_ingress(skb, &p);
	if (!reason && direction == DIRECTION_EGRESS && p.key.local_port == network16(FQDN_PORT) &&
	    ep->flags & ENDPOINT_NO_SOURCE_CHECK)
		note_forged(skb, &p);
	/* What leaves under the host's address for others (masquerading) is not what the host asked, nor is what passes through. */
	if (ep->flags & ENDPOINT_HOST &&
	    ((direction == DIRECTION_EGRESS && skb->ingress_ifindex) || !owns_address(ep, &p.key.local)))
		return TC_ACT_UNSPEC;
	if (!reason && p.key.remote_port == network16(FQDN_PORT))
		see_dns(skb, &p, direction == DIRECTION_INGRESS);
	if (!reason)
		sense_names(skb, ep, &p, direction);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int tc_dns_query(struct __sk_buff *skb)
{
	return see_dns_packet(skb, DIRECTION_EGRESS);
}

SEC("tc")
int tc_dns_answer(struct __sk_buff *skb)
{
	return see_dns_packet(skb, DIRECTION_INGRESS);
}

/* Holds the place of a program that is about to come, while a filter on the same hook still judges. */
SEC("tc")
int tc_place_holder(struct __sk_buff *skb)
{
	return TC_ACT_UNSPEC;
}

char _license[] SEC("license") = "Dual BSD/GPL";
