/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One entry per flow and endpoint. The key is canonical because it is written from the endpoint's view: whichever way
 * a packet travels, `local` is the endpoint's side. So forward and reply meet the same entry with one lookup. An entry
 * that a packet of the endpoint can meet is under an address of the endpoint: so an established packet needs no check
 * of its source. What the endpoint may receive under another address (a group's) is noted with `one_way` set, where no
 * packet that it sends looks.
 *
 * For ICMP requests (echo, timestamp) and their replies remote_port is the identifier and local_port the request's
 * type << 8 | who asked: 1 the endpoint, 0 the peer; so a request never passes as somebody else's reply, nor as one of
 * another type. Other ICMP goes one way only: remote_port = type << 8 | code, local_port = 3 from the endpoint, 2 from
 * the peer.
 */
#ifndef BULKHEAD_ABI_CONNTRACK_H
#define BULKHEAD_ABI_CONNTRACK_H

#include "abi_types.h"

struct conntrack_key {
	struct ip_address local;
	struct ip_address remote;
	__u16 local_port;                 /* network order */
	__u16 remote_port;                /* network order */
	__u16 endpoint;                   /* 0: none's, it passes through the host and policies are about that */
	__u8 protocol;
	__u8 one_way;                     /* 1: `local` is not the endpoint's own (a group's, or lent to it by DHCP): answers nothing */
};
_Static_assert(sizeof(struct conntrack_key) == 40, "conntrack_key");

/* States; the time-out of an entry follows from its state alone. */
enum {
	CONNTRACK_SYN_SENT = 0,           /* TCP: SYN from the opener */
	CONNTRACK_SYN_RECEIVED = 1,       /* TCP: SYN+ACK from the other side */
	CONNTRACK_ESTABLISHED = 2,        /* TCP: both sides were heard */
	CONNTRACK_CLOSING = 3,            /* TCP: one side has sent FIN */
	CONNTRACK_CLOSED = 4,             /* TCP: both FINs */
	CONNTRACK_UNREPLIED = 5,          /* UDP, SCTP, other: one direction seen */
	CONNTRACK_REPLIED = 6,            /* UDP, other: both directions seen */
	CONNTRACK_ICMP = 7,
	CONNTRACK_SCTP_ESTABLISHED = 8,
	CONNTRACK_SCTP_CLOSED = 9,
	CONNTRACK_PICKED_UP = 10,         /* TCP: met mid-stream, or alive after a reset; one side was heard so far */
	CONNTRACK_RESET = 11,             /* TCP: RST, perhaps a forged one: what follows it revives the flow */
	CONNTRACK_TIMEOUT_COUNT = 12,
	CONNTRACK_UNBORN = 255,           /* linked, but not filled yet: as good as expired */
};

enum {
	CONNTRACK_OPENED_INGRESS = 1 << 0, /* the peer opened the flow; otherwise the endpoint did */
	CONNTRACK_HEARD_OPENER = 1 << 1,   /* PICKED_UP: who was heard */
	CONNTRACK_HEARD_OTHER = 1 << 2,
	CONNTRACK_AUDITED = 1 << 3,        /* allowed only because of audit mode */
	CONNTRACK_FORWARDED = 1 << 4,      /* host endpoint: judged at a workload's or a service's program, only tracked here */
	CONNTRACK_DENIED = 1 << 5,         /* revoked: both directions are cut while anybody still sends */
	CONNTRACK_GUESSED = 1 << 6,        /* TCP: no SYN was seen, the opener is inferred; every SYN is judged by itself */
	CONNTRACK_EITHER = 1 << 7,         /* nor do the ports tell who opened it: allowed if either may have */
};

struct conntrack_entry {
	__u64 packets[2];                 /* [0] from the opener, [1] from the other side */
	__u64 bytes[2];                   /* IP length */
	__u32 last_seen;                  /* jiffies, low 32 bits */
	__u32 last_report;                /* jiffies, low 32 bits */
	__u32 epoch;                      /* the subject's policy epoch when the verdict was taken */
	__u32 peer_identity;
	__u32 rule;                       /* slot of the rule that allowed (or would have denied) the flow */
	__u32 created;                    /* jiffies, low 32 bits */
	__u8 state;
	__u8 flags;
	__u8 reason;                      /* drop reason that audit mode overruled, else DROP_NONE */
	__u8 tcp_flags[2];                /* all flags seen, per side as above */
	__u8 icmp_type;                   /* of the packet that opened the flow, for judging it again */
	__u8 pad[2];
};
_Static_assert(sizeof(struct conntrack_entry) == 64, "conntrack_entry");

/*
 * The table is a chained hash in memory-mapped arrays, so that a lookup is a few loads and the agent reads and frees
 * without a system call per flow:
 *
 *   conntrack_table_map   struct conntrack_table, one
 *   conntrack_heads_map   u32 per bucket, CONNTRACK_HEADS to an element: number of the chain's first node + 1, 0 = none,
 *                         below the marks of the chain's keys
 *   conntrack_map         struct conntrack_node, linked by `next` (number + 1)
 *
 * The programs only ever add, at the head of a chain, by compare and exchange. The agent alone takes out; when no
 * program can be looking at what it took out, it goes to the list of free nodes, from which the programs take. A node
 * that is in use but in no chain was lost by an agent that was killed in between; the next one frees it.
 *
 * A key has one of eight marks. Where its mark is missing in the head, the chain does not have it: most first packets
 * touch no node but their own. A mark outlives its key for as long as the chain has nodes, which costs only time.
 *
 * Both keys of a packet between two endpoints of this host, the sender's and the receiver's, fall into the same bucket:
 * the hash is a sum over the two ends. What the second end needs is in the cache when its turn comes.
 */
#define CONNTRACK_HEADS 16
#define CONNTRACK_MARK_SHIFT 24       /* of a head: marks above, reference below; so many nodes at most */
#define CONNTRACK_REFERENCE_MASK 0xffffffu
#define CONNTRACK_CHAIN_MAX 64        /* a longer chain counts as a full table; a secret hash makes it improbable */

struct conntrack_table {
	__u32 bucket_mask;                /* buckets - 1 */
	__u32 secret[6];                  /* random, set when the table is made */
	__u32 pad[9];
	__u64 free_nodes;                 /* top of the list: number + 1 in the low half, times changed in the high half */
	__u32 fresh;                      /* nodes from this number on have never been used */
	__u32 pad_end[13];
};
_Static_assert(sizeof(struct conntrack_table) == 128, "conntrack_table");

struct conntrack_heads {
	__u32 first[CONNTRACK_HEADS];
};
_Static_assert(sizeof(struct conntrack_heads) == 64, "conntrack_heads");

/* Two cache lines: what a lookup reads, what a hit writes. */
struct conntrack_node {
	struct conntrack_key key;
	__u32 next;
	__u32 in_use;                     /* 1 from when a program takes the node until the agent frees it */
	__u32 pad[4];
	struct conntrack_entry entry;
};
_Static_assert(sizeof(struct conntrack_node) == 128, "conntrack_node");

/* A first fragment's ports, for the fragments that follow it. */
struct fragment_key {
	struct ip_address source;
	struct ip_address destination;
	__u32 identification;
	__u16 endpoint;
	__u8 protocol;                    /* IPv6: 0; only the first fragment tells it (RFC 8200 §4.5) */
	__u8 direction;
};
_Static_assert(sizeof(struct fragment_key) == 40, "fragment_key");

struct fragment_entry {
	__u16 source_port;                /* network order */
	__u16 destination_port;           /* network order */
	__u32 last_seen;
	__u8 icmp_type;
	__u8 icmp_code;
	__u8 protocol;
	__u8 pad[5];
};
_Static_assert(sizeof(struct fragment_entry) == 16, "fragment_entry");

#endif
