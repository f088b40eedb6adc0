/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ipcache: address or prefix -> identity, longest prefix first. A trie of 8-bit bitmap nodes with lone prefixes as
 * tails and shared bits as skips, in a memory-mapped array of chunks, two banks: chunk c of bank b is array element
 * 2 * c + b of ipcache_map.
 *
 *   reference   u32, in 8-byte units into the bank's arena; 0 = nothing. A block never straddles a chunk.
 *   root        two tables of 65536 u64 at references IPCACHE_ROOT_V4 and IPCACHE_ROOT_V6, indexed by the first
 *               16 bits of the address (IPv4: of the IPv4 address);  entry = reference << 32 | value
 *   node        word 0: head(tag NODE, byte, runs); words 1..4: 256-bit map, bit s set where a run of equal entries
 *               begins (bit 0 always); then one u64 entry per run: reference << 32 | value.
 *               head: tag << 56 | byte << 48 | rank3 << 32 | rank2 << 16 | rank1, rank k = bits set in map words < k
 *               byte = which address byte the node reads (IPv4: 2, 3; IPv6: 2..15)
 *   tail        word 0: tag TAIL << 56 | length << 48 | value; words 1, 2: address: the only prefix below
 *   skip        word 0: tag SKIP << 56 | length << 48 | reference; words 1, 2: address: bits all below share
 *
 * Address words are host-order integers: hi = first 8 bytes, lo = last 8; IPv4: in the upper half of hi, lo = 0.
 * Values are not pushed down: a lookup remembers the last value it passed. Little-endian hosts.
 */
#ifndef BULKHEAD_ABI_IPCACHE_H
#define BULKHEAD_ABI_IPCACHE_H

#include "abi_types.h"

#define IPCACHE_CHUNK_SHIFT 17        /* 8-byte units per chunk: 1 MiB */
#define IPCACHE_CHUNK_UNITS (1u << IPCACHE_CHUNK_SHIFT)
#define IPCACHE_CHUNK_BYTES (8u << IPCACHE_CHUNK_SHIFT)
#define IPCACHE_ROOT_SLOTS 65536
#define IPCACHE_ROOT_V4 0
#define IPCACHE_ROOT_V6 IPCACHE_ROOT_SLOTS
#define IPCACHE_FIRST_FREE (2 * IPCACHE_ROOT_SLOTS)

enum {
	IPCACHE_TAIL = 1,
	IPCACHE_SKIP = 2,
	IPCACHE_NODE = 3,
};

#endif
