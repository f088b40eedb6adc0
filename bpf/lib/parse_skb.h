/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * parse, kernel half: from the buffer to the cursor. Global functions: the verifier proves each once, by itself, and
 * whatever way a packet took through the parser, one state goes on.
 */
#ifndef BULKHEAD_PARSE_SKB_H
#define BULKHEAD_PARSE_SKB_H

#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include "parse_usual.h"

/* Headers deeper than this are not parsed; most packets have theirs in the linear part already. */
#define PULL_BYTES 256

static __always_inline struct cursor cursor_of(struct __sk_buff *skb)
{
	struct cursor c;

	c.data = (void *)(long)skb->data;
	c.end = (void *)(long)skb->data_end;
	c.length = skb->len;
	c.limit = skb->len;
	return c;
}

/* Makes the headers readable in one piece first; where a socket has the packet they are. */
static __always_inline struct cursor open_cursor(struct __sk_buff *skb)
{
#ifndef PACKET_IS_LINEAR
	if (skb->data_end - skb->data < PULL_BYTES && skb->len > skb->data_end - skb->data)
		bpf_skb_pull_data(skb, skb->len < PULL_BYTES ? skb->len : PULL_BYTES);
#endif
	return cursor_of(skb);
}

static __always_inline int parse_skb(struct __sk_buff *skb, struct packet *p, int direction)
{
	struct cursor c = open_cursor(skb);

	if (skb->vlan_present) {
		p->vlan = skb->vlan_tci & 0x0fff;
		p->flags |= PACKET_TAG_TAKEN;
	}
	return parse_packet(&c, p, direction, !p->ethertype);
}

/* p->ethertype: set if the packet begins with its IP header, else 0. */
__attribute__((noinline)) int parse_egress(struct __sk_buff *skb, struct packet *p)
{
	return p ? parse_skb(skb, p, DIRECTION_EGRESS) : DROP_TRUNCATED;
}

__attribute__((noinline)) int parse_ingress(struct __sk_buff *skb, struct packet *p)
{
	return p ? parse_skb(skb, p, DIRECTION_INGRESS) : DROP_TRUNCATED;
}

/* The packet that an ICMP error quotes. p->l3_offset, p->ethertype: where and what it is; `direction`: of the error. */
__attribute__((noinline)) int parse_quoted_skb(struct __sk_buff *skb, struct packet *p, int direction)
{
	struct cursor c = open_cursor(skb);

	if (!p)
		return DROP_ICMP_MALFORMED;
	/* Twice the code for a constant direction each: cheaper to verify than a variable one. */
	return direction == DIRECTION_EGRESS ? parse_quoted(&c, p, DIRECTION_EGRESS)
					     : parse_quoted(&c, p, DIRECTION_INGRESS);
}

#endif
