/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* learn: which selectors a name matches, and what an answer that is believed leaves in the tables. */
#ifndef BULKHEAD_LEARN_H
#define BULKHEAD_LEARN_H

#include "count.h"
#include "dns_message.h"
#include "fqdn_maps.h"
#include "glob.h"

/* Behind both there are zeros. */
static __always_inline bool is_suffix(const struct fqdn_scratch *s, __u32 from, const __u8 *suffix, __u32 length)
{
#pragma clang loop unroll(disable)
	for (__u32 at = 0; at < FQDN_NAME_BYTES; at += 8) {
		if (at >= length)
			break;
		if (*(const aliasing_u64 *)&s->name[dns_index(from + at, FQDN_NAME_BYTES)] !=
		    *(const aliasing_u64 *)&suffix[at])
			return false;
	}
	return true;
}

/* Selectors of the suffix that begins at `from`, before which `labels` labels stand. */
static __always_inline void match_suffix(struct dns_walk *w, __u32 from, __u32 labels)
{
	struct fqdn_scratch *s = w->s;
	struct fqdn_selector_key key = { .hash = dns_hash(s), .length = dns_index(s->name_length - from, FQDN_NAME_BYTES) };
	struct fqdn_selector *selector;

	if (!(w->config->suffix_lengths[key.length / 64] >> key.length % 64 & 1))
		return;
	selector = bpf_map_lookup_elem(&fqdn_selector_map, &key);
	if (!selector || !is_suffix(s, from, selector->name, key.length))
		return;
	if (!labels) {
		add_number(s, selector->exact);
		return;
	}
	if (labels == 1)
		add_number(s, selector->one);
	add_number(s, selector->deep);
	if (selector->globs)
		match_globs(key.hash, key.length, selector->globs, from);
}

/* The name right to left: the hash of every suffix falls out of one pass, and is looked up. */
static long hash_label(__u32 i, void *context)
{
	struct dns_walk *w = context;
	struct fqdn_scratch *s = w->s;
	__u32 label = s->labels - 1 - i, from = s->start[label & DNS_LABELS_MASK];

	dns_hash_label(s, w->config, from);
	if (s->wants_selectors)
		match_suffix(w, from, label);
	return 0;
}

static __always_inline void hash_name(struct dns_walk *w)
{
	struct fqdn_scratch *s = w->s;

	s->h1 = s->h2 = s->numbers_found = 0;
	s->has_symbols = 0;
	/* The selector of every name stands for the empty suffix. */
	if (s->wants_selectors)
		match_suffix(w, s->name_length, s->labels);
	bpf_loop(s->labels, hash_label, w, 0);
}

/* Global functions, here and below: the verifier proves each once, by itself. */
__attribute__((noinline)) __u32 claim_way(struct fqdn_marks *head, __u32 endpoint, __u32 now)
{
	__u32 way = head ? fqdn_claim(head, endpoint, now) : FQDN_NO_WAY;

	if (way >= FQDN_WAYS)
		count_metric(METRIC_DNS_NO_ROOM, 0);
	return way;
}

__attribute__((noinline)) int note_fact(struct fqdn_fact_bucket *bucket, const struct fqdn_fact *fact, __u32 tag,
					__u32 expires, __u32 now)
{
	if (!bucket || !fact)
		return 0;
	if (!fqdn_note_fact(bucket, fact, tag, expires, now))
		count_metric(METRIC_DNS_NO_ROOM, 0);
	return 0;
}

/* Notes what `s->fact` says of its address in the bucket that `where` scatters to. */
static __always_inline void note_in(void *map, __u32 count, struct fqdn_scratch *s, __u64 where, __u32 expires)
{
	__u32 index = fqdn_bucket(where, count);
	struct fqdn_fact_bucket *bucket = bpf_map_lookup_elem(map, &index);

	if (bucket)
		note_fact(bucket, &s->fact, fqdn_tag(where, s->endpoint), expires, s->now);
}

static long learn_address(__u32 i, void *context)
{
	struct dns_walk *w = context;
	struct fqdn_scratch *s = w->s;
	struct ip_address address = dns_address(s, i);
	const aliasing_u64 *words = (const aliasing_u64 *)&address;
	__u32 expires = s->now + clamp_ttl(s->record[i & (FQDN_RECORDS_MAX - 1)].ttl, w->config) + w->config->grace_seconds;
	__u64 where;

	if (is_never_opened(&address)) {
		count_metric(METRIC_DNS_FORBIDDEN, 0);
		return 0;
	}
	s->fact.address = address;
	where = fqdn_scatter(w->config, s->endpoint, words[0], words[1], 0);
#pragma clang loop unroll(disable)
	for (__u32 n = 0; n < FQDN_NUMBERS_MAX; n++) {
		if (n >= s->numbers_found)
			break;
		s->fact.what = s->numbers[n];
		note_in(&fqdn_number_map, FQDN_NUMBER_BUCKETS, s, where, expires);
	}
	s->fact.what = s->asked.hash;
	where = fqdn_scatter(w->config, s->endpoint, words[0], words[1], s->fact.what);
	note_in(&fqdn_history_map, FQDN_HISTORY_BUCKETS, s, where, expires);
	if (s->latest < expires)
		s->latest = expires;
	if (s->numbers_found)
		count_metric(METRIC_DNS_LEARNED, 0);
	return 0;
}

/* Writes the name at a place that was claimed, and marks it. */
static __always_inline void write_name(struct fqdn_name_bucket *bucket, __u32 way, const struct fqdn_scratch *s, __u32 tag)
{
	struct fqdn_name *name = &bucket->ways[way & (FQDN_WAYS - 1)];

	name->hash = s->asked.hash;
	name->length = s->name_length;
#pragma clang loop unroll(disable)
	for (__u32 at = 0; at < FQDN_NAME_BYTES; at += 8) {
		if (at >= s->name_length)
			break;
		*(aliasing_u64 *)&name->bytes[at] = *(const aliasing_u64 *)&s->name[at];
	}
	asm volatile("" ::: "memory");
	*(volatile __u64 *)&bucket->head.marks[way & (FQDN_WAYS - 1)] = fqdn_mark(tag, s->latest);
}

/* Keeps the name for as long as one of its addresses: a rule that comes later learns from it, and people see it. */
static __attribute__((noinline)) int note_name(struct fqdn_scratch *s, const struct fqdn_config *config)
{
	__u64 where = fqdn_scatter(config, s->endpoint, 0, 0, s->asked.hash);
	__u32 index = fqdn_bucket(where, FQDN_NAME_BUCKETS), tag = fqdn_tag(where, s->endpoint), way;
	struct fqdn_name_bucket *bucket = bpf_map_lookup_elem(&fqdn_name_map, &index);

	if (!bucket)
		return 0;
#pragma clang loop unroll(disable)
	for (way = 0; way < FQDN_WAYS; way++) {
		__u64 mark = *(volatile __u64 *)&bucket->head.marks[way];

		if ((__u32)mark != tag || bucket->ways[way].hash != s->asked.hash)
			continue;
		if (mark >> 32 >= s->latest || __sync_val_compare_and_swap(&bucket->head.marks[way], mark,
									  fqdn_mark(tag, s->latest)) == mark)
			return 0;
	}
	way = claim_way(&bucket->head, s->endpoint, s->now);
	if (way < FQDN_WAYS)
		write_name(bucket, way, s, tag);
	return 0;
}

/* In line: the stack of the chain of calls. */
static __always_inline int believe(struct dns_walk *w)
{
	struct fqdn_scratch *s = w->s;

	if (!dns_read_answers(w)) {
		count_metric(METRIC_DNS_MALFORMED, 0);
		return 0;
	}
	s->latest = 0;
	bpf_loop(s->found < FQDN_RECORDS_MAX ? s->found : FQDN_RECORDS_MAX, learn_address, w, 0);
	return s->latest ? note_name(s, w->config) : 0;
}

#endif
