/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The names of a destination as peers of a first packet. Called only for subjects with rules about names; what was found
 * waits in the per-CPU peers map, because the stack of this chain of calls is used up to its last byte (Linux 6.1).
 */
#ifndef BULKHEAD_FQDN_PEERS_H
#define BULKHEAD_FQDN_PEERS_H

#include "decide.h"
#include "fqdn_maps.h"

/* Only what is nobody's in particular can have a name: no workload, not the host, whatever prefix they lie in. */
static __always_inline bool may_have_names(__u32 identity)
{
	return identity == IDENTITY_WORLD || (identity >= IDENTITY_LOCAL_MIN && identity < IDENTITY_DERIVED_MIN);
}

static __always_inline struct fqdn_peers *fqdn_peers(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&fqdn_peers_map, &zero);
}

/* Gathers the numbers that the flow's destination has. `open`: a connection that exists may rely on what has expired. */
__attribute__((noinline)) int gather_names(const struct conntrack_key *key, __u32 identity, __u32 open)
{
	struct fqdn_peers *peers = fqdn_peers();
	struct fqdn_fact_bucket *bucket;
	struct fqdn_config *config;
	__u32 index = 0, tag, now;
	struct fqdn_fact fact;
	__u64 first, second, where;

	if (!key || !peers)
		return 0;
	peers->count = 0;
	if (!may_have_names(identity))
		return 0;
	config = bpf_map_lookup_elem(&fqdn_config_map, &index);
	if (!config)
		return 0;
	first = *(const aliasing_u64 *)key->remote.bytes;
	second = *(const aliasing_u64 *)(key->remote.bytes + 8);
	where = fqdn_scatter(config, key->endpoint, first, second, 0);
	index = fqdn_bucket(where, FQDN_NUMBER_BUCKETS);
	tag = fqdn_tag(where, key->endpoint);
	bucket = bpf_map_lookup_elem(&fqdn_number_map, &index);
	if (!bucket)
		return 0;
	now = fqdn_now() - (open ? config->open_seconds : 0);
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < FQDN_WAYS; i++) {
		__u64 mark = *(volatile __u64 *)&bucket->head.marks[i];

		if ((__u32)mark != tag || (__s32)((__u32)(mark >> 32) - now) <= 0 || !fqdn_read_fact(bucket, i, &fact) ||
		    !same_address(&fact.address, &key->remote))
			continue;
		peers->numbers[peers->count & (FQDN_NUMBERS_MAX - 1)] = fact.what;
		peers->count++;
	}
	return 0;
}

/* The best entries of a tier that name one of these numbers, into the peers map. */
__attribute__((noinline)) int ask_names(struct question *q, __u32 slot)
{
	struct fqdn_peers *peers = fqdn_peers();
	struct subject_entry *tier;
	struct answer *a;
	__u32 mask, index;

	if (!q || !peers)
		return 0;
	index = (q->bank & 1) * SUBJECT_SLOT_COUNT + (slot & (SUBJECT_SLOT_COUNT - 1));
	tier = bpf_map_lookup_elem(&subject_map, &index);
	if (!tier)
		return 0;
	q->subject = slot;
	mask = tier->probe_mask[DIRECTION_EGRESS][SUBJECT_PEER];
	__builtin_memset(peers->verdicts, 0, sizeof(peers->verdicts));
	a = (struct answer *)peers->verdicts;
	if (!(mask >> PROBE_NAMES & 1))
		return 0;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < FQDN_NUMBERS_MAX; i++) {
		if (i >= peers->count)
			break;
#pragma clang loop unroll(disable)
		for (__u32 length = 0; length <= PROBE_ALL_PROTOCOLS; length++) {
			if (mask >> length & 1)
				probe_key(q, a, peers->numbers[i], length);
		}
	}
	return 0;
}

/* Adds what `ask_names` found to what the tier says otherwise. */
static __attribute__((noinline)) void take_names(struct answer *a)
{
	struct fqdn_peers *peers = fqdn_peers();
	struct answer *names;

	if (!peers)
		return;
	names = (struct answer *)peers->verdicts;
	take_better(&a->enforced, &names->enforced);
	take_better(&a->all, &names->all);
	a->damaged |= names->damaged;
}

#endif
