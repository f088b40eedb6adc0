/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Defence of TCP listeners against forged SYNs (bpf/abi/syn_defence.h). tc_syn_listener sits at tcx ingress of a device in
 * the listener's own network namespace, behind the programs that judge: it answers SYNs, checks the cookie of the ACK, and
 * hands the stack a finished request socket (Linux 6.9). tc_syn_listener_helper does it on older kernels: the stack makes
 * the cookies there, and loses window scale, SACK and timestamps. On devices of the host tc_syn_uplink does it, and answers
 * for namespaces behind the host; xdp_syn_front does so before the stack has made a packet of the frame.
 *
 * Left to the stack: what is not plain TCP over Ethernet, sockets that are no listeners, listeners of MPTCP, signed segments.
 */
#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include "syn_front.h"
#include "syn_plain.h"
#include "syn_valid.h"
#include "syn_waiting.h"

extern int bpf_sk_assign_tcp_reqsk(struct __sk_buff *skb, struct sock *sk, struct bpf_tcp_req_attrs *attrs, int attrs__sz)
	__attribute__((section(".ksyms"))) __attribute__((weak));

/* Finds the listener of a SYN; false if it has none that is ours to defend. */
static __always_inline struct bpf_sock *find_listener(struct __sk_buff *skb, const struct packet *p, struct tcp_sock **tcp)
{
	struct bpf_sock *found = find_socket(skb, p);

	*tcp = 0;
	/* Closed ports are the stack's. So is a socket that is no listener: waiting, half open, it keeps its peer. */
	if (found && found->state == TCP_STATE_LISTEN)
		*tcp = (void *)bpf_skc_to_tcp_sock(found);
	return found;
}

/*
 * The gate of a SYN's listener if it is defended now, with what is to be offered; else nothing. `is_full`: connections
 * wait that the application does not accept.
 */
static __attribute__((noinline)) struct syn_gate *enter_gate(struct __sk_buff *skb, const struct packet *p,
							      struct syn_settings *settings, struct tcp_sock *tcp, int cookies)
{
	__u64 now = bpf_ktime_get_coarse_ns();
	struct syn_listener l = {};
	struct syn_gate *gate;

	read_listener(tcp, settings->receive_buffer_max, &l);
	gate = open_gate(skb, p, l.space, now);
	if (!gate)
		return 0;
	if (gate->obstacles != l.obstacles)
		gate->obstacles = l.obstacles;
	/* The stack's own cookies do for MPTCP. */
	if (l.obstacles & (cookies == COOKIES_OURS ? ~0 : SYN_OBSTACLE_COOKIES_OFF)) {
		switch_gate(gate, 0);
		return 0;
	}
	if (!engage(settings, gate, mode_of(settings, host16(p->key.local_port)), now, l.half_open * 2 > l.backlog,
		    l.half_open >= SYN_HALF_OPEN_MIN))
		return 0;
	arm(settings, now);
	gate->is_full = l.is_full;
	gate->window_bytes = l.window;
	gate->window_scale = l.window_scale;
	gate->offer = l.offer;
	if (cookies == COOKIES_OURS && skb->tc_index)
		note_published(skb, p);
	return gate;
}

static __always_inline int on_syn(struct __sk_buff *skb, const struct packet *p, struct syn_settings *settings, int cookies)
{
	struct syn_gate *gate = 0;
	struct skb_facts facts;
	struct bpf_sock *found;
	struct tcp_sock *tcp;
	__s64 cookie = -1;

	if (mode_of(settings, host16(p->key.local_port)) == SYN_DEFENCE_OFF)
		return TC_ACT_UNSPEC;
	found = find_listener(skb, p, &tcp);
	if (!found)
		return TC_ACT_UNSPEC;
	if (tcp)
		gate = enter_gate(skb, p, settings, tcp, cookies);
	if (gate && cookies == COOKIES_OF_THE_STACK)
		cookie = cookie_of_stack(skb, found, p);
	bpf_sk_release(found);
	if (!gate)
		return TC_ACT_UNSPEC;
	if (gate->is_full) {
		/* A cookie could not be honoured: the client tries again, as with the stack. */
		count_syn(SYN_QUEUE_FULL, p->length);
		return TC_ACT_SHOT;
	}
	read_facts(skb, cookies, &facts);
	gate->mss = mss_of(p, facts.mtu);
	if (cookies == COOKIES_OURS)
		return answer_by_us(skb, p, settings, gate, SYN_ANSWERED);
	if (cookie < 0) {
		count_syn(SYN_LEFT, p->length);
		return TC_ACT_UNSPEC;
	}
	return answer_by_stack(skb, p, gate, cookie);
}

/* Cookie first, socket second: an established flow pays one hash, and only while armed. */
static __attribute__((noinline)) int on_ack(struct __sk_buff *skb, const struct packet *p, const struct syn_settings *settings,
					    bool is_uplink)
{
	struct bpf_tcp_req_attrs attrs = {};
	struct syn_listener l = {};
	struct tcp_timewait_sock *waiting;
	struct syn_gate *gate;
	struct bpf_sock *found;
	struct tcp_sock *tcp;
	__u32 expected;

	if (!read_cookie(skb, p, settings, 0, &attrs))
		return TC_ACT_UNSPEC;
	if (skb->tc_index)
		note_arrived(skb, p);
	if (is_uplink && pass_published(skb, p))
		return TC_ACT_UNSPEC;
	found = find_listener(skb, p, &tcp);
	if (!found)
		return TC_ACT_UNSPEC;
	waiting = tcp || skb->tc_index == ACK_COMES_AGAIN ? 0 : (void *)bpf_skc_to_tcp_timewait_sock(found);
	if (waiting) {
		expected = waiting->tw_sk.__tw_common.skc_tw_rcv_nxt;
		bpf_sk_release(found);
		return replace_waiting(skb, p, expected);
	}
	if (tcp && is_for_us(skb, p)) {
		read_listener(tcp, settings->receive_buffer_max, &l);
		attrs.rcv_wscale = attrs.wscale_ok ? l.window_scale : 0;
		/* At once: a front would go on promising what cannot be kept. */
		gate = l.is_full ? syn_gate_of(&p->key.local, p->key.local_port) : 0;
		if (gate)
			gate->is_full = 1;
		if (bpf_sk_assign_tcp_reqsk(skb, (struct sock *)tcp, &attrs, sizeof(attrs)))
			count_syn(SYN_REFUSED, p->length);
		else
			count_syn(SYN_ACCEPTED, p->length);
	}
	bpf_sk_release(found);
	return TC_ACT_UNSPEC;             /* the stack finds the request socket in the packet */
}

/* A SYN that is not for this namespace's listeners, or not for sure. */
static __attribute__((noinline)) int on_passing_syn(struct __sk_buff *skb, const struct packet *p,
						    const struct syn_settings *settings)
{
	struct syn_gate *gate = 0;

	if (front_on(skb->ifindex, SYN_FRONT_TRAFFIC))
		gate = front_gate(skb, skb->ifindex, false, p, settings);
	return gate ? answer_by_us(skb, p, settings, gate, SYN_ANSWERED_AHEAD) : TC_ACT_UNSPEC;
}

static __always_inline int defend(struct __sk_buff *skb, int cookies, bool is_uplink)
{
	struct syn_settings *settings = syn_settings();
	int action;
	struct packet p;
	__u8 flags;

	if (!settings || is_plain_ack(skb, settings, cookies))
		return TC_ACT_UNSPEC;
	__builtin_memset(&p, 0, sizeof(p));
	if (!read_tcp(skb, &p))
		return TC_ACT_UNSPEC;
	flags = p.tcp_flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK);
	if (flags & TCP_FIN)
		note_closed(&p);
	if (flags == TCP_SYN && is_uplink) {
		action = on_passing_syn(skb, &p, settings);
		if (action != TC_ACT_UNSPEC)
			return action;
	}
	if (flags == TCP_SYN) {
		action = on_syn(skb, &p, settings, cookies);
		if (is_uplink && action == TC_ACT_UNSPEC && is_armed(settings))
			give_ticket(skb, &p);
		return action;
	}
	if (cookies == COOKIES_OURS && (flags & (TCP_SYN | TCP_RST | TCP_ACK)) == TCP_ACK)
		return on_ack(skb, &p, settings, is_uplink);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int tc_syn_listener(struct __sk_buff *skb)
{
	return defend(skb, COOKIES_OURS, false);
}

SEC("tc")
int tc_syn_uplink(struct __sk_buff *skb)
{
	return defend(skb, COOKIES_OURS, true);
}

SEC("tc")
int tc_syn_listener_helper(struct __sk_buff *skb)
{
	return defend(skb, COOKIES_OF_THE_STACK, false);
}

static __always_inline bool is_to(const __u8 *frame, const struct syn_front *front)
{
	__u8 difference = 0;

#pragma unroll
	for (int i = 0; i < 6; i++)
		difference |= frame[i] ^ front->hardware_address[i];
	return !difference;
}

/* By itself on a device, or called by the prefilter for the SYNs that it lets pass. */
SEC("xdp.frags")
int xdp_syn_front(struct xdp_md *frame)
{
	struct cursor c = {.data = (void *)(long)frame->data, .end = (void *)(long)frame->data_end};
	const struct syn_settings *settings = syn_settings();
	const struct syn_front *front;
	const struct syn_gate *gate;
	struct packet p = {};

	c.length = c.limit = bpf_xdp_get_buff_len(frame);
	if (!settings || !is_armed(settings) || !parse_usual(&c, &p, DIRECTION_INGRESS) ||
	    p.key.protocol != PROTOCOL_TCP || (p.tcp_flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK)) != TCP_SYN)
		return XDP_PASS;
	front = front_on(frame->ingress_ifindex, SYN_FRONT_FRAMES);
	if (!front || !is_to(c.data, front))
		return XDP_PASS;
	gate = front_gate(frame, frame->ingress_ifindex, true, &p, settings);
	return gate ? answer_frame(frame, &p, settings, gate) : XDP_PASS;
}

/* bpf_sk_assign_tcp_reqsk and bpf_tcp_gen_syncookie are there for GPL programs only; dual-licensed ones are. */
char _license[] SEC("license") = "Dual BSD/GPL";
