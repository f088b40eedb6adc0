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
#define FQDN_MESSAGE_BYTES 4096       /* longest message read; a power of two */
#define FQDN_RECORDS_MAX 256          /* records read of one answer: all that a message has room for; a power of two */
#define FQDN_PORT 53

struct fqdn_config {
	__u64 hash_keys[2];               /* secret points of the name hash, below 2^31 - 1 */
	__u64 suffix_lengths[4];          /* bit n: some selector stands for a suffix of n bytes */
	__u32 label_keys[18];             /* secret: the hash of a label */
	__u32 place_keys[8];              /* secret: where in the tables something is */
	__u32 is_enabled;                 /* 0: no answer is read */
	__u32 query_seconds;              /* an answer comes within this time or is not believed */
	__u32 ttl_min;
	__u32 ttl_max;
	__u32 grace_seconds;              /* added to the time to live */
	__u32 open_seconds;               /* past its expiry an address still counts for connections that are open */
};
_Static_assert(sizeof(struct fqdn_config) == 176, "fqdn_config");

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
	__u32 globs;                      /* automata of fqdn_glob_map to look for: 0 to globs - 1, some may be missing */
	__u8 name[FQDN_NAME_BYTES];       /* zeros behind the suffix */
};
_Static_assert(sizeof(struct fqdn_selector) == 272, "fqdn_selector");

/*
 * What the programs learn lies in mapped arrays of buckets. Each bucket has FQDN_WAYS places, and in front of them a mark
 * for each: who holds it and until when. All of the rules by which places are taken are in fqdn_table.h, which both sides
 * compile.
 */
#define FQDN_WAYS 16

struct fqdn_marks {
	__u64 marks[FQDN_WAYS];           /* expires << 32 | endpoint << 16 | hash, odd; 0: free */
	__u32 hand;                       /* where looking for the oldest begins */
	__u32 pad;
};
_Static_assert(sizeof(struct fqdn_marks) == 136, "fqdn_marks");

/* fqdn_query_map: questions that an endpoint has asked of a resolver and that nobody has answered. */
#define FQDN_QUERY_BUCKETS 2048

struct fqdn_query {
	struct ip_address resolver;
	struct ip_address client;
	__u16 port;                       /* the client's, network order */
	__u16 id;                         /* as in the message */
	__u16 protocol;
	__u16 type;                       /* A, AAAA ... host order */
	__u64 hash;                       /* of the name */
	__u32 length;                     /* of the name */
	__u32 pad;
};
_Static_assert(sizeof(struct fqdn_query) == 56, "fqdn_query");

struct fqdn_query_bucket {
	struct fqdn_marks head;
	struct fqdn_query ways[FQDN_WAYS];
};
_Static_assert(sizeof(struct fqdn_query_bucket) == 1032, "fqdn_query_bucket");

/*
 * fqdn_forged_map, of the same kind: answers that an endpoint whose source is not checked has sent in a resolver's name, by
 * whatever way they arrive.
 */
#define FQDN_FORGED_BUCKETS 64

/*
 * Of an endpoint: this address has that number (fqdn_number_map, by address: what rules ask for), or was given for the name
 * with that hash (fqdn_history_map, by address and name: for rules that come later, and for people).
 */
#define FQDN_NUMBER_BUCKETS 8192
#define FQDN_HISTORY_BUCKETS 8192

struct fqdn_fact {
	struct ip_address address;
	__u64 what;
};
_Static_assert(sizeof(struct fqdn_fact) == 24, "fqdn_fact");

struct fqdn_fact_bucket {
	struct fqdn_marks head;
	struct fqdn_fact ways[FQDN_WAYS];
};
_Static_assert(sizeof(struct fqdn_fact_bucket) == 520, "fqdn_fact_bucket");

/* fqdn_name_map: the names behind the hashes of fqdn_history_map, once for each endpoint. */
#define FQDN_NAME_BUCKETS 1024

struct fqdn_name {
	__u64 hash;
	__u32 length;
	__u32 pad;
	__u8 bytes[FQDN_NAME_BYTES];
};
_Static_assert(sizeof(struct fqdn_name) == 272, "fqdn_name");

struct fqdn_name_bucket {
	struct fqdn_marks head;
	struct fqdn_name ways[FQDN_WAYS];
};
_Static_assert(sizeof(struct fqdn_name_bucket) == 4488, "fqdn_name_bucket");

/* fqdn_stream_map: the beginning of a message that TCP cut in two, its length in front, until the rest comes. */
#define FQDN_STREAM_BUCKETS 16

struct fqdn_stream {
	struct ip_address resolver;
	struct ip_address client;
	__u16 port;                       /* the client's, network order */
	__u16 is_answer;
	__u32 next;                       /* sequence number of the byte that is missing */
	__u32 have;                       /* bytes */
	__u32 pad;
	__u8 bytes[FQDN_MESSAGE_BYTES];
};
_Static_assert(sizeof(struct fqdn_stream) == 4144, "fqdn_stream");

struct fqdn_stream_bucket {
	struct fqdn_marks head;
	struct fqdn_stream ways[FQDN_WAYS];
	__u8 end[FQDN_MESSAGE_BYTES];     /* where the verifier believes that the last of them may write */
};
_Static_assert(sizeof(struct fqdn_stream_bucket) == 70536, "fqdn_stream_bucket");

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
	struct fqdn_query asked;
	struct fqdn_fact fact;
	__u32 now, endpoint, latest;
	__u32 gathered;                         /* length of the message that the packet has completed, 0: none */
	__u32 length, offset, name_length, labels, records, found, numbers_found;
	__u32 numbers[FQDN_NUMBERS_MAX];
	__u8 bad, ended, wants_selectors, has_symbols;
	__u8 start[128];                        /* where each label begins */
	__u8 name[FQDN_NAME_BYTES + 16];        /* the question's, zeros behind it; + 16: words are read at a masked offset */
	__u8 symbols[FQDN_NAME_BYTES];          /* of the name, if has_symbols; lengths are ends of labels */
	__u8 message[FQDN_MESSAGE_BYTES + 16];  /* + 16: an address is read at a masked offset */
	struct fqdn_record record[FQDN_RECORDS_MAX];
};

#endif
