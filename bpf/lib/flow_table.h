/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The flow table of bpf/abi/conntrack.h: find, and add. Nothing is taken out here. */
#ifndef BULKHEAD_FLOW_TABLE_H
#define BULKHEAD_FLOW_TABLE_H

#include "maps.h"
#include "packet.h"

/* Adding is tried again when another CPU has changed the chain meanwhile; losing so often in a row does not happen. */
#define ADD_TRIES_MAX 8

/*
 * One end's share of the hash: products of sums with secret numbers, so that nobody who does not know them can fill one
 * chain on purpose (multiply-add over 32-bit words is universal: NH of UMAC, RFC 4418). Then mixed: the sum of two ends
 * must not follow from the sum of their ports, or all flows between two addresses with the same sum would meet.
 */
static __always_inline __u64 hash_end(const struct conntrack_table *t, const struct ip_address *address, __u16 port)
{
	const aliasing_u64 *words = (const aliasing_u64 *)address->bytes;
	__u32 a = words[0], b = words[0] >> 32, c = words[1], d = words[1] >> 32;

	__u64 h = (__u64)(a + t->secret[0]) * (__u32)(b + t->secret[1]) +
		  (__u64)(c + t->secret[2]) * (__u32)(d + t->secret[3]) + (__u64)(port + t->secret[4]) * t->secret[5];

	h = (h ^ h >> 32) * 0xD6E8FEB86659FD93ull;
	return h ^ h >> 32;
}

/*
 * A key's place: its bucket, the same for (local, remote) and (remote, local), and from bit CONNTRACK_MARK_SHIFT on the
 * number of its mark, which is not.
 */
static __always_inline __u32 place_of(const struct conntrack_table *t, const struct conntrack_key *key)
{
	__u64 local = hash_end(t, &key->local, key->local_port);
	__u64 h = (local + hash_end(t, &key->remote, key->remote_port)) * 0x9E3779B97F4A7C15ull;

	return ((h >> 32) & t->bucket_mask & CONNTRACK_REFERENCE_MASK) | (local >> 61) << CONNTRACK_MARK_SHIFT;
}

static __always_inline __u32 mark_at(__u32 place)
{
	return 1u << (CONNTRACK_MARK_SHIFT + (place >> CONNTRACK_MARK_SHIFT & 7));
}

static __always_inline struct conntrack_node *node_at(__u32 reference)
{
	__u32 number = reference - 1;

	return bpf_map_lookup_elem(&conntrack_map, &number);
}

static __always_inline bool same_key(const struct conntrack_key *a, const struct conntrack_key *b)
{
	const aliasing_u64 *x = (const aliasing_u64 *)a, *y = (const aliasing_u64 *)b;

	/* One branch: keys that share a bucket differ or do not, and the verifier follows every path. */
	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4]));
}

static __always_inline struct conntrack_table *flow_table(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&conntrack_table_map, &zero);
}

static __always_inline __u32 *head_at(__u32 place)
{
	__u32 bucket = place & CONNTRACK_REFERENCE_MASK, index = bucket / CONNTRACK_HEADS;
	struct conntrack_heads *heads = bpf_map_lookup_elem(&conntrack_heads_map, &index);

	if (!heads)
		return 0;
	/* As in entry_of: nothing is added to what may be no address. */
	asm volatile("" : "+r"(heads));
	return &heads->first[bucket % CONNTRACK_HEADS];
}

/*
 * The first node from `reference` on with this key; 0 if the chain has none, CHAIN_TOO_LONG if it has too many. Neither
 * names a node: they are beyond every table. A global function: the verifier proves it once, by itself, instead of
 * along every path that leads to it.
 */
#define CHAIN_TOO_LONG 0xffffffffu

__attribute__((noinline)) __u32 search_chain(const struct conntrack_key *key, __u32 reference)
{
	if (!key)
		return 0;
#pragma clang loop unroll(disable)
	for (int i = 0; i < CONNTRACK_CHAIN_MAX; i++) {
		struct conntrack_node *n = node_at(reference);

		if (!n)
			return 0;
		if (same_key(&n->key, key))
			return reference;
		reference = n->next;
	}
	return CHAIN_TOO_LONG;
}

/*
 * A node's entry. The empty assembly keeps the compiler from adding the offset before the test for a node, which the
 * verifier refuses.
 */
static __always_inline struct conntrack_entry *entry_of(struct conntrack_node *n)
{
	asm volatile("" : "+r"(n));
	return &n->entry;
}

/*
 * The node of this key in the chain of `*head`. Two steps in line, because a flow between endpoints of this host has its
 * two entries in one chain. If the chain is too long to say, `*head` becomes CHAIN_TOO_LONG.
 */
static __always_inline struct conntrack_node *find_in_chain(__u32 *head, __u32 mark, const struct conntrack_key *key)
{
	struct conntrack_node *n;
	__u32 reference;

	if (!(*head & mark))
		return 0;
	n = node_at(*head & CONNTRACK_REFERENCE_MASK);
	if (!n || same_key(&n->key, key))
		return n;
	n = node_at(n->next);
	if (!n || same_key(&n->key, key))
		return n;
	reference = search_chain(key, *head & CONNTRACK_REFERENCE_MASK);
	if (reference == CHAIN_TOO_LONG)
		*head = reference;
	return node_at(reference);
}

/* Not in line: the stack of the chain of calls. */
static __attribute__((noinline)) __u32 *chain_of(const struct conntrack_table *t, const struct conntrack_key *key)
{
	return head_at(place_of(t, key));
}

/* The same for those who have not hashed yet. Not in line: the stack of the chain of calls. */
static __attribute__((noinline)) struct conntrack_node *find_flow(const struct conntrack_key *key)
{
	struct conntrack_table *t = flow_table();
	__u32 *head = t ? chain_of(t, key) : 0;

	return head ? node_at(search_chain(key, *(volatile __u32 *)head & CONNTRACK_REFERENCE_MASK)) : 0;
}

/* The number + 1 of a node that nobody else uses, 0 if all are taken. Not in line: the stack of the chain of calls. */
static __attribute__((noinline)) __u32 take_node(struct conntrack_table *t)
{
	struct conntrack_node *n;
	__u32 number;
	__u64 top;

#pragma clang loop unroll(disable)
	for (int i = 0; i < ADD_TRIES_MAX; i++) {
		top = *(volatile __u64 *)&t->free_nodes;
		n = node_at(top);
		if (!n)
			break;
		if (__sync_val_compare_and_swap(&t->free_nodes, top, ((top >> 32) + 1) << 32 | n->next) == top)
			return top;
	}
	number = *(volatile __u32 *)&t->fresh;
	/* Not counted on past the end, or it would come round. */
	if (!node_at(number + 1))
		return 0;
	number = __sync_fetch_and_add(&t->fresh, 1);
	return node_at(number + 1) ? number + 1 : 0;
}

/* Gives back a node that was taken and never linked; 0: there is none. */
static __attribute__((noinline)) void return_node(struct conntrack_table *t, __u32 reference)
{
	struct conntrack_node *n = node_at(reference);

	if (!n)
		return;
#pragma clang loop unroll(disable)
	for (int i = 0; i < ADD_TRIES_MAX; i++) {
		__u64 top = *(volatile __u64 *)&t->free_nodes;

		n->in_use = 0;
		n->next = top;
		if (__sync_val_compare_and_swap(&t->free_nodes, top, ((top >> 32) + 1) << 32 | reference) == top)
			return;
	}
	/* In use and in no chain: so the agent finds what could not be given back. */
	n->in_use = 1;
}

/* A node of one's own with this key that is not linked yet: its number + 1, 0 if all are taken. */
static __attribute__((noinline)) __u32 prepare_node(struct conntrack_table *t, const struct conntrack_key *key)
{
	const aliasing_u64 *from = (const aliasing_u64 *)key;
	__u32 reference = take_node(t);
	struct conntrack_node *n = node_at(reference);
	aliasing_u64 *to;

	if (!n)
		return 0;
	n->in_use = 1;
	to = (aliasing_u64 *)&n->key;
	/* By words: the compiler would copy by halves, as the struct is aligned. */
	for (int i = 0; i < 5; i++)
		to[i] = from[i];
	n->entry.state = CONNTRACK_UNBORN;
	return reference;
}

/*
 * Links an own node at the head of a chain whose head still is `found`. A function of its own, like the others here,
 * because all that a chain of calls holds must fit into 512 bytes.
 */
static __attribute__((noinline)) bool link_node(__u32 *head, __u32 found, __u32 reference, __u32 mark)
{
	struct conntrack_node *n = node_at(reference);
	__u32 wanted = (found & ~CONNTRACK_REFERENCE_MASK) | mark | reference;

	if (!n)
		return false;
	n->next = found & CONNTRACK_REFERENCE_MASK;
	return __sync_val_compare_and_swap(head, found, wanted) == found;
}

/*
 * The node of this key, taken and linked if there is none: its number + 1, 0 if the table is full. Its state says that
 * nobody has filled it yet; who meets it so fills it too, and with the same. `seen`: the chain's head when it did not
 * have this key; as long as it is the same it still does not, as nothing that is taken out comes back while a program
 * runs. A global function: the verifier proves it once, by itself, instead of along every path that leads to it.
 */
__attribute__((noinline)) __u32 add_node(const struct conntrack_key *key, __u32 place, __u32 seen)
{
	struct conntrack_table *t = flow_table();
	__u32 *head = head_at(place), found, at, own = 0;

	if (!key || !t || !head)
		return 0;
#pragma clang loop unroll(disable)
	for (int i = 0; i < ADD_TRIES_MAX; i++) {
		struct conntrack_node *n;

		found = *(volatile __u32 *)head;
		at = found == seen ? 0 : search_chain(key, found & CONNTRACK_REFERENCE_MASK);
		if (at == CHAIN_TOO_LONG)
			break;
		n = node_at(at);
		if (n) {
			entry_of(n)->state = CONNTRACK_UNBORN;
			return_node(t, own);
			return at;
		}
		if (!own)
			own = prepare_node(t, key);
		if (!own)
			return 0;
		if (link_node(head, found, own, mark_at(place)))
			return own;
	}
	return_node(t, own);
	return 0;
}

#endif
