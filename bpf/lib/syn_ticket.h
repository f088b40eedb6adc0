/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Published ports: a front meets the destination that the world knows, the listener's program the one that address
 * translation made of it. Nobody tells us the rules of translation, and there are many who write them. So a few packets
 * carry a ticket from the one program to the other, in a field of the packet's descriptor that nobody on the wire can
 * write and that goes along into another network namespace (`tc_index`). Who hands it in says what became of the packet.
 *
 * A ticket is for a SYN to learn, and to confirm again and again, where the port leads; and for the ACK that brings a
 * cookie, to prove that translation lets pass a first ACK. Lost tickets (the classifiers of tc write that field too)
 * mean that nothing is learnt, and nothing is answered ahead.
 */
#ifndef BULKHEAD_SYN_TICKET_H
#define BULKHEAD_SYN_TICKET_H

#include "syn_answer.h"

#define SYN_TICKET_COUNT 256
/* From one program to the other in that time, or not at all; so long a ticket's place is not taken again. */
#define TICKET_LIFETIME_NS 100000000ull

/* So many cookies in so long that were let through and not seen behind: somebody drops them. */
#define PUBLISHED_MISSING_MAX 8
#define PUBLISHED_MISSING_NS 1000000000ull
#define PUBLISHED_GIVEN_UP_NS 60000000000ull

struct syn_ticket {
	__u64 issued;
	struct ip_address from;
	struct syn_published_key to;
	__u16 from_port;
	__u16 number;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SYN_TICKET_COUNT);
	__type(key, __u32);
	__type(value, struct syn_ticket);
} syn_tickets_map SEC(".maps");

static const struct syn_published fresh_published;

/* Connection tracking takes a first ACK for the beginning of a flow, and translates it. */
static __always_inline bool tracks_from_the_middle(struct __sk_buff *skb)
{
	struct sk_buff *packet = bpf_cast_to_kern_ctx(skb);
	struct net *net = packet->dev->nd_net.net;

	/* A kernel without connection tracking translates nothing either. */
	return !__builtin_preserve_field_info(net->ct, 2) || net->ct.nf_ct_proto.tcp.tcp_loose;
}

/* False if there is none to be had: a few hundred at the same time are enough for all. */
static __attribute__((noinline)) bool give_ticket(struct __sk_buff *skb, const struct packet *p)
{
	__u32 random = bpf_get_prandom_u32(), index = random & (SYN_TICKET_COUNT - 1);
	struct syn_ticket *ticket = bpf_map_lookup_elem(&syn_tickets_map, &index);
	__u64 now = bpf_ktime_get_coarse_ns(), issued;

	if (!ticket)
		return false;
	issued = *(volatile __u64 *)&ticket->issued;
	if ((issued && time_since(issued, now) < TICKET_LIFETIME_NS) || !tracks_from_the_middle(skb) ||
	    !__sync_bool_compare_and_swap(&ticket->issued, issued, now))
		return false;
	ticket->from = p->key.remote;
	ticket->from_port = p->key.remote_port;
	ticket->to.address = p->key.local;
	ticket->to.port = p->key.local_port;
	ticket->to.device = skb->ifindex;
	/* Never 0, which is no ticket. */
	ticket->number = index | (random >> 16 | 1) << 8;
	skb->tc_index = ticket->number;
	return true;
}

/* The ticket of a packet, if it was translated since, and nothing but its destination. */
static __always_inline const struct syn_ticket *ticket_of(const struct __sk_buff *skb, const struct packet *p, __u64 now)
{
	__u32 number = skb->tc_index, index = number & (SYN_TICKET_COUNT - 1);
	const struct syn_ticket *ticket;

	if (!number)
		return 0;
	ticket = bpf_map_lookup_elem(&syn_tickets_map, &index);
	if (!ticket || ticket->number != number || time_since(ticket->issued, now) >= TICKET_LIFETIME_NS ||
	    ticket->from_port != p->key.remote_port || !same_address(&ticket->from, &p->key.remote) ||
	    (ticket->to.port == p->key.local_port && same_address(&ticket->to.address, &p->key.local)))
		return 0;
	return ticket;
}

/* A SYN to a listener under load: what the front met is published for it. */
static __attribute__((noinline)) int note_published(struct __sk_buff *skb, const struct packet *p)
{
	__u64 now = bpf_ktime_get_coarse_ns();
	const struct syn_ticket *ticket = ticket_of(skb, p, now);
	struct syn_published_key key;
	struct syn_published *published;

	if (!ticket)
		return 0;
	key = ticket->to;
	published = bpf_map_lookup_elem(&syn_published_map, &key);
	if (!published) {
		bpf_map_update_elem(&syn_published_map, &key, (void *)&fresh_published, BPF_NOEXIST);
		published = bpf_map_lookup_elem(&syn_published_map, &key);
		if (!published)
			return 0;
	}
	if (published->target.port != p->key.local_port || !same_address(&published->target.address, &p->key.local)) {
		published->target.address = p->key.local;
		published->target.port = p->key.local_port;
		published->changed = now;
	}
	published->confirmed = now;
	return 0;
}

/* An ACK with a cookie has come through the translation. */
static __attribute__((noinline)) int note_arrived(struct __sk_buff *skb, const struct packet *p)
{
	const struct syn_ticket *ticket = ticket_of(skb, p, bpf_ktime_get_coarse_ns());
	struct syn_published_key key;
	struct syn_published *published;

	if (!ticket)
		return 0;
	key = ticket->to;
	published = bpf_map_lookup_elem(&syn_published_map, &key);
	if (published) {
		published->tried = 0;
		published->missing = 0;
	}
	return 0;
}

/* An ACK with a cookie, to what the host publishes for somebody: it is not for a socket of this namespace. */
static __attribute__((noinline)) bool pass_published(struct __sk_buff *skb, const struct packet *p)
{
	struct syn_published *published = syn_published_of(&p->key.local, p->key.local_port, skb->ifindex);
	__u64 now = bpf_ktime_get_coarse_ns();

	if (!published || time_since(published->confirmed, now) > SYN_LIFETIME_NS)
		return false;
	if (!give_ticket(skb, p))
		return true;
	if (!published->tried)
		published->tried = now;
	if (__sync_fetch_and_add(&published->missing, 1) >= PUBLISHED_MISSING_MAX &&
	    time_since(published->tried, now) > PUBLISHED_MISSING_NS) {
		published->failed = now;
		published->tried = 0;
		published->missing = 0;
	}
	return true;
}

/*
 * True if what this destination is published for may be answered for. Where several share the port, it changes all the
 * time, and they may offer different things: nobody is answered for.
 */
static __always_inline bool is_published(const struct syn_published *published, __u64 now)
{
	return time_since(published->confirmed, now) < SYN_PUBLISHED_TRUST_NS &&
	       time_since(published->changed, now) > SYN_PUBLISHED_TRUST_NS &&
	       time_since(published->restricted, now) > SYN_PUBLISHED_TRUST_NS &&
	       (!published->failed || time_since(published->failed, now) > PUBLISHED_GIVEN_UP_NS);
}

#endif
