/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Segments: reading the options of a SYN, and turning a packet in place into the answer that goes back. */
#ifndef BULKHEAD_SYN_SEGMENT_H
#define BULKHEAD_SYN_SEGMENT_H

#include "parse_usual.h"
#include "syn_cookie.h"

enum { TCP_ECE = 0x40, TCP_CWR = 0x80 };
enum { TCP_HEADER_BYTES = 20, SYN_OPTION_BYTES_MAX = 40, SYN_ANSWER_WORDS_MAX = 5 };

struct syn_tcp_header {
	__u16 source, destination;        /* this and all below: network order */
	__u32 sequence, acknowledged;
	__u16 length_and_flags;
	__u16 window, checksum, urgent;
};
_Static_assert(sizeof(struct syn_tcp_header) == TCP_HEADER_BYTES, "syn_tcp_header");

/* What a packet's TCP header and options say. */
struct syn_segment {
	__u32 timestamp, echo;
	__u16 mss;
	__u8 window_scale;                /* SYN_NO_WINDOW_SCALE: none */
	bool has_timestamps, has_sack;
	bool is_signed;                   /* MD5 or AO: between the two ends, not for us */
	__u8 raw[SYN_OPTION_BYTES_MAX + 14];
};

/*
 * One step of the options; returns where the next begins. A global function: the verifier proves it once for any
 * argument; in line it follows every sequence of options, and gives up.
 */
__attribute__((noinline)) int read_option(struct syn_segment *s, __u32 at)
{
	const __u8 *b;
	__u32 kind, size;

	if (!s || at >= SYN_OPTION_BYTES_MAX)
		return SYN_OPTION_BYTES_MAX;
	b = s->raw + at;
	kind = b[0];
	size = b[1];
	if (kind == 1)
		return at + 1;
	if (!kind || size < 2)
		return SYN_OPTION_BYTES_MAX;
	if (kind == 2 && size == 4) {
		s->mss = b[2] << 8 | b[3];
	} else if (kind == 3 && size == 3) {
		s->window_scale = b[2] < 14 ? b[2] : 14;
	} else if (kind == 4 && size == 2) {
		s->has_sack = true;
	} else if (kind == 8 && size == 10) {
		s->has_timestamps = true;
		s->timestamp = (__u32)b[2] << 24 | b[3] << 16 | b[4] << 8 | b[5];
		s->echo = (__u32)b[6] << 24 | b[7] << 16 | b[8] << 8 | b[9];
	} else if (kind == 19 || kind == 29) {
		s->is_signed = true;
	}
	return at + size;
}

/* False if they cannot be read. `bytes`: of the whole TCP header. */
static __always_inline bool read_options(void *ctx, bool is_frame, const struct packet *p, __u32 bytes, struct syn_segment *s)
{
	__u32 length = bytes - TCP_HEADER_BYTES, at = 0, offset = p->l4_offset + TCP_HEADER_BYTES;

	__builtin_memset(s, 0, sizeof(*s));
	s->window_scale = SYN_NO_WINDOW_SCALE;
	s->mss = p->family == 6 ? syn_mss_ipv6[0] : syn_mss_ipv4[0];
	if (!length)
		return true;
	if (length > SYN_OPTION_BYTES_MAX)
		return false;
	/* Verifiers up to 6.12 want both bounds of the one register, which the compiler would fold into a copy. */
	asm volatile("" : "+r"(length));
	if (length < 4)
		return false;
	asm volatile("" : "+r"(length));
	if (length > SYN_OPTION_BYTES_MAX)
		return false;
	if (is_frame ? bpf_xdp_load_bytes(ctx, offset, s->raw, length) : bpf_skb_load_bytes(ctx, offset, s->raw, length))
		return false;
#pragma clang loop unroll(disable)
	for (int i = 0; i < 24 && at < length; i++)
		at = read_option(s, at);
	return true;
}

/* A segment to be; host order. */
struct syn_answer {
	__u32 sequence, acknowledged, flags, window;
	__u32 word_count, words[SYN_ANSWER_WORDS_MAX];
};

static __always_inline __u64 sum_words(const void *from, int count)
{
	const __u32 __attribute__((may_alias)) *words = from;
	__u64 sum = 0;

#pragma unroll
	for (int i = 0; i < count; i++)
		sum += words[i];
	return sum;
}

static __always_inline __u16 fold_sum(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static __always_inline void swap_bytes(__u8 *a, __u8 *b, int count)
{
#pragma unroll
	for (int i = 0; i < count; i += 2) {
		__u16 *x = (__u16 *)(a + i), *y = (__u16 *)(b + i), kept = *x;

		*x = *y;
		*y = kept;
	}
}

/* Turns the IP header round; returns the sum of the addresses. `bytes`: of what follows it. */
static __always_inline __u64 turn_ip(__u8 *ip, bool is_ipv6, __u32 bytes)
{
	if (is_ipv6) {
		swap_bytes(ip + 8, ip + 24, 16);
		*(__u32 *)ip = network32(6u << 28);
		*(__u16 *)(ip + 4) = network16(bytes);
		ip[7] = 64;
		return sum_words(ip + 8, 8);
	}
	swap_bytes(ip + 12, ip + 16, 4);
	ip[1] = 0;
	*(__u16 *)(ip + 2) = network16(20 + bytes);
	*(__u32 *)(ip + 4) = network32(0x4000);
	ip[8] = 64;
	*(__u16 *)(ip + 10) = 0;
	*(__u16 *)(ip + 10) = ~fold_sum(sum_words(ip, 5));
	return sum_words(ip + 12, 2);
}

/* Leaves the IP header as it is, but for the length; returns the sum of the addresses. */
static __always_inline __u64 resize_ip(__u8 *ip, bool is_ipv6, __u32 bytes)
{
	if (is_ipv6) {
		*(__u16 *)(ip + 4) = network16(bytes);
		return sum_words(ip + 8, 8);
	}
	*(__u16 *)(ip + 2) = network16(20 + bytes);
	*(__u16 *)(ip + 10) = 0;
	*(__u16 *)(ip + 10) = ~fold_sum(sum_words(ip, 5));
	return sum_words(ip + 12, 2);
}

/*
 * Makes the packet this segment, and an answer of it if it is turned round. `is_partial`: the sender is on this machine and left the checksum to
 * the device: only the sum of the pseudo header belongs there. False: nothing that may go out has become of it.
 */
static __always_inline bool build_segment(void *ctx, bool is_frame, bool is_ipv6, bool is_partial, bool turns,
					  const struct syn_answer *a)
{
	__u32 l4 = is_ipv6 ? 54 : 34, bytes = TCP_HEADER_BYTES + 4 * a->word_count;
	int total = l4 + bytes;
	struct __sk_buff *skb = ctx;
	struct xdp_md *frame = ctx;
	struct syn_tcp_header *tcp;
	__u64 sum, body;
	__u8 *data, *end;
	__u32 *words;
	__u16 port;

	if (is_frame ? bpf_xdp_adjust_tail(ctx, total - (int)bpf_xdp_get_buff_len(ctx)) : bpf_skb_change_tail(ctx, total, 0))
		return false;
	data = (void *)(long)(is_frame ? frame->data : skb->data);
	end = (void *)(long)(is_frame ? frame->data_end : skb->data_end);
	if (data + l4 + TCP_HEADER_BYTES > end)
		return false;
	sum = network16(PROTOCOL_TCP) + network16(bytes);
	tcp = (void *)(data + l4);
	if (turns) {
		swap_bytes(data, data + 6, 6);
		sum += turn_ip(data + 14, is_ipv6, bytes);
		port = tcp->source;
		tcp->source = tcp->destination;
		tcp->destination = port;
	} else {
		sum += resize_ip(data + 14, is_ipv6, bytes);
	}
	tcp->sequence = network32(a->sequence);
	tcp->acknowledged = network32(a->acknowledged);
	tcp->length_and_flags = network16(bytes << 10 | a->flags);
	tcp->window = network16(a->window);
	tcp->checksum = 0;
	tcp->urgent = 0;
	body = sum_words(tcp, 5);
	words = (void *)(tcp + 1);
#pragma unroll
	for (__u32 i = 0; i < SYN_ANSWER_WORDS_MAX; i++) {
		if (i >= a->word_count)
			break;
		/* Word by word: the verifier does not see that the length chosen above is the one meant here. */
		if ((__u8 *)(words + i + 1) > end)
			return false;
		words[i] = network32(a->words[i]);
		body += words[i];
	}
	tcp->checksum = is_partial ? fold_sum(sum) : (__u16)~fold_sum(sum + body);
	return true;
}

static __always_inline bool build_answer(void *ctx, bool is_frame, bool is_ipv6, bool is_partial, const struct syn_answer *a)
{
	return build_segment(ctx, is_frame, is_ipv6, is_partial, true, a);
}

#endif
