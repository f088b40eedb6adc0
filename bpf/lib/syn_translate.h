/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Translation: adds to the numbers of a TCP header, in place: sequence, acknowledgement, SACK, timestamps, window. */
#ifndef BULKHEAD_SYN_TRANSLATE_H
#define BULKHEAD_SYN_TRANSLATE_H

#include "syn_segment.h"

enum { TCP_HEADER_BYTES_MAX = TCP_HEADER_BYTES + SYN_OPTION_BYTES_MAX, SACK_EDGES_MAX = 8 };

/* What is added. */
struct syn_change {
	__u32 sequence, acknowledged, clock, echo;
	__u32 window;                     /* the new one, host order */
	bool has_window;
};

/* A header before and after. `old` is read and written as a whole, so it ends on a word. */
struct syn_header {
	__u8 old[TCP_HEADER_BYTES_MAX + 4];
	__u8 new[TCP_HEADER_BYTES_MAX + 20];
	__u32 timestamps_at, sack_at, sack_end; /* 0: none */
};

/* One for each CPU: programs of one hook do not interrupt each other, and preempted they stay where they are. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct syn_header);
} syn_header_map SEC(".maps");

/* One step of the options, counted from the first; returns where the next begins. Global, as read_option is. */
__attribute__((noinline)) int find_option(struct syn_header *h, __u32 at)
{
	__u32 kind, size, place = at + TCP_HEADER_BYTES;

	if (!h || at >= SYN_OPTION_BYTES_MAX)
		return SYN_OPTION_BYTES_MAX;
	kind = h->new[TCP_HEADER_BYTES + at];
	size = h->new[TCP_HEADER_BYTES + at + 1];
	if (kind == 1)
		return at + 1;
	if (!kind || size < 2)
		return SYN_OPTION_BYTES_MAX;
	if (kind == 8 && size == 10) {
		h->timestamps_at = place + 2;
	} else if (kind == 5) {
		h->sack_at = place + 2;
		h->sack_end = place + size;
	}
	return at + size;
}

static __always_inline void add_at(struct syn_header *h, __u32 at, __u32 by)
{
	__u8 *b = h->new + (at & 63);
	__u32 value = ((__u32)b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3]) + by;

	b[0] = value >> 24;
	b[1] = value >> 16;
	b[2] = value >> 8;
	b[3] = value;
}

static __always_inline void change_options(struct syn_header *h, __u32 bytes, const struct syn_change *c)
{
	__u32 at = 0;

	h->timestamps_at = 0;
	h->sack_at = 0;
#pragma clang loop unroll(disable)
	for (int i = 0; i < 24 && at + TCP_HEADER_BYTES < bytes; i++)
		at = find_option(h, at);
	if (h->timestamps_at) {
		add_at(h, h->timestamps_at, c->clock);
		add_at(h, h->timestamps_at + 4, c->echo);
	}
	/* Edges are numbers of the side that is acknowledged. */
	at = h->sack_at;
#pragma clang loop unroll(disable)
	for (int i = 0; i < SACK_EDGES_MAX && at && at + 4 <= h->sack_end && at + 4 <= bytes; i++, at += 4)
		add_at(h, at, c->acknowledged);
}

/* `slot`: of the hook that calls. False: the packet cannot be read, and goes nowhere. */
static __attribute__((noinline)) bool translate(struct __sk_buff *skb, __u32 offset, __u32 slot, const struct syn_change *c)
{
	struct syn_header *h = bpf_map_lookup_elem(&syn_header_map, &slot);
	__u32 bytes;
	__s64 difference;
	__u8 length;

	if (!h || bpf_skb_load_bytes(skb, offset + 12, &length, 1))
		return false;
	bytes = (length >> 4) * 4;
	__builtin_memset(h->old, 0, sizeof(h->old));
	/* As in read_options: verifiers up to 6.12 want both bounds of the one register. */
	asm volatile("" : "+r"(bytes));
	if (bytes < TCP_HEADER_BYTES)
		return false;
	asm volatile("" : "+r"(bytes));
	if (bytes > TCP_HEADER_BYTES_MAX || bpf_skb_load_bytes(skb, offset, h->old, bytes))
		return false;
	__builtin_memcpy(h->new, h->old, TCP_HEADER_BYTES_MAX);
	add_at(h, 4, c->sequence);
	if (h->new[13] & TCP_ACK)
		add_at(h, 8, c->acknowledged);
	if (c->has_window) {
		h->new[14] = c->window >> 8;
		h->new[15] = c->window;
	}
	if (bytes > TCP_HEADER_BYTES)
		change_options(h, bytes, c);
	difference = bpf_csum_diff((void *)h->old, TCP_HEADER_BYTES_MAX, (void *)h->new, TCP_HEADER_BYTES_MAX, 0);
	if (difference < 0 || bpf_skb_store_bytes(skb, offset, h->new, bytes, 0) ||
	    bpf_l4_csum_replace(skb, offset + 16, 0, difference, 0))
		return false;
	return true;
}

#endif
