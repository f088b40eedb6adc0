/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the defence of listeners (bpf/abi/syn_defence.h) means to those who judge. Policy has its say first; but of a SYN
 * that is answered with a cookie, and of the answer, nothing is remembered: a flood makes no flows. The flow begins with
 * the ACK that brings the cookie back.
 */
#ifndef BULKHEAD_SYN_JUDGE_H
#define BULKHEAD_SYN_JUDGE_H

#include "syn_cookie.h"
#include "syn_maps.h"

/*
 * is_stateless where the host publishes a listener's port: what it answers there is answered for that listener. A global
 * function, like the next ones: the verifier proves it once.
 */
__attribute__((noinline)) int is_stateless_published(const struct packet *p, __u32 is_restricted, __u32 device)
{
	struct syn_published *published;
	struct syn_gate *gate;
	__u64 now;

	if (!p)
		return 0;
	published = syn_published_of(&p->key.local, p->key.local_port, device);
	now = bpf_ktime_get_coarse_ns();
	if (!published || published->confirmed + SYN_PUBLISHED_TRUST_NS < now)
		return 0;
	if (is_restricted)
		published->restricted = now;
	gate = syn_gate_behind(published);
	return gate && gate->engaged != 0;
}

/*
 * True for a SYN to a defended listener, and for a SYN-ACK from one. `is_restricted`: policy has a say in who may
 * connect, which a front is told. `device`: where the packet is.
 */
__attribute__((noinline)) int is_stateless(const struct packet *p, __u32 direction, __u32 is_restricted, __u32 device)
{
	struct syn_settings *settings;
	struct syn_gate *gate;
	__u32 flags;

	if (!p || p->key.protocol != PROTOCOL_TCP || p->flags & PACKET_LATER_FRAGMENT)
		return 0;
	flags = p->tcp_flags & (TCP_SYN | TCP_ACK);
	if (flags != (direction == DIRECTION_INGRESS ? TCP_SYN : TCP_SYN | TCP_ACK))
		return 0;
	settings = syn_settings();
	if (!settings || !is_armed(settings))
		return 0;
	gate = syn_gate_of(&p->key.local, p->key.local_port);
	is_restricted &= direction == DIRECTION_INGRESS;
	if (gate && is_restricted)
		gate->restricted = bpf_ktime_get_coarse_ns();
	if (gate && gate->engaged)
		return 1;
	return is_stateless_published(p, is_restricted, device);
}

/* True for an ACK with a cookie of ours that is valid: its bearer has received our SYN-ACK. */
__attribute__((noinline)) int has_cookie(struct __sk_buff *skb, const struct packet *p)
{
	__u32 numbers[2], cookie, isn, step;
	struct syn_settings *settings;
	struct keyed_hash source;
	__u64 now;

	if (!p || p->key.protocol != PROTOCOL_TCP || p->flags & PACKET_FRAGMENT ||
	    (p->tcp_flags & (TCP_SYN | TCP_RST | TCP_ACK)) != TCP_ACK)
		return 0;
	settings = syn_settings();
	if (!settings || !is_armed(settings) || bpf_skb_load_bytes(skb, p->l4_offset + 4, numbers, sizeof(numbers)))
		return 0;
	now = bpf_ktime_get_coarse_ns();
	isn = network32(numbers[0]) - 1;
	cookie = network32(numbers[1]) - 1;
	step = syn_step_of(cookie, now);
	source = syn_source(syn_key_of(settings, step), &p->key.remote, p->family == 6);
	return syn_cookie(source, isn, p->key.remote_port, step, cookie & SYN_OPTION_MASK) == cookie;
}

#endif
