/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What an endpoint holds of queries, answers and addresses, in the order in which it came: an endpoint that asks without
 * end pushes out only its own. Nobody else frees the room while no agent is at work.
 */
#ifndef BULKHEAD_FQDN_RING_H
#define BULKHEAD_FQDN_RING_H

#include "fqdn_maps.h"

/* Addresses that are looked at for one that has expired, before one goes that has not. */
#define FQDN_TRIES_MAX 4

/* How many of a kind came before, counted on by one. */
static __attribute__((noinline)) __u32 count_on(__u16 endpoint, __u16 kind)
{
	struct fqdn_ring_key at = { .endpoint = endpoint, .kind = kind, .slot = FQDN_RING_CURSOR };
	struct fqdn_ring_entry first = {}, *cursor = bpf_map_lookup_elem(&fqdn_ring_map, &at);

	if (!cursor) {
		bpf_map_update_elem(&fqdn_ring_map, &at, &first, BPF_NOEXIST);
		cursor = bpf_map_lookup_elem(&fqdn_ring_map, &at);
	}
	return cursor ? __sync_fetch_and_add(&cursor->key[0], 1) : 0;
}

static __always_inline void copy_words(void *to, const void *from, int count)
{
	for (int i = 0; i < count; i++)
		((volatile __u32 *)to)[i] = ((const __u32 *)from)[i];
}

static __attribute__((noinline)) void hold_query(const struct fqdn_query_key *key, __u32 share)
{
	struct fqdn_ring_key at = { .endpoint = key->endpoint, .kind = FQDN_RING_QUERY };
	struct fqdn_ring_entry entry, *old;

	if (!share)
		return;
	at.slot = count_on(key->endpoint, FQDN_RING_QUERY) % share;
	old = bpf_map_lookup_elem(&fqdn_ring_map, &at);
	if (old) {
		bpf_map_delete_elem(&fqdn_query_map, old->key);
		copy_words(old->key, key, 10);
		return;
	}
	copy_words(entry.key, key, 10);
	bpf_map_update_elem(&fqdn_ring_map, &at, &entry, BPF_ANY);
}

static __attribute__((noinline)) void hold_answer(const struct fqdn_answer_key *key, __u32 share)
{
	struct fqdn_ring_key at = { .endpoint = key->endpoint, .kind = FQDN_RING_ANSWER };
	struct fqdn_ring_entry entry = {}, *old;

	if (!share)
		return;
	at.slot = count_on(key->endpoint, FQDN_RING_ANSWER) % share;
	old = bpf_map_lookup_elem(&fqdn_ring_map, &at);
	if (old)
		bpf_map_delete_elem(&fqdn_answer_map, old->key);
	copy_words(entry.key, key, 4);
	bpf_map_update_elem(&fqdn_ring_map, &at, &entry, BPF_ANY);
}

/* True if the slot's address may go: it has expired, or is gone already. */
static __attribute__((noinline)) bool is_past(const struct fqdn_ring_key *at, __u32 now)
{
	struct fqdn_ring_entry *old = bpf_map_lookup_elem(&fqdn_ring_map, at);
	struct fqdn_address *e = old ? bpf_map_lookup_elem(&fqdn_address_map, old->key) : 0;

	return !e || e->expires <= now;
}

static __attribute__((noinline)) void hold_address(const struct fqdn_address_key *key, __u32 share, __u32 now)
{
	struct fqdn_ring_key at = { .endpoint = key->endpoint, .kind = FQDN_RING_ADDRESS };
	struct fqdn_ring_entry entry = {}, *old;
	__u32 first;

	if (!share)
		return;
	/* The oldest goes, unless one of the next has expired. */
	first = count_on(key->endpoint, FQDN_RING_ADDRESS);
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < FQDN_TRIES_MAX; i++) {
		at.slot = (first + i) % share;
		if (is_past(&at, now))
			goto found;
	}
	at.slot = first % share;
found:
	old = bpf_map_lookup_elem(&fqdn_ring_map, &at);
	if (old)
		bpf_map_delete_elem(&fqdn_address_map, old->key);
	copy_words(entry.key, key, 5);
	bpf_map_update_elem(&fqdn_ring_map, &at, &entry, BPF_ANY);
}

#endif
