/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names as peers (docs/decisions/0010). The agent gives each name selector of a policy a number, which policy keys use as
 * peer. The programs read DNS answers on their way to an endpoint and note which addresses have which of these numbers for
 * that endpoint, until when; a first packet to the world then has the numbers of its destination as peers as well.
 *
 * Times are seconds of CLOCK_MONOTONIC. Names are in wire format without the root, lower case: length, label, length ...
 */
#ifndef BULKHEAD_ABI_FQDN_H
#define BULKHEAD_ABI_FQDN_H

#include "abi_types.h"

#define FQDN_NAME_BYTES 256           /* the longest name is 254 */
#define FQDN_NUMBERS_MAX 16           /* selectors that one address may have at a time, for one endpoint */
#define FQDN_ANSWER_ADDRESSES 32      /* addresses of an answer that are remembered with its name */
#define FQDN_MESSAGE_BYTES 4096       /* longest message read; a power of two */
#define FQDN_RECORDS_MAX 64           /* records read of one answer; a power of two */
#define FQDN_PORT 53

struct fqdn_config {
	__u64 hash_keys[2];               /* secret points of the name hash, below 2^31 - 1 */
	__u32 is_enabled;                 /* 0: no answer is read */
	__u32 query_seconds;              /* an answer comes within this time or is not believed */
	__u32 ttl_min;
	__u32 ttl_max;
	__u32 grace_seconds;              /* added to the time to live */
	__u32 open_seconds;               /* past its expiry an address still counts for connections that are open */
	__u32 share;                      /* addresses, answers and queries that one endpoint may hold, each */
	__u32 pad;
};
_Static_assert(sizeof(struct fqdn_config) == 48, "fqdn_config");

/* fqdn_selector_map: what the suffix of a name stands for; the bytes are compared, so the hash need not be trusted. */
struct fqdn_selector_key {
	__u64 hash;
	__u32 length;                     /* of the suffix, bytes; 0: every name ends so */
	__u32 pad;
};
_Static_assert(sizeof(struct fqdn_selector_key) == 16, "fqdn_selector_key");

struct fqdn_selector {
	__u32 exact;                      /* number for this very name, 0: none */
	__u32 one;                        /* for names with one more label */
	__u32 deep;                       /* for names with one or more more labels */
	__u32 pad;
	__u8 name[FQDN_NAME_BYTES];
};
_Static_assert(sizeof(struct fqdn_selector) == 272, "fqdn_selector");

/* fqdn_query_map: a question that an endpoint has asked of a resolver and that nobody has answered. */
struct fqdn_query_key {
	struct ip_address resolver;
	struct ip_address client;
	__u16 endpoint;
	__u16 port;                       /* the client's, network order */
	__u16 id;                         /* as in the message */
	__u16 protocol;
};
_Static_assert(sizeof(struct fqdn_query_key) == 40, "fqdn_query_key");

struct fqdn_query {
	__u64 hash;
	__u32 asked;
	__u16 length;                     /* of the name */
	__u16 type;                       /* A, AAAA ... host order */
};
_Static_assert(sizeof(struct fqdn_query) == 16, "fqdn_query");

/* fqdn_answer_map: the last answer to a question of an endpoint; for rules that come later, and for people. */
struct fqdn_answer_key {
	__u64 hash;
	__u32 endpoint;
	__u16 length;
	__u16 type;
};
_Static_assert(sizeof(struct fqdn_answer_key) == 16, "fqdn_answer_key");

struct fqdn_answer {
	__u32 learned;                    /* when */
	__u32 count;                      /* of addresses */
	__u32 expires[FQDN_ANSWER_ADDRESSES];
	struct ip_address addresses[FQDN_ANSWER_ADDRESSES];
	__u8 name[FQDN_NAME_BYTES];
};
_Static_assert(sizeof(struct fqdn_answer) == 904, "fqdn_answer");

/* fqdn_address_map: the numbers that an address has for an endpoint. */
struct fqdn_address_key {
	struct ip_address address;
	__u32 endpoint;
};
_Static_assert(sizeof(struct fqdn_address_key) == 20, "fqdn_address_key");

struct fqdn_address {
	struct fqdn_address_key key;      /* again: an element may be taken for another key under a reader's eyes */
	__u32 expires;                    /* the latest of all */
	__u64 numbers[FQDN_NUMBERS_MAX];  /* number << 32 | expires, 0: free; each its own expiry */
};
_Static_assert(sizeof(struct fqdn_address) == 152, "fqdn_address");

/*
 * fqdn_ring_map: what an endpoint holds, in the order in which it came, so that the oldest goes when its share is used
 * up. Slot FQDN_RING_CURSOR counts how many came.
 */
enum {
	FQDN_RING_QUERY = 0,
	FQDN_RING_ANSWER = 1,
	FQDN_RING_ADDRESS = 2,
};
#define FQDN_RING_CURSOR 0xffffffffu

struct fqdn_ring_key {
	__u16 endpoint;
	__u16 kind;                       /* FQDN_RING_* */
	__u32 slot;
};
_Static_assert(sizeof(struct fqdn_ring_key) == 8, "fqdn_ring_key");

struct fqdn_ring_entry {
	__u32 key[10];                    /* of the map of that kind; of the cursor: the first word */
};

/* fqdn_peers_map, per CPU: what a first packet has found; fqdn_scratch_map: a message being read. Neither outlives its packet. */
struct fqdn_peers {
	__u32 count;
	__u32 numbers[FQDN_NUMBERS_MAX];
	__u32 pad;
	__u32 verdicts[6];                /* struct answer of bpf/lib/decide.h */
};

struct fqdn_record {
	__u32 ttl;
	__u16 offset;
	__u16 length;
};

struct fqdn_scratch {
	__u64 h1, h2;
	struct fqdn_query_key key;
	struct fqdn_query asked;
	__u32 now, endpoint;
	__u32 length, offset, name_length, labels, left, records, found, from, numbers_found;
	__u32 numbers[FQDN_NUMBERS_MAX];
	__u8 bad, ended, differs, wants_selectors;
	__u8 message[FQDN_MESSAGE_BYTES + 16];  /* + 16: an address is read at a masked offset */
	__u8 start[128];                        /* where each label begins */
	struct fqdn_record record[FQDN_RECORDS_MAX];
	struct fqdn_address fresh;
	struct fqdn_answer answer;              /* its name is the question's */
};

#endif
