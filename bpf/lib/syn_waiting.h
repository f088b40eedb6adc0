/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A client takes a port again while the socket of its last connection waits here (TIME_WAIT), and a front that has forgotten it, or
 * never saw it close (the programs came later), has answered with a cookie. That socket refuses the ACK, and the client
 * believes to be connected. But its cookie proves that it has left the old connection: had it been asked by the stack, it would have
 * answered with a reset. That reset is sent to the socket in its name, and the ACK comes in once more behind it.
 */
#ifndef BULKHEAD_SYN_WAITING_H
#define BULKHEAD_SYN_WAITING_H

#include "syn_ticket.h"

/* In `tc_index` of an ACK that comes in once more, so that there is no third time. No ticket: their upper byte is odd. */
#define ACK_COMES_AGAIN 0x0200

struct inet_timewait_sock {
	struct sock_common __tw_common;
} relocated;

struct tcp_timewait_sock {
	struct inet_timewait_sock tw_sk;
} relocated;

static __always_inline bool replace_numbers(struct __sk_buff *skb, const struct packet *p, const struct numbers *old,
					    const struct numbers *new)
{
	__u32 at = p->l4_offset;

	return !bpf_skb_store_bytes(skb, at + 4, new, sizeof(*new), 0) &&
	       !bpf_l4_csum_replace(skb, at + 16, old->sequence, new->sequence, sizeof(new->sequence)) &&
	       !bpf_l4_csum_replace(skb, at + 16, old->length_and_flags, new->length_and_flags,
				    sizeof(new->length_and_flags));
}

/* `expected`: the next sequence number that the socket waits for. */
static __attribute__((noinline)) int replace_waiting(struct __sk_buff *skb, const struct packet *p, __u32 expected)
{
	struct numbers ack, reset;
	long failed;

	if (!read_numbers(skb, p, &ack))
		return TC_ACT_UNSPEC;
	reset = ack;
	reset.sequence = network32(expected);
	/* Five words of header: of a reset with timestamps these would have to fit too, and behind a NAT they need not. */
	reset.length_and_flags = network16(5 << 12 | TCP_RST);
	if (!replace_numbers(skb, p, &ack, &reset))
		return TC_ACT_SHOT;
	failed = bpf_clone_redirect(skb, skb->ifindex, REDIRECT_INGRESS);
	if (!replace_numbers(skb, p, &reset, &ack))
		return TC_ACT_SHOT;
	if (failed)
		return TC_ACT_UNSPEC;
	skb->tc_index = ACK_COMES_AGAIN;
	return bpf_redirect(skb->ifindex, REDIRECT_INGRESS);
}

#endif
