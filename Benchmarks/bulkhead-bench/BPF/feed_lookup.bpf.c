/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a lookup in the feeds' trie costs, and in the kernel's own LPM trie: LOOKUPS in a row, each waiting for the answer of the
 * last, as a packet's does. keys_only is the same loop without a lookup.
 */
#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include "find_prefix.h"

#define LOOKUPS 256
#define KEY_COUNT (1u << 20)

struct lookup_key {
	__u64 hi, lo;                     /* as in range_trie.h */
};

struct lpm_key {
	__u32 length;
	__u8 address[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, KEY_COUNT);
	__type(key, __u32);
	__type(value, struct lookup_key);
} lookup_keys_map SEC(".maps");

/* IPv4 keys, two to an element: fewer bytes, for real packets bring theirs along. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, KEY_COUNT / 2);
	__type(key, __u32);
	__type(value, __u64);
} lookup_short_keys_map SEC(".maps");

struct lookup_trie {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, RANGE_CHUNK_BYTES);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__array(values, struct lookup_trie);
} lookup_trie_map SEC(".maps");

struct {
	__uint(type, 11); /* LPM_TRIE */
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1100000);
	__type(key, struct lpm_key);
	__type(value, __u32);
} lookup_lpm_map SEC(".maps");

__u32 next_key;

__attribute__((noinline)) int in_trie_ipv4(__u64 hi)
{
	__u32 zero = 0;
	void *trie = bpf_map_lookup_elem(&lookup_trie_map, &zero);

	return trie ? find_prefix(trie, hi, 0, true) : 0;
}

__attribute__((noinline)) int in_trie_ipv6(__u64 hi, __u64 lo)
{
	__u32 zero = 0;
	void *trie = bpf_map_lookup_elem(&lookup_trie_map, &zero);

	return trie ? find_prefix(trie, hi, lo, false) : 0;
}

__attribute__((noinline)) int in_lpm(__u64 hi, __u64 lo)
{
	struct lpm_key key = {.length = 128};
	__u32 *found;

	*(__u64 *)key.address = __builtin_bswap64(hi);
	*(__u64 *)(key.address + 8) = __builtin_bswap64(lo);
	found = bpf_map_lookup_elem(&lookup_lpm_map, &key);
	return found ? *found : 0;
}

#define MEASURE(name, lookup)                                                              \
	SEC("tc") int name(struct __sk_buff *skb)                                          \
	{                                                                                  \
		__u32 sum = 0, last = 0, from = next_key;                                  \
                                                                                           \
		next_key = from + LOOKUPS;                                                 \
		for (__u32 i = 0; i < LOOKUPS; i++) {                                      \
			/* No class has so many bits: only the processor has to wait. */   \
			__u32 index = (from + i + (last >> 16)) & (KEY_COUNT - 1);         \
			struct lookup_key *key = bpf_map_lookup_elem(&lookup_keys_map, &index); \
                                                                                           \
			if (!key)                                                          \
				return 0;                                                  \
			last = lookup;                                                     \
			sum += last ? 1 : 0;                                               \
		}                                                                          \
		return sum;                                                                \
	}

#define MEASURE_SHORT(name, lookup)                                                        \
	SEC("tc") int name(struct __sk_buff *skb)                                          \
	{                                                                                  \
		__u32 sum = 0, last = 0, from = next_key;                                  \
                                                                                           \
		next_key = from + LOOKUPS;                                                 \
		for (__u32 i = 0; i < LOOKUPS; i++) {                                      \
			__u32 at = (from + i + (last >> 16)) & (KEY_COUNT - 1), index = at / 2; \
			__u64 *pair = bpf_map_lookup_elem(&lookup_short_keys_map, &index); \
			__u64 hi;                                                          \
                                                                                           \
			if (!pair)                                                         \
				return 0;                                                  \
			hi = (at & 1 ? *pair >> 32 : *pair & 0xffffffff) << 32;            \
			last = lookup;                                                     \
			sum += last ? 1 : 0;                                               \
		}                                                                          \
		return sum;                                                                \
	}

MEASURE_SHORT(short_keys_only, (__u32)(hi >> 60))
MEASURE_SHORT(find_ipv4, (__u32)in_trie_ipv4(hi))
MEASURE_SHORT(find_lpm_ipv4, (__u32)in_lpm(hi, 0))
MEASURE(keys_only, (__u32)(key->hi >> 60))
MEASURE(find_ipv6, (__u32)in_trie_ipv6(key->hi, key->lo))
MEASURE(find_lpm, (__u32)in_lpm(key->hi, key->lo))

char _license[] SEC("license") = "Dual BSD/GPL";
