/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * see_message: one DNS message between an endpoint and a resolver. A query is noted; the first answer to it, from that
 * resolver, to that port, with that id and question, in time, is believed.
 */
#ifndef BULKHEAD_SEE_MESSAGE_H
#define BULKHEAD_SEE_MESSAGE_H

#include "learn.h"

/* Who asks or is answered; the words are compared at once. */
static __always_inline bool is_same_query(const struct fqdn_query *a, const struct fqdn_query *b)
{
	const aliasing_u64 *x = (const aliasing_u64 *)a, *y = (const aliasing_u64 *)b;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | ((x[4] ^ y[4]) << 16));
}

/*
 * The place of a query between the same ends with the same id, FQDN_NO_WAY: there is none. `mask`: of the tag. A global
 * function, as all that is called from the path of every packet: the verifier proves it once, by itself.
 */
__attribute__((noinline)) __u32 find_query(struct fqdn_query_bucket *bucket, const struct fqdn_query *query, __u32 tag,
					   __u32 mask)
{
	if (!bucket || !query)
		return FQDN_NO_WAY;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < FQDN_WAYS; i++)
		if (((__u32)*(volatile __u64 *)&bucket->head.marks[i] & mask) == tag && is_same_query(&bucket->ways[i], query))
			return i;
	return FQDN_NO_WAY;
}

/* Notes the question in hand, in the place of one between the same ends with the same id. */
static __attribute__((noinline)) int note_query(struct fqdn_query_bucket *bucket, const struct fqdn_scratch *s, __u32 tag,
						__u32 way, __u32 expires)
{
	__u64 *mark = &bucket->head.marks[way & (FQDN_WAYS - 1)], old = *(volatile __u64 *)mark;

	if (way >= FQDN_WAYS || (__u32)old != tag || __sync_val_compare_and_swap(mark, old, FQDN_BUSY(s->endpoint)) != old) {
		way = claim_way(&bucket->head, s->endpoint, s->now);
		if (way >= FQDN_WAYS)
			return 0;
	}
	bucket->ways[way & (FQDN_WAYS - 1)] = s->asked;
	asm volatile("" ::: "memory");
	*(volatile __u64 *)&bucket->head.marks[way & (FQDN_WAYS - 1)] = fqdn_mark(tag, expires);
	count_metric(METRIC_DNS_QUERY, 0);
	return 0;
}

/* Who is asked or answers, and with what id: into s->asked. Returns what it scatters to. */
static __always_inline __u64 name_ends(struct fqdn_scratch *s, const struct fqdn_config *config, const struct packet *p)
{
	const aliasing_u64 *words = (const aliasing_u64 *)&p->key.remote;

	s->asked.resolver = p->key.remote;
	s->asked.client = p->key.local;
	s->asked.port = p->key.local_port;
	s->asked.protocol = p->key.protocol;
	s->now = fqdn_now();
	s->endpoint = p->key.endpoint;
	return fqdn_scatter(config, s->endpoint, words[0], words[1],
			    s->asked.id | (__u32)s->asked.port << 16 | (__u64)s->asked.protocol << 32);
}

/* Where forged answers to the query in hand are noted: whoever sent them. */
static __always_inline __u64 scatter_forged(const struct fqdn_query *query, const struct fqdn_config *config)
{
	const aliasing_u64 *words = (const aliasing_u64 *)query;

	return fqdn_scatter(config, 0, words[0], words[1], query->id | (__u32)query->port << 16 | (__u64)query->protocol << 32);
}

static __attribute__((noinline)) bool is_forged(struct fqdn_scratch *s, const struct fqdn_config *config)
{
	__u16 id = s->asked.id;
	__u32 index, way;
	__u64 where;
	struct fqdn_query_bucket *bucket;

	/* Of TCP the connection counts: a segment says no id. */
	if (s->asked.protocol != PROTOCOL_UDP)
		s->asked.id = 0;
	where = scatter_forged(&s->asked, config);
	index = fqdn_bucket(where, FQDN_FORGED_BUCKETS);
	bucket = bpf_map_lookup_elem(&fqdn_forged_map, &index);
	way = find_query(bucket, &s->asked, fqdn_tag(where, 0), 0xffff);
	s->asked.id = id;
	return bucket && way < FQDN_WAYS && *(volatile __u64 *)&bucket->head.marks[way] >> 32 > s->now;
}

/*
 * What an endpoint whose source is not checked sends from port 53. If it speaks in the name of a listed resolver that it is
 * not, the answer is noted: it passes, as the endpoint may be a router, but is not believed where it arrives.
 */
__attribute__((noinline)) int note_forged(struct __sk_buff *skb, const struct packet *p)
{
	__u32 zero = 0, index, way, now = fqdn_now();
	const struct fqdn_config *config = bpf_map_lookup_elem(&fqdn_config_map, &zero);
	struct endpoint_address_key own = {};
	struct fqdn_query answer = {};
	struct fqdn_query_bucket *bucket;
	__u64 where;

	if (!p || !config || !config->is_enabled)
		return 0;
	own.address = p->key.local;
	own.endpoint = p->key.endpoint;
	if (!bpf_map_lookup_elem(&fqdn_resolver_map, &own.address) || bpf_map_lookup_elem(&endpoint_address_map, &own))
		return 0;
	answer.resolver = p->key.local;
	answer.client = p->key.remote;
	answer.port = p->key.remote_port;
	answer.protocol = p->key.protocol;
	if (p->key.protocol == PROTOCOL_UDP && bpf_skb_load_bytes(skb, p->l4_offset + 8, &answer.id, 2))
		return 0;
	where = scatter_forged(&answer, config);
	index = fqdn_bucket(where, FQDN_FORGED_BUCKETS);
	bucket = bpf_map_lookup_elem(&fqdn_forged_map, &index);
	if (!bucket)
		return 0;
	count_metric(METRIC_DNS_FORGED, 0);
	way = claim_way(&bucket->head, p->key.endpoint, now);
	if (way >= FQDN_WAYS)
		return 0;
	bucket->ways[way] = answer;
	asm volatile("" ::: "memory");
	*(volatile __u64 *)&bucket->head.marks[way] = fqdn_mark(fqdn_tag(where, p->key.endpoint), now + config->query_seconds + 1);
	return 0;
}

/* What see_message is told beside whether it is an answer: the message is in the scratch map already. */
#define DNS_GATHERED 2

/*
 * Copies 1 to FQDN_MESSAGE_BYTES bytes out of the packet. The bounds are proven here, in a way that every verifier follows:
 * older ones do not learn from `!count` that it is 1 at least, nor from a comparison what a copy of the number is.
 */
static __always_inline bool load_bounded(struct __sk_buff *skb, __u32 at, __u8 *to, __u32 count)
{
	count--;
	asm volatile("" : "+r"(count));
	return count < FQDN_MESSAGE_BYTES && !bpf_skb_load_bytes(skb, at, to, count + 1);
}

/* The first bytes of the message, or all of it. */
static __always_inline bool load_message(struct __sk_buff *skb, struct fqdn_scratch *s, __u32 at, __u32 length, __u32 what)
{
	return what & DNS_GATHERED || load_bounded(skb, at, s->message, length);
}

/*
 * One message that lies at `at` in the packet. Cheapest doubt first: an answer that nobody waits for is not read.
 * `what`: 1, an answer; and DNS_GATHERED.
 */
__attribute__((noinline)) int see_message(struct __sk_buff *skb, const struct packet *p, __u32 at, __u32 length, __u32 what)
{
	__u32 is_answer = what & 1;
	__u32 zero = 0, index, tag, way;
	struct dns_walk w = {
		.s = bpf_map_lookup_elem(&fqdn_scratch_map, &zero), .config = bpf_map_lookup_elem(&fqdn_config_map, &zero),
	};
	struct fqdn_query_bucket *bucket;
	struct fqdn_query *query;
	struct fqdn_scratch *s;
	__u64 where, mark;
	int flags;

	if (!p || !w.s || !w.config)
		return 0;
	s = w.s;
	if (length < DNS_HEADER_BYTES + 5 || length > FQDN_MESSAGE_BYTES || !load_message(skb, s, at, 2, what)) {
		count_metric(METRIC_DNS_MALFORMED, 0);
		return 0;
	}
	s->asked.id = *(__u16 *)s->message;
	where = name_ends(s, w.config, p);
	index = fqdn_bucket(where, FQDN_QUERY_BUCKETS);
	tag = fqdn_tag(where, s->endpoint);
	bucket = bpf_map_lookup_elem(&fqdn_query_map, &index);
	if (!bucket)
		return 0;
	way = find_query(bucket, &s->asked, tag, ~0u);
	query = &bucket->ways[way & (FQDN_WAYS - 1)];
	mark = *(volatile __u64 *)&bucket->head.marks[way & (FQDN_WAYS - 1)];
	if (is_answer && (way >= FQDN_WAYS || (__u32)mark != tag || mark >> 32 <= s->now || is_forged(s, w.config))) {
		count_metric(METRIC_DNS_UNASKED, 0);
		return 0;
	}
	s->length = length;
	s->wants_selectors = is_answer;
	if (!load_message(skb, s, at, length, what))
		return 0;
	flags = dns_read_question(&w);
	if (flags < 0 || !(flags & DNS_FLAG_RESPONSE) != !is_answer) {
		count_metric(METRIC_DNS_MALFORMED, 0);
		return 0;
	}
	hash_name(&w);
	s->asked.hash = dns_hash(s);
	s->asked.length = s->name_length;
	s->asked.type = dns_question_type(s);
	if (!is_answer)
		return note_query(bucket, s, tag, way, s->now + w.config->query_seconds + 1);
	/* One query, one answer: who takes it out believes it. */
	if (query->hash != s->asked.hash || query->length != s->asked.length || query->type != s->asked.type ||
	    __sync_val_compare_and_swap(&bucket->head.marks[way & (FQDN_WAYS - 1)], mark, 0) != mark) {
		count_metric(METRIC_DNS_UNASKED, 0);
		return 0;
	}
	count_metric(METRIC_DNS_ANSWER, 0);
	return flags & DNS_FLAG_RCODE ? 0 : believe(&w);
}

#endif
