/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a defended listener says to a SYN: with a cookie of ours, or one that the stack makes. */
#ifndef BULKHEAD_SYN_ANSWER_H
#define BULKHEAD_SYN_ANSWER_H

#include "syn_gate.h"

extern void *bpf_cast_to_kern_ctx(void *skb) __attribute__((section(".ksyms"))) __attribute__((weak));

/* Who makes the cookies. */
enum { COOKIES_OURS = 0, COOKIES_OF_THE_STACK = 1 };

/* What the two ways differ in how they read. */
struct skb_facts {
	__u32 mtu;
	bool is_partial;
};

static __always_inline void read_facts(struct __sk_buff *skb, int cookies, struct skb_facts *f)
{
	struct sk_buff *packet = cookies == COOKIES_OURS ? bpf_cast_to_kern_ctx(skb) : (void *)skb;
	struct net_device *device = 0;
	__u64 bits = 0;

	f->mtu = 1500;
	if (cookies == COOKIES_OURS) {
		f->mtu = packet->dev->mtu;
		f->is_partial = packet->ip_summed == CHECKSUM_IS_PARTIAL;
		return;
	}
	if (!bpf_probe_read_kernel(&device, sizeof(device), &packet->dev) && device)
		bpf_probe_read_kernel(&f->mtu, sizeof(f->mtu), &device->mtu);
	bpf_probe_read_kernel(&bits, 1, (void *)packet + __builtin_preserve_field_info(packet->ip_summed, 0));
	bits <<= __builtin_preserve_field_info(packet->ip_summed, 4);
	bits >>= __builtin_preserve_field_info(packet->ip_summed, 5);
	f->is_partial = bits == CHECKSUM_IS_PARTIAL;
}

static __always_inline __u32 mss_of(const struct packet *p, __u32 mtu)
{
	__u32 mss = mtu - (p->family == 6 ? 60 : 40);

	return mtu < 576 ? 536 : mss > 65495 ? 65495 : mss;
}

/* The options of the SYN-ACK. `window_scale`: what we offer. */
static __always_inline void write_options(const struct syn_segment *s, struct syn_answer *a, __u32 mss, __u32 timestamp,
					  __u32 window_scale)
{
	bool has_scale = s->window_scale != SYN_NO_WINDOW_SCALE;

	a->word_count = s->has_timestamps || s->has_sack || has_scale ? 5 : 1;
	a->words[0] = 0x02040000 | mss;
	a->words[1] = (s->has_sack ? 0x04020000 : 0x01010000) | (s->has_timestamps ? 0x080a : 0x0101);
	a->words[2] = s->has_timestamps ? timestamp : 0x01010101;
	a->words[3] = s->has_timestamps ? s->timestamp : 0x01010101;
	a->words[4] = has_scale ? 0x01030300 | window_scale : 0x01010101;
}

/* What the client asked for and the stack of the listener would grant. */
static __always_inline void grant(struct syn_segment *s, __u32 offer)
{
	if (!(offer & SYN_OFFER_WINDOW_SCALE))
		s->window_scale = SYN_NO_WINDOW_SCALE;
	if (!(offer & SYN_OFFER_SACK))
		s->has_sack = false;
	if (!(offer & SYN_OFFER_TIMESTAMPS))
		s->has_timestamps = false;
}

/* The answer with a cookie of ours; false if the stack has to answer. */
static __always_inline bool make_answer(const struct syn_settings *settings, const struct packet *p, struct syn_segment *s,
					const struct syn_gate *offered, __u32 isn, __u64 now, struct syn_answer *a)
{
	const __u16 *sizes = p->family == 6 ? syn_mss_ipv6 : syn_mss_ipv4;
	bool ecn = (p->tcp_flags & (TCP_ECE | TCP_CWR)) == (TCP_ECE | TCP_CWR) && offered->offer & SYN_OFFER_ECN;
	__u32 step = now >> SYN_STEP_SHIFT, index = 0;
	struct keyed_hash source;

	if (s->is_signed || s->mss < sizes[0])
		return false;
	grant(s, offered->offer);
#pragma unroll
	for (int i = 1; i < 8; i++)
		index += s->mss >= sizes[i];
	source = syn_source(syn_key_of(settings, step), &p->key.remote, p->family == 6);
	a->acknowledged = isn + 1;
	a->flags = TCP_SYN | TCP_ACK | (ecn ? TCP_ECE : 0);
	a->sequence = syn_cookie(source, isn, p->key.remote_port, step,
				 syn_options(s->window_scale, s->has_sack, ecn, index));
	a->window = offered->window_bytes;
	write_options(s, a, offered->mss, syn_timestamp(source, now), offered->window_scale);
	return true;
}

enum { REDIRECT_INGRESS = 1 };

static __always_inline int send_back(struct __sk_buff *skb)
{
	/* Not the host's own and not passing through: the programs at the way out let it go (bpf/lib/syn_judge.h). */
	bpf_skb_change_type(skb, PACKET_TO_OTHERS);
	return bpf_redirect(skb->ifindex, 0);
}

/* What is read of a TCP header; network order. */
struct numbers {
	__u32 sequence, acknowledged;
	__u16 length_and_flags, window;
};

static __always_inline bool read_numbers(struct __sk_buff *skb, const struct packet *p, struct numbers *n)
{
	return !bpf_skb_load_bytes(skb, p->l4_offset + 4, n, sizeof(*n));
}

static __always_inline __u32 header_bytes(const struct numbers *n)
{
	return (n->length_and_flags >> 4 & 15) * 4;
}

/* The stack's own cookie for this SYN, in the low half, or a negative error. */
static __attribute__((noinline, unused)) __s64 cookie_of_stack(struct __sk_buff *skb, struct bpf_sock *listener, const struct packet *p)
{
	struct syn_segment s;
	struct numbers n;
	__u8 tcp[60] = {}, ip[40];
	__u32 length;

	if (!read_numbers(skb, p, &n) || !read_options(skb, false, p, header_bytes(&n), &s) || s.is_signed)
		return -1;
	if (p->family == 6 ? bpf_skb_load_bytes(skb, 14, ip, 40) : bpf_skb_load_bytes(skb, 14, ip, 20))
		return -1;
	length = header_bytes(&n);
	asm volatile("" : "+r"(length));
	if (length < TCP_HEADER_BYTES)
		return -1;
	asm volatile("" : "+r"(length));
	if (length > sizeof(tcp) || bpf_skb_load_bytes(skb, p->l4_offset, tcp, length))
		return -1;
	return bpf_tcp_gen_syncookie(listener, ip, p->family == 6 ? 40 : 20, (void *)tcp, length);
}

/* `counter`: SYN_ANSWERED or SYN_ANSWERED_AHEAD. */
static __always_inline int put_out(struct __sk_buff *skb, const struct packet *p, bool is_partial, const struct syn_answer *a,
				   __u32 counter)
{
	/* Half built it may not reach the stack. */
	if (p->family == 6 ? !build_answer(skb, false, true, is_partial, a) : !build_answer(skb, false, false, is_partial, a))
		return TC_ACT_SHOT;
	count_syn(counter, p->length);
	return send_back(skb);
}

/* Answers with a cookie of ours. A function of its own, like the next: the stack of the chain of calls. */
static __attribute__((noinline)) int answer_by_us(struct __sk_buff *skb, const struct packet *p,
						  const struct syn_settings *settings, const struct syn_gate *gate, __u32 counter)
{
	__u64 now = bpf_ktime_get_coarse_ns();
	struct syn_answer a = {};
	struct skb_facts facts;
	struct syn_segment s;
	struct numbers n;

	if (!read_numbers(skb, p, &n) || !read_options(skb, false, p, header_bytes(&n), &s) ||
	    !make_answer(settings, p, &s, gate, network32(n.sequence), now, &a)) {
		count_syn(SYN_LEFT, p->length);
		return TC_ACT_UNSPEC;
	}
	read_facts(skb, COOKIES_OURS, &facts);
	return put_out(skb, p, facts.is_partial, &a, counter);
}

static __attribute__((noinline, unused)) int answer_by_stack(struct __sk_buff *skb, const struct packet *p,
						     const struct syn_gate *gate, __u32 cookie)
{
	struct syn_answer a = {.sequence = cookie, .flags = TCP_SYN | TCP_ACK, .window = gate->window_bytes, .word_count = 1};
	struct skb_facts facts;
	struct numbers n;

	if (!read_numbers(skb, p, &n))
		return TC_ACT_UNSPEC;
	a.acknowledged = network32(n.sequence) + 1;
	a.words[0] = 0x02040000 | gate->mss;
	read_facts(skb, COOKIES_OF_THE_STACK, &facts);
	return put_out(skb, p, facts.is_partial, &a, SYN_ANSWERED);
}

#endif
