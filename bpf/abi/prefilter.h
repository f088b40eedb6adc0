/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The prefilter: what is dropped before the stack sees it. Feeds are range tries (range_trie.h), one for each family,
 * whose classes are feeds; what a class does is in its number, so that replacing a trie replaces all of a feed at once.
 *
 * A token bucket is one word: the moment, in ns of CLOCK_MONOTONIC, at which it will be full again. A packet that costs c
 * moves it on by c, and passes if it then lies no more than the burst ahead. A bucket whose moment has passed says the same
 * as no bucket at all: so the table takes over entries whose buckets are all full, and loses nothing by that. Where every
 * entry of a set still counts, the newcomer is not limited, and counted.
 */
#ifndef BULKHEAD_ABI_PREFILTER_H
#define BULKHEAD_ABI_PREFILTER_H

#include "abi_types.h"
#include "metrics.h"

/* Class of a trie = number of a feed. */
enum {
	FEED_DENY_FIRST = 1,
	FEED_ALLOW_FIRST = 128,           /* from here on: beats denial, by feed, block and limit */
	FEED_COUNT = 256,
};

/* Index of prefilter_feeds_map. */
enum {
	FEED_TRIE_IPV4 = 0,
	FEED_TRIE_IPV6 = 1,
	FEED_TRIE_COUNT = 2,
};

enum {
	PREFILTER_ENFORCE = 1 << 0,       /* else: counts what it would drop, and passes it */
	PREFILTER_MALFORMED = 1 << 1,
	PREFILTER_MARTIANS = 1 << 2,      /* sources that no wire carries */
	PREFILTER_REFLECTORS = 1 << 3,
	PREFILTER_FEEDS = 1 << 4,
	PREFILTER_BLOCKS = 1 << 5,        /* there are blocks of single addresses */
	PREFILTER_BLOCKED_NETS = 1 << 6,  /* there are blocks of /24 and /64 */
	PREFILTER_FAILSAFES = 1 << 7,     /* there are failsafe ports */
};

/* Whose packets a bucket counts. */
enum {
	LIMIT_SOURCE = 0,
	LIMIT_NET = 1,                    /* the source's /24 or /64 */
	LIMIT_DESTINATION = 2,
	LIMIT_SCOPE_COUNT = 3,
	LIMIT_SCOPE_ROWS = 4,             /* a power of two, for masking */
};

/* What it counts; a packet that is several things is charged for each. */
enum {
	LIMIT_PACKETS = 0,
	LIMIT_BYTES = 1,                  /* of the IP packet */
	LIMIT_CONNECTIONS = 2,            /* TCP SYN without ACK, SCTP INIT */
	LIMIT_FRAGMENTS = 3,
	LIMIT_ICMP = 4,
	LIMIT_KIND_COUNT = 5,
};

struct prefilter_limit {
	__u64 cost;                       /* ns that one unit takes to come back, times 2^16; 0 = no limit */
	__u64 burst;                      /* ns */
};

struct prefilter_config {
	__u32 flags;                      /* PREFILTER_* */
	__u16 limited_scopes;             /* bit per LIMIT_* scope with a limit */
	__u16 flooded_only;               /* bit per scope * LIMIT_KIND_COUNT + kind: limits only what goes to flooded addresses */
	__u32 set_mask;                   /* sets of buckets per scope, minus one */
	__u32 asked_ticks;                /* how long a question to a reflector counts, in ASKED_TICK_SHIFT */
	struct prefilter_limit limits[LIMIT_SCOPE_ROWS][LIMIT_KIND_COUNT];
};
_Static_assert(sizeof(struct prefilter_config) == 16 + 16 * 20, "prefilter_config");

/* The one element of prefilter_settings_map. `active` is the commit point. */
struct prefilter_settings {
	__u32 active;
	__u32 padding;
	__u64 hash_key[2];                /* secret, so that nobody can fill one set */
	struct prefilter_config banks[2];
};
_Static_assert(sizeof(struct prefilter_settings) == 24 + 2 * 336, "prefilter_settings");

/* Sets of ports, a bit each: the one element of prefilter_ports_map. */
struct prefilter_ports {
	__u64 reflectors[1024];           /* UDP source ports of services that amplify */
	__u64 served[1024];               /* UDP ports of this host to which anybody may write, also from those */
	__u64 failsafes[1024];            /* TCP ports that no feed and no block closes */
};

/* An address or, `length` 24 or 64, the prefix around it; words as in range_trie.h. */
struct prefilter_block_key {
	__u64 hi, lo;
	__u32 length;                     /* 32, 128: single addresses */
	__u32 is_ipv4;
};
_Static_assert(sizeof(struct prefilter_block_key) == 24, "prefilter_block_key");

struct prefilter_block {
	__u64 expires;                    /* ns of CLOCK_MONOTONIC; nothing is blocked for ever */
	__u64 packets;
	__u64 bytes;
	__u64 since;                      /* ns of CLOCK_MONOTONIC, of the first of the blocks that followed each other */
	__u8 cause[95];                   /* UTF-8 for people, filled up with zeros; kept here so that it outlives the agent */
	__u8 failsafes;                   /* PREFILTER_CLOSES_FAILSAFES; of an older agent the cause's last byte */
};
/* The block holds for failsafe ports too. No byte of UTF-8. */
#define PREFILTER_CLOSES_FAILSAFES 0xff
_Static_assert(sizeof(struct prefilter_block) == 128, "prefilter_block");

/* Addresses that are flooded at the same time. */
#define PREFILTER_FLOODED_MAX 1024

#define LIMIT_WAYS 4

/* One cache line. */
struct limit_entry {
	__u64 tag;                        /* keyed hash of whose it is; 0 = nobody's yet */
	__u64 full_at[LIMIT_KIND_COUNT];
	__u64 padding[2];
};
_Static_assert(sizeof(struct limit_entry) == 64, "limit_entry");

struct limit_set {
	struct limit_entry ways[LIMIT_WAYS];
};

/*
 * Who asked whom: a Bloom filter of times. A question stamps two cells, an answer passes if both are fresh. So an answer to
 * a question is never refused; of others a share passes that the number of recent questions bounds.
 */
#define ASKED_CELLS 131072
#define ASKED_TICK_SHIFT 28               /* 0.27 s */

/*
 * prefilter_samples_map: by CPU * PREFILTER_REASONS + reason. Drops are told as flow events while the agent's credit
 * lasts, which it renews every second; an event stands for all drops of its CPU and reason since the last one. Without
 * an agent nobody is told.
 */
#define PREFILTER_REASONS 64

struct prefilter_sample {
	__u32 credit;
	__u32 padding;
	__u64 packets;                    /* told so far */
	__u64 bytes;
};
_Static_assert(sizeof(struct prefilter_sample) == 24, "prefilter_sample");

/* What an event has as its rule: this + the number of the feed. Behind RULE_SLOT_COUNT. */
#define PREFILTER_RULE_FIRST 65536

/* prefilter_metrics_map: per CPU. */
enum {
	PREFILTER_DROPPED = 0,            /* + reason */
	PREFILTER_WOULD_DROP = 64,        /* + reason: in monitor mode */
	PREFILTER_PASSED = 128,
	PREFILTER_NOT_IP = 129,
	PREFILTER_ALLOWED = 130,          /* by an allow feed */
	PREFILTER_FAILSAFE = 131,         /* of a failsafe port, although a feed or a block denies the source */
	PREFILTER_LIMITED = 136,          /* + scope: dropped, or would be, for a limit of the scope */
	PREFILTER_UNLIMITED = 140,        /* + scope: no bucket was free */
	PREFILTER_CONTENDED = 144,        /* charged by another CPU four times in a row: passed */
	PREFILTER_QUESTIONS = 145,
	PREFILTER_ANSWERS = 146,          /* from reflectors, to somebody who asked */
	PREFILTER_EVENTS = 147,           /* drops told */
	PREFILTER_EVENTS_LOST = 148,      /* no room in the ring */
	PREFILTER_METRIC_COUNT = 152,
};

#endif
