/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* learn: which selectors a name matches, and what an answer that is believed leaves in the tables. */
#ifndef BULKHEAD_LEARN_H
#define BULKHEAD_LEARN_H

#include "count.h"
#include "dns_message.h"
#include "fqdn_ring.h"

static __always_inline void add_number(struct fqdn_scratch *s, __u32 number)
{
	if (!number)
		return;
	if (s->numbers_found >= FQDN_NUMBERS_MAX) {
		count_metric(METRIC_DNS_CROWDED, 0);
		return;
	}
	s->numbers[s->numbers_found & (FQDN_NUMBERS_MAX - 1)] = number;
	s->numbers_found++;
}

static long same_name_byte(__u32 i, void *context)
{
	struct dns_walk *w = context;
	struct fqdn_scratch *s = w->s;

	s->differs = s->answer.name[(s->from + i) & (FQDN_NAME_BYTES - 1)] != w->selector->name[i & (FQDN_NAME_BYTES - 1)];
	return s->differs;
}

/* Selectors of the suffix that begins at `at`, before which `s->labels` labels stand. */
static __always_inline void match_suffix(struct dns_walk *w, __u32 at)
{
	struct fqdn_scratch *s = w->s;
	struct fqdn_selector_key key = { .hash = dns_hash(s), .length = s->name_length - at };

	w->selector = bpf_map_lookup_elem(&fqdn_selector_map, &key);
	if (!w->selector)
		return;
	s->from = at;
	s->differs = 0;
	bpf_loop(key.length, same_name_byte, w, 0);
	if (s->differs)
		return;
	if (!s->labels) {
		add_number(s, w->selector->exact);
		return;
	}
	if (s->labels == 1)
		add_number(s, w->selector->one);
	add_number(s, w->selector->deep);
}

/* The name right to left: the hash of every suffix falls out of one pass, and at each label the suffix is looked up. */
static long hash_name_byte(__u32 i, void *context)
{
	struct dns_walk *w = context;
	struct fqdn_scratch *s = w->s;
	__u32 at = (s->name_length - 1 - i) & (FQDN_NAME_BYTES - 1);

	s->h1 = dns_mix(s->h1, w->config->hash_keys[0], s->answer.name[at]);
	s->h2 = dns_mix(s->h2, w->config->hash_keys[1], s->answer.name[at]);
	if (at != s->start[(s->labels - 1) & DNS_LABELS_MASK])
		return 0;
	s->labels--;
	if (s->wants_selectors)
		match_suffix(w, at);
	return 0;
}

static __always_inline void hash_name(struct dns_walk *w)
{
	struct fqdn_scratch *s = w->s;

	s->h1 = s->h2 = s->numbers_found = 0;
	/* The selector of every name stands for the empty suffix. */
	if (s->wants_selectors)
		match_suffix(w, s->name_length);
	bpf_loop(s->name_length, hash_name_byte, w, 0);
}

/*
 * Gives an address one more number, or prolongs it; never shortens. By compare and exchange: two answers may teach at once.
 * A global function: the verifier proves it once, by itself.
 */
__attribute__((noinline)) int set_number(struct fqdn_address *e, __u32 number, __u32 expires, __u32 now)
{
	__u64 wanted = (__u64)number << 32 | expires, old;

	if (!e)
		return 0;
#pragma clang loop unroll(disable)
	for (int i = 0; i < FQDN_NUMBERS_MAX; i++) {
		old = *(volatile __u64 *)&e->numbers[i];
		if (old >> 32 != number)
			continue;
		if ((__u32)old < expires)
			__sync_val_compare_and_swap(&e->numbers[i], old, wanted);
		return 0;
	}
#pragma clang loop unroll(disable)
	for (int i = 0; i < FQDN_NUMBERS_MAX; i++) {
		old = *(volatile __u64 *)&e->numbers[i];
		if ((!old || (__u32)old <= now) && __sync_val_compare_and_swap(&e->numbers[i], old, wanted) == old)
			return 0;
	}
	count_metric(METRIC_DNS_CROWDED, 0);
	e->numbers[number & (FQDN_NUMBERS_MAX - 1)] = wanted;
	return 0;
}

/* The record of an address, made if there is none; 0: no room. */
static __attribute__((noinline)) struct fqdn_address *address_record(struct fqdn_scratch *s, const struct ip_address *address,
								     __u32 share)
{
	struct fqdn_address_key key = { .address = *address, .endpoint = s->endpoint };
	struct fqdn_address *e = bpf_map_lookup_elem(&fqdn_address_map, &key);

	if (e)
		return e;
	hold_address(&key, share, s->now);
	s->fresh.key = key;
	s->fresh.expires = 0;
	bpf_map_update_elem(&fqdn_address_map, &key, &s->fresh, BPF_NOEXIST);
	e = bpf_map_lookup_elem(&fqdn_address_map, &key);
	if (!e)
		count_metric(METRIC_DNS_NO_ROOM, 0);
	return e;
}

static long learn_address(__u32 i, void *context)
{
	struct dns_walk *w = context;
	struct fqdn_scratch *s = w->s;
	struct ip_address address = dns_address(s, i);
	__u32 expires = s->now + clamp_ttl(s->record[i & (FQDN_RECORDS_MAX - 1)].ttl, w->config) + w->config->grace_seconds;
	__u32 place = s->answer.count;
	struct fqdn_address *e;

	if (is_never_opened(&address)) {
		count_metric(METRIC_DNS_FORBIDDEN, 0);
		return 0;
	}
	if (place < FQDN_ANSWER_ADDRESSES) {
		s->answer.addresses[place & (FQDN_ANSWER_ADDRESSES - 1)] = address;
		s->answer.expires[place & (FQDN_ANSWER_ADDRESSES - 1)] = expires;
		s->answer.count = place + 1;
	}
	if (!s->numbers_found)
		return 0;
	e = address_record(s, &address, w->config->share);
	if (!e)
		return 0;
#pragma clang loop unroll(disable)
	for (__u32 n = 0; n < FQDN_NUMBERS_MAX; n++) {
		if (n >= s->numbers_found)
			break;
		set_number(e, s->numbers[n], expires, s->now);
	}
	if (e->expires < expires)
		e->expires = expires;
	count_metric(METRIC_DNS_LEARNED, 0);
	return 0;
}

/* Remembers the answer with its name: a rule that comes later learns from it, and people see it. */
static __attribute__((noinline)) void remember_answer(struct fqdn_scratch *s, __u32 share)
{
	struct fqdn_answer_key key = {
		.hash = dns_hash(s), .endpoint = s->endpoint, .length = s->name_length, .type = s->asked.type,
	};

	s->answer.learned = s->now;
	if (!bpf_map_lookup_elem(&fqdn_answer_map, &key))
		hold_answer(&key, share);
	bpf_map_update_elem(&fqdn_answer_map, &key, &s->answer, BPF_ANY);
}

static __attribute__((noinline)) int believe(struct dns_walk *w)
{
	struct fqdn_scratch *s = w->s;

	if (!dns_read_answers(w)) {
		count_metric(METRIC_DNS_MALFORMED, 0);
		return 0;
	}
	s->answer.count = 0;
	bpf_loop(s->found < FQDN_RECORDS_MAX ? s->found : FQDN_RECORDS_MAX, learn_address, w, 0);
	if (s->answer.count)
		remember_answer(s, w->config->share);
	return 0;
}

#endif
