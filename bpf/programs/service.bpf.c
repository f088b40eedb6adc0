/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Programs for services, on the root of the cgroup hierarchy: they see every packet together with the socket that sends
 * or receives it, whatever device it takes, loopback and bridges included.
 *
 *   process --sends--> [socket] --> cgroup_egress --> device; there tc_to_network leaves what is a service's alone
 *   device: tc_from_network judges for the host --> cgroup_ingress --> [socket] --receives--> process
 *
 * Packets begin with their IP header, and their headers lie in one piece. A service is a part of the host: what cannot
 * be judged passes.
 */
#define PACKET_IS_LINEAR
#define SHORT_OF_STACK
#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include "judge.h"
#include "socket_namespace.h"

enum { CGROUP_DROP = 0, CGROUP_PASS = 1 };

static __always_inline int judge_socket(struct __sk_buff *skb, int direction)
{
	__u32 zero = 0, subject;
	struct scene s;
	int action;

	s.ep = service_of(skb);
	if (!s.ep || !is_of_host(skb))
		return CGROUP_PASS;
	s.skb = skb;
	__builtin_memset(&s.p, 0, sizeof(s.p));
	/* Here, not below: kept over the look-ups the pointer would need room on the stack. */
	s.p.ethertype = host16(skb->protocol);
	s.config = bpf_map_lookup_elem(&config_map, &zero);
	if (!s.config || !(s.config->flags & CONFIG_READY))
		return CGROUP_PASS;
	/* The one read that decides which half of every banked table this packet sees. */
	s.bank = *(volatile __u32 *)&s.config->active_bank & 1;
	s.slot = s.ep->subject & (SUBJECT_COUNT_MAX - 1);
	subject = s.bank * SUBJECT_SLOT_COUNT + s.slot;
	s.subject = bpf_map_lookup_elem(&subject_map, &subject);
	if (!s.subject)
		return CGROUP_PASS;
	s.now = bpf_jiffies64();
	s.p.key.endpoint = s.ep->endpoint;
	action = judge_unusual(&s, direction, IS_SERVICE);
	if (action == CONTINUE)
		action = judge_tracked(&s, direction, IS_SERVICE);
	return action == TC_ACT_SHOT ? CGROUP_DROP : CGROUP_PASS;
}

SEC("cgroup_skb/egress")
int cgroup_egress(struct __sk_buff *skb)
{
	return judge_socket(skb, DIRECTION_EGRESS);
}

SEC("cgroup_skb/ingress")
int cgroup_ingress(struct __sk_buff *skb)
{
	return judge_socket(skb, DIRECTION_INGRESS);
}

char _license[] SEC("license") = "Dual BSD/GPL";
