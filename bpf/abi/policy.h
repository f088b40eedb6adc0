/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The policy table: a chained hash in memory-mapped arrays, two banks.
 *
 *   policy_heads_map    u32 per bucket: index of the first entry + 1, 0 = empty
 *   policy_entries_map  struct policy_entry, linked by `next` (index + 1)
 *
 * Each is cut into chunks of POLICY_CHUNK_BYTES; chunk c of bank b is array element 2 * c + b. Bucket of a key, whose
 * 12 bytes are read as three little-endian words w0, w1, w2:
 *
 *   h = w0 * 0x9E3779B1; h ^= h >> 15; h = (h + w1) * 0x85EBCA77; h ^= h >> 13; h = (h + w2) * 0xC2B2AE3D; h ^= h >> 16
 *   bucket = h & policy_bucket_mask[bank]
 *
 * The fields that may be wildcards, and why in this order: a rule names a subject always; then peer and direction;
 * then protocol; then a port prefix of 0..16 bits. A lookup probes each (peer | any) x prefix length in use by the
 * subject (its probe masks say which) and keeps the entry with the greatest precedence, so no verdict depends on the
 * order in which entries were written or are found.
 *
 * Precedence within a tier, one integer, greater wins (PolicyCompiler/Precedence.swift builds it):
 *   bits 31..8  0xffffff - rank  (the order of rules within their tier; 0 is the most important)
 *   bits  7..0  class: deny above allow above pass (PRECEDENCE_CLASS_* below); within a class the more specific entry
 *               adds a little so that the rule named as the cause is always the same one
 *
 * The winner allows or denies, or passes: then the next tier of the subject (struct subject_entry, chain) is asked, as it is
 * where nothing matches, unless the tier is closed: nothing matched is its default deny. Behind the last tier: allowed.
 */
#ifndef BULKHEAD_ABI_POLICY_H
#define BULKHEAD_ABI_POLICY_H

#include "abi_types.h"

#define POLICY_CHAIN_MAX 16           /* the writer enlarges the table before a chain grows longer */
#define POLICY_CHUNK_BYTES (1u << 20) /* array values above 4 MiB are refused before Linux 5.17 */

#define PRECEDENCE_CLASS_MASK 0xffu
#define PRECEDENCE_CLASS_DENY 192u    /* classes 192..255 deny, 64..191 allow, 1..63 pass; precedence 0: no entry */
#define PRECEDENCE_CLASS_ALLOW 64u

struct policy_key {
	__u32 peer;                       /* identity, 0 = any */
	__u16 subject;                    /* slot in subject_map: a subject, or one of its tiers */
	__u16 port;                       /* network order, masked to prefix_length bits; for ICMP the type in the high byte, the code in the low one */
	__u8 protocol;                    /* 0 = all */
	__u8 direction;
	__u8 prefix_length;               /* 0..16; 17 (PROBE_ALL_PROTOCOLS) with protocol 0 */
	__u8 pad;
};
_Static_assert(sizeof(struct policy_key) == 12, "policy_key");

struct policy_verdict {
	__u32 precedence;                 /* 0: this entry says nothing */
	__u32 rule;                       /* slot in rule_stats_map */
};

struct policy_entry {
	struct policy_key key;
	__u32 next;                       /* index + 1 of the next entry of the chain, 0 = last */
	struct policy_verdict enforced;   /* of the policies that are enforced */
	struct policy_verdict all;        /* of all policies, audit-mode ones included */
};
_Static_assert(sizeof(struct policy_entry) == 32, "policy_entry");

#define RULE_SLOT_COUNT 65536
enum {
	RULE_NONE = 0,                    /* no policy selects the subject in this direction */
	RULE_HOST_ACCESS = 1,             /* the host always reaches its workloads */
	RULE_FAILSAFE = 2,
	RULE_NEIGHBOR_DISCOVERY = 3,      /* ARP, IPv6 neighbour discovery */
	RULE_SELF = 4,                    /* an endpoint always reaches itself */
	RULE_RELATED = 5,                 /* an ICMP error about an allowed flow */
	RULE_FORWARDED = 6,               /* host device: traffic of a workload or a service, judged there */
	RULE_KEPT = 7,                    /* a connection of the host that is older than the policy that would deny it */
	RULE_UNNUMBERED = 15,             /* more rules than slots: the verdict holds, its cause has no number */
	RULE_FIRST_FREE = 16,
};

/* rule_stats_map[slot], per CPU: packets that a rule let pass or stopped, by direction as seen from the endpoint. */
struct rule_stats {
	__u64 packets[2];
	__u64 bytes[2];
};
_Static_assert(sizeof(struct rule_stats) == 32, "rule_stats");

#endif
