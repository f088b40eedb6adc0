/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The short way of what is no SYN and brings no cookie: nearly every packet of nearly everybody. */
#ifndef BULKHEAD_SYN_PLAIN_H
#define BULKHEAD_SYN_PLAIN_H

#include "syn_answer.h"

/* What the cookie of an ACK is checked by, straight from the packet. */
struct ack_facts {
	__u64 address_high, address_low;  /* as in an ip_address */
	__u32 sequence, acknowledged;     /* network order */
	__u16 port;
	bool is_ipv6;
};

/*
 * True for the packets of an established flow: ACK, and no other flag but PSH. Of others, and of what is not plain TCP,
 * nothing is read. This is what each packet of everybody pays while some listener is defended.
 */
static __always_inline bool read_ack(const struct __sk_buff *skb, struct ack_facts *f)
{
	const __u8 *at = (void *)(long)skb->data, *end = (void *)(long)skb->data_end, *tcp;

	if (at + 54 > end)
		return false;
	if (*(const __u16 *)(at + 12) == network16(ETHERTYPE_IPV4)) {
		if (at[14] != 0x45 || at[23] != PROTOCOL_TCP || *(const __u16 *)(at + 20) & network16(0x3fff))
			return false;
		f->is_ipv6 = false;
		f->address_high = 0;
		f->address_low = (__u64)*(const __u32 *)(at + 26) << 32 | 0xffff0000;
		tcp = at + 34;
	} else {
		if (at + 74 > end || *(const __u16 *)(at + 12) != network16(ETHERTYPE_IPV6) || at[20] != PROTOCOL_TCP)
			return false;
		f->is_ipv6 = true;
		f->address_high = *(const aliasing_u64 *)(at + 22);
		f->address_low = *(const aliasing_u64 *)(at + 30);
		tcp = at + 54;
	}
	if ((tcp[13] & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK)) != TCP_ACK)
		return false;
	f->port = *(const __u16 *)tcp;
	f->sequence = *(const __u32 *)(tcp + 4);
	f->acknowledged = *(const __u32 *)(tcp + 8);
	return true;
}

/* True for an ACK that certainly has no valid cookie. */
static __always_inline bool is_plain_ack(const struct __sk_buff *skb, const struct syn_settings *settings, int cookies)
{
	__u64 now, until = *(const volatile __u64 *)&settings->armed_until;
	struct keyed_hash source;
	__u32 cookie, step, isn;
	struct ip_address from;
	struct ack_facts f;

	if (!read_ack(skb, &f))
		return false;
	if (cookies != COOKIES_OURS || !until)
		return true;
	now = bpf_ktime_get_coarse_ns();
	if (now > until)
		return true;
	((aliasing_u64 *)from.bytes)[0] = f.address_high;
	((aliasing_u64 *)from.bytes)[1] = f.address_low;
	cookie = network32(f.acknowledged) - 1;
	isn = network32(f.sequence) - 1;
	step = syn_step_of(cookie, now);
	source = syn_source(syn_key_of(settings, step), &from, f.is_ipv6);
	return syn_cookie(source, isn, f.port, step, cookie & SYN_OPTION_MASK) != cookie;
}

#endif
