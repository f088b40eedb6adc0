/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * dns_stream: DNS messages over TCP. Those that lie whole in a segment are read there. The beginning of one that goes on in
 * the next segment is kept until the rest comes; so the segment that completes an answer teaches before it arrives. Segments
 * are followed in order: what comes out of order is given up, and nothing opens.
 */
#ifndef BULKHEAD_DNS_STREAM_H
#define BULKHEAD_DNS_STREAM_H

#include "see_message.h"

/* Messages of one packet that are read: of a segment of TCP, or datagrams that were merged on their way. */
#define FQDN_MESSAGES_MAX 8
/* The rest of a message that has begun comes within this time. */
#define STREAM_SECONDS 10

struct stream_place {
	struct fqdn_stream_bucket *bucket;
	__u32 tag;
	__u32 way;
};

static __always_inline bool is_stream_of(const struct fqdn_stream *stream, const struct packet *p, __u32 is_answer)
{
	const aliasing_u64 *x = (const aliasing_u64 *)stream, *y = (const aliasing_u64 *)&p->key.remote;
	const aliasing_u64 *z = (const aliasing_u64 *)&p->key.local;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ z[0]) | (x[3] ^ z[1]) | (stream->port ^ p->key.local_port) |
		 (stream->is_answer ^ is_answer));
}

/* The place of this direction of the connection, FQDN_NO_WAY: it has none. */
__attribute__((noinline)) __u32 find_stream_way(struct fqdn_stream_bucket *bucket, const struct packet *p, __u32 tag,
						__u32 is_answer)
{
	if (!bucket || !p)
		return FQDN_NO_WAY;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < FQDN_WAYS; i++)
		if ((__u32)*(volatile __u64 *)&bucket->head.marks[i] == tag && is_stream_of(&bucket->ways[i], p, is_answer))
			return i;
	return FQDN_NO_WAY;
}

/* Where this direction of the connection has its place, or would have it. */
static __always_inline bool find_stream(struct stream_place *at, const struct packet *p, __u32 is_answer)
{
	const aliasing_u64 *words = (const aliasing_u64 *)&p->key.remote;
	__u32 zero = 0, index;
	const struct fqdn_config *config = bpf_map_lookup_elem(&fqdn_config_map, &zero);
	__u64 where;

	if (!config)
		return false;
	where = fqdn_scatter(config, p->key.endpoint, words[0], words[1], p->key.local_port | is_answer << 16);
	index = fqdn_bucket(where, FQDN_STREAM_BUCKETS);
	at->tag = fqdn_tag(where, p->key.endpoint);
	at->bucket = bpf_map_lookup_elem(&fqdn_stream_map, &index);
	at->way = find_stream_way(at->bucket, p, at->tag, is_answer);
	return at->bucket;
}

static __always_inline void set_stream_mark(struct fqdn_stream_bucket *bucket, __u32 way, __u64 mark)
{
	asm volatile("" ::: "memory");
	*(volatile __u64 *)&bucket->head.marks[way & (FQDN_WAYS - 1)] = mark;
}

/* Makes the place the caller's alone; its mark was. 0: it has none, or another CPU is at it. */
static __always_inline __u64 take_stream(struct stream_place *place, __u32 endpoint)
{
	__u64 *mark = &place->bucket->head.marks[place->way & (FQDN_WAYS - 1)], old = *(volatile __u64 *)mark;

	if (place->way >= FQDN_WAYS || (__u32)old != place->tag)
		return 0;
	return __sync_val_compare_and_swap(mark, old, FQDN_BUSY(endpoint)) == old ? old : 0;
}

/* Sequence number of a packet's first byte of payload; where that lies: `*at`. */
static __always_inline __u32 sequence_of(struct __sk_buff *skb, const struct packet *p, __u32 *at)
{
	__u32 number = 0;
	__u8 words = 0;

	bpf_skb_load_bytes(skb, p->l4_offset + 4, &number, 4);
	bpf_skb_load_bytes(skb, p->l4_offset + 12, &words, 1);
	*at = p->l4_offset + (words >> 4) * 4;
	return __builtin_bswap32(number);
}

/*
 * Adds bytes of the packet to a stream; what there is no room for is only counted. A global function: the verifier proves
 * it once, by itself.
 */
__attribute__((noinline)) int add_bytes(struct __sk_buff *skb, struct fqdn_stream_bucket *bucket, __u32 way, __u32 at,
					__u32 count)
{
	struct fqdn_stream *stream;
	__u32 have;

	if (!bucket)
		return -1;
	stream = &bucket->ways[way & (FQDN_WAYS - 1)];
	have = stream->have;
	stream->have = have + count;
	if (have >= FQDN_MESSAGE_BYTES)
		return 0;
	if (count > FQDN_MESSAGE_BYTES - have)
		count = FQDN_MESSAGE_BYTES - have;
	return load_bounded(skb, at, &stream->bytes[have & (FQDN_MESSAGE_BYTES - 1)], count) ? 0 : -1;
}

/* Keeps the beginning of a message. Only what a listed resolver says, or is asked, is worth room. */
__attribute__((noinline)) int begin_stream(struct __sk_buff *skb, const struct packet *p, __u32 at, __u32 end,
					   __u32 is_answer)
{
	struct stream_place place;
	struct ip_address resolver;
	struct fqdn_stream *stream;
	__u32 first, now = fqdn_now();

	if (!p || !find_stream(&place, p, is_answer))
		return 0;
	resolver = p->key.remote;
	if (end <= at || !bpf_map_lookup_elem(&fqdn_resolver_map, &resolver)) {
		count_metric(METRIC_DNS_UNREAD, 0);
		return 0;
	}
	if (!take_stream(&place, p->key.endpoint)) {
		place.way = claim_way(&place.bucket->head, p->key.endpoint, now);
		if (place.way >= FQDN_WAYS)
			return 0;
	}
	stream = &place.bucket->ways[place.way & (FQDN_WAYS - 1)];
	stream->resolver = resolver;
	stream->client = p->key.local;
	stream->port = p->key.local_port;
	stream->is_answer = is_answer;
	stream->have = 0;
	stream->next = sequence_of(skb, p, &first) + (end - first);
	if (add_bytes(skb, place.bucket, place.way, at, end - at))
		set_stream_mark(place.bucket, place.way, 0);
	else
		set_stream_mark(place.bucket, place.way, fqdn_mark(place.tag, now + STREAM_SECONDS));
	return 0;
}

struct stream_copy {
	struct fqdn_scratch *to;
	const struct fqdn_stream *from;
};

static long copy_word(__u32 i, void *context)
{
	struct stream_copy *copy = context;
	__u32 at = 8 * i & (FQDN_MESSAGE_BYTES - 1);

	*(aliasing_u64 *)&copy->to->message[at] = *(const aliasing_u64 *)&copy->from->bytes[at + 2];
	return 0;
}

/* The message that a stream holds, without its length, to where messages are read. */
static __always_inline void hand_over(struct fqdn_scratch *s, const struct fqdn_stream *stream, __u32 length)
{
	struct stream_copy copy = { .to = s, .from = stream };

	s->gathered = length;
	bpf_loop(FQDN_MESSAGE_BYTES / 8 - 1 < length / 8 ? FQDN_MESSAGE_BYTES / 8 : length / 8 + 1, copy_word, &copy, 0);
}

/*
 * Adds to the stream of this place, which is the caller's alone, what the packet has of it from `*at` on. Length of the
 * message if that completes it, 0 if more is missing, negative if it cannot be read.
 */
static __always_inline int complete_stream(struct __sk_buff *skb, struct stream_place *place, __u32 *at, __u32 end)
{
	struct fqdn_stream *stream = &place->bucket->ways[place->way & (FQDN_WAYS - 1)];
	__u32 need = 2, missing;

	/* First the length, if that was cut in two, then the message. */
#pragma clang loop unroll(disable)
	for (int i = 0; i < 2; i++) {
		if (stream->have >= 2)
			need = 2 + ((__u32)stream->bytes[0] << 8 | stream->bytes[1]);
		missing = need > stream->have ? need - stream->have : 0;
		if (missing > end - *at)
			missing = end - *at;
		if (missing && add_bytes(skb, place->bucket, place->way, *at, missing))
			return -1;
		*at += missing;
		if (stream->have < need)
			return 0;
		if (need > 2)
			return need - 2;
	}
	return -1;
}

/*
 * What of the packet belongs to a message that began earlier. Returns where the next one begins, `end`: in no byte of it; a
 * message that is complete now lies in the scratch map.
 */
__attribute__((noinline)) int continue_stream(struct __sk_buff *skb, const struct packet *p, __u32 at, __u32 end,
					      __u32 is_answer)
{
	struct fqdn_stream *stream;
	struct stream_place place;
	__u32 first, sequence, skip, now = fqdn_now();
	struct fqdn_scratch *s;
	__u32 zero = 0;
	int length = 0;
	__u64 old;

	s = bpf_map_lookup_elem(&fqdn_scratch_map, &zero);
	if (!p || !s)
		return at;
	s->gathered = 0;
	if (!find_stream(&place, p, is_answer) || place.way >= FQDN_WAYS)
		return at;
	old = take_stream(&place, p->key.endpoint);
	if (!old)
		return at;
	stream = &place.bucket->ways[place.way & (FQDN_WAYS - 1)];
	sequence = sequence_of(skb, p, &first);
	skip = stream->next - sequence;
	if (old >> 32 <= now || (!stream->have && skip > end - at && (__s32)skip < 0)) {
		/* Long ago, or a gap between messages: this one may begin here. */
		set_stream_mark(place.bucket, place.way, 0);
		return at;
	}
	if ((__s32)skip > 0 && skip >= end - at) {
		/* All of it was here before. */
		set_stream_mark(place.bucket, place.way, old);
		return end;
	}
	if (skip < end - at) {
		at += skip;
		length = stream->have ? complete_stream(skb, &place, &at, end) : 0;
		if (length > 0 && length + 2 <= FQDN_MESSAGE_BYTES)
			hand_over(s, stream, length);
		else if (length)
			count_metric(METRIC_DNS_UNREAD, 0);
		if (length >= 0) {
			/* What follows is read where it lies; the place says from where on nothing was here before. */
			if (length || !stream->have)
				stream->have = 0;
			else
				at = end;
			stream->next = sequence + (end - first);
			set_stream_mark(place.bucket, place.way, fqdn_mark(place.tag, now + STREAM_SECONDS));
			return at;
		}
	} else {
		/* A gap inside a message. */
		count_metric(METRIC_DNS_UNREAD, 0);
	}
	set_stream_mark(place.bucket, place.way, 0);
	return end;
}

/* The messages of one packet of TCP. */
static __always_inline void see_stream(struct __sk_buff *skb, const struct packet *p, __u32 end, __u32 is_answer)
{
	__u32 at, zero = 0;
	struct fqdn_scratch *s = bpf_map_lookup_elem(&fqdn_scratch_map, &zero);
	__u16 size;

	sequence_of(skb, p, &at);
	if (!s || at >= end)
		return;
	at = continue_stream(skb, p, at, end, is_answer);
	if (s->gathered)
		see_message(skb, p, 0, s->gathered, is_answer | DNS_GATHERED);
#pragma clang loop unroll(disable)
	for (int i = 0; i < FQDN_MESSAGES_MAX; i++) {
		if (at >= end)
			return;
		if (at + 2 > end || bpf_skb_load_bytes(skb, at, &size, 2) || at + 2 + host16(size) > end) {
			begin_stream(skb, p, at, end, is_answer);
			return;
		}
		at += 2;
		see_message(skb, p, at, host16(size), is_answer);
		at += host16(size);
	}
}

#endif
