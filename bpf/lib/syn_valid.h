/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ACKs that bring cookies back, and what these say of the connection. */
#ifndef BULKHEAD_SYN_VALID_H
#define BULKHEAD_SYN_VALID_H

#include "syn_answer.h"

/* Of linux/tcp.h's kernel side, by value: the kernel checks the size. */
struct bpf_tcp_req_attrs {
	__u32 rcv_tsval, rcv_tsecr;
	__u16 mss;
	__u8 rcv_wscale, snd_wscale, ecn_ok, wscale_ok, sack_ok, tstamp_ok, usec_ts_ok, reserved[3];
};

/* Plain TCP only: the usual parser knows nothing else. */
static __always_inline bool read_tcp(struct __sk_buff *skb, struct packet *p)
{
	struct cursor c = {.data = (void *)(long)skb->data, .end = (void *)(long)skb->data_end, .length = skb->len};

	/* Their headers are beyond the linear part only in what a few drivers make of large frames. */
	return !skb->vlan_present && skb->pkt_type == PACKET_TO_US && parse_usual(&c, p, DIRECTION_INGRESS) &&
	       p->key.protocol == PROTOCOL_TCP;
}

/*
 * False if the ACK carries no cookie of ours that is valid. Else `attrs` is what it says of the connection. `back`: by how
 * much its sequence number is behind that of the handshake's ACK.
 */
static __attribute__((noinline)) bool read_cookie(struct __sk_buff *skb, const struct packet *p,
						  const struct syn_settings *settings, __u32 back,
						  struct bpf_tcp_req_attrs *attrs)
{
	__u64 now = bpf_ktime_get_coarse_ns();
	__u32 cookie, isn, step, clock;
	struct keyed_hash source;
	struct syn_segment s;
	struct numbers n;

	if (now > *(const volatile __u64 *)&settings->armed_until || !read_numbers(skb, p, &n))
		return false;
	cookie = network32(n.acknowledged) - 1;
	isn = network32(n.sequence) - 1 + back;
	step = syn_step_of(cookie, now);
	source = syn_source(syn_key_of(settings, step), &p->key.remote, p->family == 6);
	if (syn_cookie(source, isn, p->key.remote_port, step, cookie & SYN_OPTION_MASK) != cookie ||
	    !read_options(skb, false, p, header_bytes(&n), &s))
		return false;
	clock = syn_timestamp(source, now);
	if (s.has_timestamps && clock - s.echo > SYN_LIFETIME_NS / 1000000) {
		count_syn(SYN_STALE, p->length);
		return false;
	}
	attrs->mss = p->family == 6 ? syn_mss_ipv6[cookie & 7] : syn_mss_ipv4[cookie & 7];
	attrs->wscale_ok = (cookie >> 5 & 15) != SYN_NO_WINDOW_SCALE;
	attrs->snd_wscale = attrs->wscale_ok ? cookie >> 5 & 15 : 0;
	attrs->sack_ok = cookie >> 4 & 1;
	attrs->ecn_ok = cookie >> 3 & 1;
	attrs->tstamp_ok = s.has_timestamps;
	attrs->rcv_tsval = s.timestamp;
	/* Only sets the offset of the socket's clock: ours goes on running. */
	attrs->rcv_tsecr = clock;
	return true;
}

#endif
