/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * range trie: address -> the class (1...255) of the longest prefix that covers it, for a million prefixes and more.
 * One trie is one memory-mapped array; element 0 begins with the root.
 *
 * The root and every level below read 16 bits. A node keeps only its *runs*: the slots where something begins, sorted,
 * and one entry per run; a lookup finds the last start <= its slot. What costs is a cache miss, so bytes count and
 * instructions do not: decision 0014.
 *
 *   reference   u24, in 8-byte units, the element's number above RANGE_CHUNK_SHIFT; 0 = nothing. No block straddles
 *               two elements.
 *   link        u32: reference << 8 | class
 *   root        RANGE_ROOT_SLOTS links, by the first 16 bits of the address
 *   node        head: tag << 56 | level << 52 | k << 48 | runs; then
 *               if k > 0: index[2^k + 1], u16: the run that holds the first slot of each 2^-k of the node;
 *               starts[runs], u16; from the next multiple of 8 entries[runs]: classes (VALUES, u8) or links (LINKS,
 *               u32); lengths[runs], u8, for the writer alone: length of the prefix that gave the class
 *   sparse      head: tag << 56 | wide << 55 | level << 52 | k << 48 | class << 24 | items; index as above; starts[items],
 *   node        u16; then what each item is. Items are prefixes that do not nest, and between them is nothing.
 *               SPARSE_ONE: all have the class of the head; if `wide`, free[items], u8: address bits of the node behind the
 *               prefix, else it has none. SPARSE_VALUES: from the next multiple of 2, class | free << 8, u16.
 *               SPARSE_LINKS: from the next multiple of 8, links, u32; a reference below RANGE_FREE_COUNT is `free`, and
 *               there is nothing below; not `wide`: no item has free bits
 *   tail        tag << 56 | length << 48 | class; then the address (IPv4: one word, IPv6: two): the only prefix below
 *   skip        tag << 56 | length << 48 | link; then the address: bits that everything below shares
 *
 * Address words are host-order integers: hi = first 8 bytes, lo = last 8; IPv4: in the upper half of hi. A class is
 * never pushed into a lower level: a lookup remembers the last one that it passed, so that a change of one prefix
 * rewrites one node. A published block never changes, except one aligned link. Little-endian hosts.
 */
#ifndef BULKHEAD_ABI_RANGE_TRIE_H
#define BULKHEAD_ABI_RANGE_TRIE_H

#include "abi_types.h"

#define RANGE_ROOT_SLOTS 65536
#define RANGE_LEVEL_BITS 16
/* No block begins so low: the root is there. */
#define RANGE_FREE_COUNT 16
/* 2 MiB: array values above 4 MiB are refused before Linux 5.17. */
#define RANGE_CHUNK_SHIFT 18
#define RANGE_CHUNK_UNITS (1u << RANGE_CHUNK_SHIFT)

enum {
	RANGE_CHUNK_BYTES = (8 << RANGE_CHUNK_SHIFT) + 8, /* a masked offset plus the widest read stays inside */
	RANGE_CHUNK_COUNT_MAX = 1 << (24 - RANGE_CHUNK_SHIFT), /* references have 24 bits */
};

enum {
	RANGE_TAIL = 1,
	RANGE_SKIP = 2,
	RANGE_VALUES = 3,
	RANGE_LINKS = 4,
	RANGE_SPARSE_ONE = 5,
	RANGE_SPARSE_VALUES = 6,
	RANGE_SPARSE_LINKS = 7,
};

#endif
