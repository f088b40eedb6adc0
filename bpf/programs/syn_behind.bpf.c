/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Defence of servers on other machines (bpf/lib/syn_behind.h), on the devices by which their clients come: tc_syn_behind_in
 * at tcx ingress, behind the programs that judge; tc_syn_behind_out at tcx egress, ahead of them. So those who judge see what
 * the client sees, and the host's stack what the server sees.
 *
 *   client        SYN ->   in: SYN-ACK with the cookie, window 0
 *   client        ACK ->   in: becomes SYN                                 -> stack -> server
 *   client  <- window      out: the server's SYN-ACK becomes it            <- stack <- server
 *                          out: and an ACK, which comes in as the client's -> stack -> server
 */
#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include "syn_behind.h"
#include "syn_translate.h"
#include "syn_valid.h"

enum { SLOT_IN = 0, SLOT_OUT = 1 };

/* A SYN of a client: answered, or on its way to the server as it is. */
static __attribute__((noinline)) int on_behind_syn(struct __sk_buff *skb, const struct packet *p, struct syn_settings *settings)
{
	__u64 now = bpf_ktime_get_coarse_ns();
	__u32 mode = mode_of(settings, host16(p->key.local_port));
	struct syn_gate *gate = behind_gate(p, now);
	struct syn_flow_key key = {};
	struct syn_flow *flow;
	struct numbers n;
	bool engaged;

	if (mode == SYN_DEFENCE_OFF)
		gate = 0;
	engaged = gate && engage(settings, gate, mode, now, false, true);
	if (engaged && (time_since(gate->confirmed, now) < SYN_BEHIND_ASKS_NS || time_since(gate->passed, now) < SYN_BEHIND_ASKS_NS)) {
		arm(settings, now);
		return answer_by_us(skb, p, settings, gate, SYN_ANSWERED_AHEAD);
	}
	if (engaged)
		gate->passed = now;
	/* From here on it is the server's, whatever was translated for its ports before. */
	flow_key_of(p, &key);
	flow = bpf_map_lookup_elem(&syn_flows_map, &key);
	if (!flow)
		return TC_ACT_UNSPEC;
	if (read_numbers(skb, p, &n) && network32(n.sequence) == flow->isn && !is_expired(flow, now))
		return TC_ACT_SHOT;       /* late: its connection is there */
	bpf_map_delete_elem(&syn_flows_map, &key);
	return TC_ACT_UNSPEC;
}

static __always_inline __u32 scaled_up(__u32 window, __u32 scale)
{
	__u32 wide = window << (scale & 15);

	return wide > 65535 ? 65535 : wide;
}

/* The ACK becomes the SYN that its client has sent, as far as the cookie knows it. */
static __attribute__((noinline)) int ask_server(struct __sk_buff *skb, const struct packet *p, const struct syn_flow *flow,
						const struct bpf_tcp_req_attrs *attrs)
{
	struct syn_segment s = {
		.window_scale = attrs->wscale_ok ? attrs->snd_wscale : SYN_NO_WINDOW_SCALE,
		.has_sack = attrs->sack_ok, .has_timestamps = attrs->tstamp_ok,
	};
	struct syn_answer a = {
		.sequence = flow->isn, .flags = TCP_SYN | (attrs->ecn_ok ? TCP_ECE | TCP_CWR : 0),
		.window = scaled_up(host16(flow->client_window), attrs->snd_wscale),
	};
	struct skb_facts facts;

	read_facts(skb, COOKIES_OURS, &facts);
	write_options(&s, &a, attrs->mss, attrs->rcv_tsval, attrs->snd_wscale);
	if (p->family == 6 ? !build_segment(skb, false, true, facts.is_partial, false, &a)
			   : !build_segment(skb, false, false, facts.is_partial, false, &a))
		return TC_ACT_SHOT;
	return TC_ACT_UNSPEC;
}

#define NOT_A_COOKIE (-2)

/*
 * An ACK with a valid cookie opens the flow; again, it asks the server again. So does the probe of the empty window, which
 * comes with the number before: the first SYN to the server, or its answer, may be lost. `flow`: what there is for these
 * ports: one that waits, or one whose client has closed or is gone, so that its port is taken again.
 */
static __attribute__((noinline)) int on_behind_cookie(struct __sk_buff *skb, const struct packet *p,
						      struct syn_settings *settings, const struct syn_flow *flow)
{
	struct bpf_tcp_req_attrs attrs = {};
	struct syn_flow_key key = {};
	struct syn_flow fresh = {};
	struct numbers n;
	bool is_again;
	__u32 back;

	if (!read_numbers(skb, p, &n))
		return NOT_A_COOKIE;
	back = flow && network32(n.sequence) == flow->isn;
	if (!read_cookie(skb, p, settings, back, &attrs) || !is_behind(p))
		return NOT_A_COOKIE;
	fresh.seen = bpf_ktime_get_coarse_ns();
	/* In XDP nobody does. */
	arm(settings, fresh.seen);
	fresh.isn = network32(n.sequence) - 1 + back;
	fresh.cookie = network32(n.acknowledged) - 1;
	fresh.client_window = n.window;
	fresh.client_clock = attrs.rcv_tsval;
	is_again = flow && flow->cookie == fresh.cookie && flow->isn == fresh.isn;
	if (is_again && flow->state != SYN_FLOW_WAITS)
		return NOT_A_COOKIE;      /* late: of the connection that is over */
	flow_key_of(p, &key);
	if (!is_again) {
		if (bpf_map_update_elem(&syn_flows_map, &key, &fresh, 0))
			return TC_ACT_SHOT;
		count_syn(SYN_OPENED_BEHIND, p->length);
	}
	return ask_server(skb, p, &fresh, &attrs);
}

SEC("tc")
int tc_syn_behind_in(struct __sk_buff *skb)
{
	struct syn_settings *settings = syn_settings();
	struct syn_change change = {};
	struct syn_flow *flow;
	struct packet p = {};
	struct numbers n;
	__u64 now;
	__u8 flags;

	if (!settings || !read_tcp(skb, &p))
		return TC_ACT_UNSPEC;
	flags = p.tcp_flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK);
	if (flags == TCP_SYN)
		return on_behind_syn(skb, &p, settings);
	now = bpf_ktime_get_coarse_ns();
	flow = flow_of(&p, now);
	if (flags == TCP_ACK && (!flow || flow->state != SYN_FLOW_OPEN || time_since(flow->seen, now) > FLOW_QUIET_NS)) {
		int verdict = on_behind_cookie(skb, &p, settings, flow);

		if (verdict != NOT_A_COOKIE)
			return verdict;
	}
	if (!flow)
		return TC_ACT_UNSPEC;
	/* The server would understand nothing of it yet, and reset the connection. Who closes already says so again. */
	if (flow->state == SYN_FLOW_WAITS)
		return flags == TCP_ACK || flags & TCP_FIN ? TC_ACT_SHOT : TC_ACT_UNSPEC;
	note_seen(flow, now);
	note_flags(flow, flags, false);
	change.acknowledged = -flow->delta;
	change.echo = -flow->clock_delta;
	if (flow->server_scale == SYN_NO_WINDOW_SCALE && (flow->cookie >> 5 & 15) != SYN_NO_WINDOW_SCALE &&
	    read_numbers(skb, &p, &n)) {
		/* The client scales its windows, and the server does not know. */
		change.has_window = true;
		change.window = scaled_up(host16(n.window), flow->cookie >> 5 & 15);
	}
	return translate(skb, p.l4_offset, SLOT_IN, &change) ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}

/* The server has taken the connection: it gets its ACK, and the client its window. */
static __attribute__((noinline)) int open_flow(struct __sk_buff *skb, const struct packet *p,
					       const struct syn_settings *settings, struct syn_flow *flow,
					       const struct syn_segment *s)
{
	__u64 now = bpf_ktime_get_coarse_ns();
	__u32 step = syn_step_of(flow->cookie, now), clock;
	bool is_scaled = (flow->cookie >> 5 & 15) != SYN_NO_WINDOW_SCALE;
	struct skb_facts facts;
	struct syn_answer a = {};
	struct numbers n;

	if (!read_numbers(skb, p, &n))
		return TC_ACT_SHOT;
	clock = syn_timestamp(syn_source(syn_key_of(settings, step), &p->key.remote, p->family == 6), now);
	flow->delta = flow->cookie - network32(n.sequence);
	flow->clock_delta = clock - s->timestamp;
	flow->server_scale = s->window_scale;
	flow->state = SYN_FLOW_OPEN;
	flow->seen = now;
	read_facts(skb, COOKIES_OURS, &facts);
	a.sequence = flow->isn + 1;
	a.acknowledged = flow->cookie + 1;
	a.flags = TCP_ACK;
	a.window = host16(flow->client_window);
	a.word_count = s->has_timestamps ? 3 : 0;
	a.words[0] = 0x0101080a;
	a.words[1] = flow->client_clock;
	a.words[2] = clock;
	if (p->family == 6 ? !build_answer(skb, false, true, facts.is_partial, &a)
			   : !build_answer(skb, false, false, facts.is_partial, &a))
		return TC_ACT_SHOT;
	if (bpf_clone_redirect(skb, skb->ifindex, REDIRECT_INGRESS))
		return TC_ACT_SHOT;
	a.sequence = flow->cookie + 1;
	a.acknowledged = flow->isn + 1;
	a.window = is_scaled ? host16(n.window) >> SYN_BEHIND_SCALE : host16(n.window);
	a.words[1] = clock;
	a.words[2] = flow->client_clock;
	return (p->family == 6 ? build_answer(skb, false, true, facts.is_partial, &a)
			       : build_answer(skb, false, false, facts.is_partial, &a)) ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}

static __attribute__((noinline)) int on_server_answer(struct __sk_buff *skb, const struct packet *p,
						      const struct syn_settings *settings, struct syn_flow *flow)
{
	__u64 now = bpf_ktime_get_coarse_ns();
	struct syn_segment s;
	struct numbers n;

	if (!read_numbers(skb, p, &n) || !read_options(skb, false, p, header_bytes(&n), &s))
		return TC_ACT_UNSPEC;
	if (is_behind(p))
		note_server(p, &s, now);
	/* Of another connection than ours, which has the same ports: it was not translated. */
	if (!flow || network32(n.acknowledged) != flow->isn + 1)
		return TC_ACT_UNSPEC;
	return open_flow(skb, p, settings, flow, &s);
}

/*
 * The server speaks of a connection before this one, for which it keeps these ports: its client says that there is none, as
 * one does that has just sent a SYN (RFC 9293, 3.10.7.3). The probe of the empty window then asks again.
 */
static __attribute__((noinline)) int end_former(struct __sk_buff *skb, const struct packet *p, const struct numbers *n)
{
	struct syn_answer a = {.sequence = network32(n->acknowledged), .flags = TCP_RST};
	struct skb_facts facts;

	if (!(p->tcp_flags & TCP_ACK) || skb->len != p->l4_offset + header_bytes(n))
		return TC_ACT_SHOT;
	read_facts(skb, COOKIES_OURS, &facts);
	if (p->family == 6 ? !build_answer(skb, false, true, facts.is_partial, &a)
			   : !build_answer(skb, false, false, facts.is_partial, &a))
		return TC_ACT_SHOT;
	return bpf_redirect(skb->ifindex, REDIRECT_INGRESS);
}

/* What the server announces, in the scale that its client was promised. */
static __always_inline __u32 rescaled(const struct syn_flow *flow, __u16 window)
{
	__u64 wide = (__u64)window << (flow->server_scale == SYN_NO_WINDOW_SCALE ? 0 : flow->server_scale & 15);

	wide >>= SYN_BEHIND_SCALE;
	return wide > 65535 ? 65535 : wide;
}

/* Plain TCP, on its way out. What is sent back with a cookie is not the server's. */
static __always_inline bool read_tcp_out(struct __sk_buff *skb, struct packet *p)
{
	struct cursor c = {.data = (void *)(long)skb->data, .end = (void *)(long)skb->data_end, .length = skb->len};

	return !skb->vlan_present && skb->pkt_type != PACKET_TO_OTHERS && parse_usual(&c, p, DIRECTION_EGRESS) &&
	       p->key.protocol == PROTOCOL_TCP;
}

SEC("tc")
int tc_syn_behind_out(struct __sk_buff *skb)
{
	struct syn_settings *settings = syn_settings();
	struct syn_change change = {};
	struct syn_flow *flow;
	struct packet p = {};
	struct numbers n;
	__u64 now;

	if (!settings || !read_tcp_out(skb, &p))
		return TC_ACT_UNSPEC;
	now = bpf_ktime_get_coarse_ns();
	flow = flow_of(&p, now);
	if ((p.tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) == (TCP_SYN | TCP_ACK))
		return on_server_answer(skb, &p, settings, flow);
	if (!flow)
		return TC_ACT_UNSPEC;
	if (!read_numbers(skb, &p, &n))
		return TC_ACT_SHOT;
	if (flow->state == SYN_FLOW_WAITS) {
		/* Refused: a reset that the client believes. */
		if (!(p.tcp_flags & TCP_RST))
			return end_former(skb, &p, &n);
		change.sequence = flow->cookie + 1 - network32(n.sequence);
	} else {
		change.sequence = flow->delta;
		change.clock = flow->clock_delta;
		change.has_window = (flow->cookie >> 5 & 15) != SYN_NO_WINDOW_SCALE && !(p.tcp_flags & TCP_RST);
		change.window = rescaled(flow, host16(n.window));
	}
	note_seen(flow, now);
	note_flags(flow, p.tcp_flags, true);
	return translate(skb, p.l4_offset, SLOT_OUT, &change) ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}

char _license[] SEC("license") = "Dual BSD/GPL";
