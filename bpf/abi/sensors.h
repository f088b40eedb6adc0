/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sensors: what sources, targets, pairs and zones did lately, in tables of fixed size. Each is a number of sets of ways; a
 * way is somebody's if its tag says so, and a newcomer takes the place of who weighs least. No packet is exported: where a
 * count passes its next level a note names the record, and the reader looks at that in place.
 *
 * Addresses are ip_address; sources outside are taken together by /64, their last eight bytes are zero then. Counts are
 * estimates: CPUs add to them without waiting for each other, and of segments within connections only a sample is seen.
 */
#ifndef BULKHEAD_ABI_SENSORS_H
#define BULKHEAD_ABI_SENSORS_H

#include "abi_types.h"
#include "sensor_counts.h"

#define SENSE_WAYS 8
#define SENSE_SOURCE_SETS 2048
#define SENSE_TARGET_SETS 512
#define SENSE_PAIR_SETS 4096              /* the first half for clients outside, the second for those inside */
#define SENSE_ZONE_SETS 1024              /* the same */
#define SENSE_BRIEF_SETS 262144
#define SENSE_FLOW_SETS 131072
#define SENSE_FLOW_WAYS 4
#define SENSE_HANDSHAKE_CELLS 262144
#define SENSE_SAMPLES 3
#define SENSE_ZONE_NAME_BYTES 64

/* Tags of ways that are nobody's, and that somebody is about to take. */
enum { SENSE_TAG_FREE = 0, SENSE_TAG_BUSY = 1 };

enum {
	SENSE_ON = 1 << 0,
	SENSE_ENDPOINTS = 1 << 1,         /* endpoints' programs sense too: what is forwarded was seen there */
};

/* The one element of sense_settings_map. */
struct sense_settings {
	__u32 flags;                      /* SENSE_ON... */
	__u32 sample_mask;                /* of segments within connections, one in so many plus one is looked at */
	__u64 hash_key[2];                /* secret: sets of sources and targets */
	__u64 mix_key[4];                 /* secret: sketches, flows, pairs; the second and the fourth are odd */
	__u64 note_cost;                  /* ns: a CPU may write a note each, and as many at once as the next says */
	__u64 note_burst;                 /* ns */
	__u32 watching;                   /* more handshakes than usual begin: each acknowledgement is looked at */
	__u32 budget;                     /* packets that a CPU looks at whole in a SENSE_LOAD_SHIFT; 0: all of them */
	/* ns until which one in 2^(its last four bits) of the flows is followed; 0: all have been, and for a while. */
	__u64 load;
};
_Static_assert(sizeof(struct sense_settings) == 88, "sense_settings");

/* Kinds of probes: packets that open or try something. */
enum {
	SENSE_PROBE_SYN = 0,
	SENSE_PROBE_FIN = 1,
	SENSE_PROBE_NULL = 2,
	SENSE_PROBE_XMAS = 3,
	SENSE_PROBE_ACK = 4,
	SENSE_PROBE_ODD_FLAGS = 5,
	SENSE_PROBE_UDP = 6,
	SENSE_PROBE_ICMP = 7,
	SENSE_PROBE_ARP = 8,
	SENSE_PROBE_KINDS = 9,
};

/* What came back. */
enum { SENSE_ANSWERED = 0, SENSE_REFUSED = 1, SENSE_DENIED = 2, SENSE_OUTCOME_KINDS = 3 };

enum {
	SENSE_RECORD_INSIDE = 1 << 0,
	SENSE_RECORD_NET = 1 << 1,        /* a /64 */
	SENSE_RECORD_SERVER_INSIDE = 1 << 2,
};

struct sense_sample {
	struct ip_address destination;
	__u16 port;                       /* network order */
	__u8 protocol;
	__u8 padding;
};
_Static_assert(sizeof(struct sense_sample) == 20, "sense_sample");

/*
 * What one source did. Bits of a map stand for (host, port) pairs: probed, answered, refused or denied. `*_bits`: how many
 * of a map are set.
 */
struct sense_source {
	struct ip_address address;
	__u64 since;                      /* ns of the sensors' clock */
	__u64 last;
	__u64 packets;
	__u64 bytes;
	__u32 flags;                      /* SENSE_RECORD_* */
	__u32 tick;                       /* of open_before and open_then, see SENSE_TICK_SHIFT */
	/* With `last` in the first line of 64 bytes: what a newcomer compares. */
	__u16 pair_bits, answered_bits, failed_bits, host_bits;
	__u32 probes[SENSE_PROBE_KINDS];
	__u32 outcomes[SENSE_OUTCOME_KINDS];
	__u16 port_bits;
	__u16 open_then, open_before;     /* pairs without outcome when this tick began, and the one before */
	__u16 credit;                     /* probes that were seen before the record began */
	__u16 next_pairs, next_failures;  /* levels at which the next note is due */
	__u32 next_probes;
	__u64 next_packets;
	__u32 sample_count;
	__u32 established;                /* handshakes that the source completed, an estimate from a sample */
	__u64 pairs[8], answered[8], failed[8];
	__u64 hosts[4], ports[8];
	struct sense_sample samples[SENSE_SAMPLES];
	__u8 rest[20];
};
_Static_assert(sizeof(struct sense_source) == 512, "sense_source");

struct sense_source_set {
	__u32 tags[SENSE_WAYS];
	__u32 padding[8];
	struct sense_source ways[SENSE_WAYS];
};

/* Sources that found no room: a fingerprint each, until they have tried three different things. */
struct sense_brief {
	__u32 tag;
	__u16 tick;
	__u8 count;
	__u8 last;
};

struct sense_brief_set {
	struct sense_brief ways[SENSE_WAYS];
};
_Static_assert(sizeof(struct sense_brief_set) == 64, "sense_brief_set");

#define SENSE_TICK_SHIFT 29               /* 0.54 s */
#define SENSE_REGISTERS 128
#define SENSE_PROBER_REGISTERS 64

/* A second of a target. */
struct sense_window {
	__u64 since;                      /* ns; 0: never */
	__u64 packets;
	__u64 bytes;
	__u64 reflected_bytes;
	__u32 syn, established, udp, udp_answered, icmp, fragments, reflected, stray;
	__u32 top_count;
	__u32 padding;
	__u16 top_port, reflector_port;   /* network order */
	__u32 next_level;
	__u8 sources[SENSE_REGISTERS];    /* HyperLogLog */
};
_Static_assert(sizeof(struct sense_window) == 208, "sense_window");

/* Minutes of a target. */
struct sense_span {
	__u64 since;
	__u32 failed;
	__u32 padding;
	__u64 ports[8];
	__u8 probers[SENSE_PROBER_REGISTERS];
};
_Static_assert(sizeof(struct sense_span) == 144, "sense_span");

struct sense_target {
	struct ip_address address;
	__u64 last;
	__u32 flags;                      /* SENSE_RECORD_* */
	__u32 next_failed;
	struct sense_window now, before;
	struct sense_span span, span_before;
	__u64 padding[4];
};
_Static_assert(sizeof(struct sense_target) == 768, "sense_target");

struct sense_target_set {
	__u32 tags[SENSE_WAYS];
	__u32 padding[8];
	struct sense_target ways[SENSE_WAYS];
};

struct sense_pair {
	struct ip_address client, server;
	__u64 since;
	__u64 last_open;
	__u64 bytes_sent, bytes_received;
	__u64 interval_mean, interval_deviation; /* ns */
	__u32 connections, failed, brief, intervals;
	__u32 size_mean, size_deviation;
	__u32 first_number;               /* sequence number of the last connection's SYN */
	__u32 next_connections;
	__u64 next_bytes;
	__u64 minute;                     /* when the minute of this_minute began */
	__u16 this_minute, last_minute;
	__u16 port, client_port;          /* network order; the client's of the last connection */
	__u8 protocol;
	__u8 flags;                       /* SENSE_RECORD_* */
	__u8 is_open;
	__u8 padding[5];
};
_Static_assert(sizeof(struct sense_pair) == 144, "sense_pair");

struct sense_pair_set {
	__u32 tags[SENSE_WAYS];
	__u32 padding[8];
	struct sense_pair ways[SENSE_WAYS];
};

/* How a client asks for names below a zone. Queries with names of two labels or fewer count for the zone too. */
struct sense_zone {
	struct ip_address client;
	__u64 since;
	__u64 last;
	__u32 queries, bulky, not_found;
	__u32 answers;
	__u32 next_queries;               /* level at which the next note is due */
	__u32 last_question, last_answer; /* id and port: the same message may be seen by several programs */
	__u32 padding;
	__u64 name_bytes;
	__u64 entropy_sum;                /* hundredths of a bit, times bytes */
	__u64 answer_bytes;
	__u64 names[16];                  /* sketch of the names below the zone */
	__u16 name_bits;
	__u8 longest_label;
	__u8 zone_length;
	__u8 flags;                       /* SENSE_RECORD_* */
	__u8 rest[3];
	__u8 zone[SENSE_ZONE_NAME_BYTES]; /* lower case, with dots */
};
_Static_assert(sizeof(struct sense_zone) == 288, "sense_zone");

struct sense_zone_set {
	__u32 tags[SENSE_WAYS];
	__u32 padding[8];
	struct sense_zone ways[SENSE_WAYS];
};

/* Flows of datagrams: whether this one is the first, and who sent that. */
enum {
	SENSE_FLOW_ANSWERED = 1 << 0,
	SENSE_FLOW_OPENED_LOW = 1 << 1,   /* by the side whose half of the hash is the smaller one */
	SENSE_FLOW_KEPT = 1 << 2,         /* opened from inside or answered: floods do not push it out */
};

struct sense_flow {
	__u16 tag;
	__u8 tick;                        /* SENSE_FLOW_TICK_SHIFT */
	__u8 flags;                       /* 0: nobody's */
};

#define SENSE_FLOW_TICK_SHIFT 32          /* 4.3 s */
#define SENSE_FLOW_TICKS 14               /* a minute */

struct sense_flow_set {
	struct sense_flow ways[SENSE_FLOW_WAYS];
};

enum { SENSE_NOTE_SOURCE = 0, SENSE_NOTE_TARGET = 1, SENSE_NOTE_PAIR = 2, SENSE_NOTE_ZONE = 3 };

/* One report: look at the record in `slot` (set times ways plus way) if it still has the tag. */
struct sense_note {
	__u64 time;
	__u32 kind;
	__u32 slot;
	__u32 tag;
	__u32 padding;
};
_Static_assert(sizeof(struct sense_note) == 24, "sense_note");

#define SENSE_TARGET_CACHE 16

/* What a CPU keeps for itself. */
struct sense_cpu {
	__u64 notes_full_at;              /* token bucket, as in prefilter.h */
	__u32 targets[SENSE_TARGET_CACHE];
	__u32 number;                     /* see sense_forget */
	__u32 seen, whole;                /* packets since load_tick, and those of them that were looked at whole */
	__u32 load_tick;
	__u32 shift;                      /* one in 2^shift is looked at: of sense_settings.load */
	__u32 jiffies;                    /* when that was read */
	__u64 lottery;
};

#define SENSE_LOAD_SHIFT 23               /* 8.4 ms */
#define SENSE_LOAD_SHIFT_MAX 12           /* below 16, see sense_settings.load */

/* Index of sense_programs_map: what the endpoints' programs hand packets to off their short path. skb->cb[0]: no link layer. */
enum {
	SENSE_PROGRAM_OUT = 0,            /* of the endpoint, first of its flow or at its end, or about a name */
	SENSE_PROGRAM_OUT_DENIED = 1,
	SENSE_PROGRAM_IN = 2,
	SENSE_PROGRAM_IN_DENIED = 3,
	SENSE_PROGRAM_COUNT = 4,
};

#endif
