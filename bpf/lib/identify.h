/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* identify: address -> identity, by the trie that bpf/abi/ipcache.h describes. */
#ifndef BULKHEAD_IDENTIFY_H
#define BULKHEAD_IDENTIFY_H

#include "maps.h"
#include "packet.h"

/* Root, then at most one skip and one node for each address byte, then a tail. */
#define IPCACHE_STEPS_MAX 30

static __always_inline __u32 count_bits(__u64 x)
{
	x -= x >> 1 & 0x5555555555555555ull;
	x = (x & 0x3333333333333333ull) + (x >> 2 & 0x3333333333333333ull);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return x * 0x0101010101010101ull >> 56;
}

/*
 * Masking, not testing: blocks never straddle a chunk, so the mask only tells the verifier what is true anyway. The
 * empty assembly keeps the compiler from knowing it too and leaving the mask out (Linux 6.1 then lost the bound).
 */
static __always_inline __u64 unit_at(const __u64 *chunk, __u32 unit)
{
	asm volatile("" : "+r"(unit));
	return chunk[unit & (IPCACHE_CHUNK_UNITS - 1)];
}

static __always_inline __u64 *chunk_of(__u32 reference, __u32 bank)
{
	__u32 index = (reference >> IPCACHE_CHUNK_SHIFT) * BANK_COUNT + bank;

	return bpf_map_lookup_elem(&ipcache_map, &index);
}

static __always_inline bool shares_prefix(const __u64 *chunk, __u32 at, __u32 length, __u64 hi, __u64 lo)
{
	hi ^= unit_at(chunk, at + 1);
	if (length < 64)
		return !(hi >> (64 - length));
	return !hi && (length == 64 || !((lo ^ unit_at(chunk, at + 2)) >> (128 - length & 63)));
}

/*
 * A global function: the verifier proves it once, by itself, instead of along every path that leads to it.
 * `bank_and_family`: bank in bit 0, bit 1 set for IPv6. Returns 0 if no prefix covers the address.
 */
__attribute__((noinline)) __u32 find_identity(__u64 hi, __u64 lo, __u32 bank_and_family)
{
	__u32 bank = bank_and_family & 1, root = bank_and_family & 2 ? IPCACHE_ROOT_V6 : IPCACHE_ROOT_V4;
	__u32 reference = root + (hi >> 48), identity;
	__u64 *chunk = chunk_of(reference, bank), entry;

	if (!chunk)
		return 0;
	entry = unit_at(chunk, reference);
	identity = entry;
	reference = entry >> 32;
	for (int i = 0; i < IPCACHE_STEPS_MAX && reference; i++) {
		__u32 at = reference & (IPCACHE_CHUNK_UNITS - 1), tag, byte, slot, word, run;
		__u64 head;

		chunk = chunk_of(reference, bank);
		if (!chunk)
			return identity;
		head = unit_at(chunk, at);
		tag = head >> 56;
		if (tag != IPCACHE_NODE) {
			if (!shares_prefix(chunk, at, head >> 48 & 255, hi, lo))
				return identity;
			if (tag == IPCACHE_TAIL)
				return head;
			reference = head;
			continue;
		}
		byte = head >> 48 & 15;
		slot = (byte < 8 ? hi >> (56 - 8 * byte & 63) : lo >> (120 - 8 * byte & 63)) & 255;
		word = slot >> 6;
		run = word ? head >> (16 * (word - 1) & 63) & 0xffff : 0;
		run += count_bits(unit_at(chunk, at + 1 + word) << (63 - (slot & 63)));
		/* Entry 0 stands at unit 5, and the run in hand is counted: 5 + run - 1. */
		entry = unit_at(chunk, at + 4 + run);
		if ((__u32)entry)
			identity = entry;
		reference = entry >> 32;
	}
	return identity;
}

static __always_inline __u32 identify(const struct ip_address *address, __u8 family, __u32 bank)
{
	const __u64 *words = (const __u64 *)address->bytes;
	__u64 hi, lo;
	__u32 identity;

	if (family == 4) {
		hi = (__u64)network32((__u32)(words[1] >> 32)) << 32;
		lo = 0;
	} else {
		hi = __builtin_bswap64(words[0]);
		lo = __builtin_bswap64(words[1]);
	}
	identity = find_identity(hi, lo, bank | (family == 6 ? 2 : 0));
	return identity ? identity : IDENTITY_WORLD;
}

#endif
