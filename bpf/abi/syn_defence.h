/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The defence of TCP listeners against forged SYNs: no state is kept for a SYN, its answer carries a cookie that only who
 * receives it can send back. All programs share one table of keys, one of gates (a destination with a listener, and
 * whether it is defended now) and the counters.
 *
 * A cookie is the initial sequence number of our SYN-ACK: 22 bits of a keyed hash over the client's address, port and
 * sequence number, the time step and the options; the lowest bit of the time step; 9 bits of options. The destination is
 * not in it: it may be translated between where a SYN is answered and where the listener is.
 *
 * Time is CLOCK_MONOTONIC in steps of 2^36 ns (69 s). A cookie is valid in its step and in the next. The key of step n is
 * keys[n % SYN_KEY_COUNT]; whoever rotates them writes those of steps to come. Nobody has to: the step itself is hashed (its
 * low seven bits, so that without rotation who received a cookie could use it once more after two and a half hours).
 */
#ifndef BULKHEAD_ABI_SYN_DEFENCE_H
#define BULKHEAD_ABI_SYN_DEFENCE_H

#include "abi_types.h"

#define SYN_STEP_SHIFT 36
#define SYN_LIFETIME_NS (2ull << SYN_STEP_SHIFT)
#define SYN_KEY_COUNT 4
#define SYN_GATE_COUNT_MAX 8192
/* A listener that has so few half-open connections is not what the SYNs that we see go to (address translation). */
#define SYN_HALF_OPEN_MIN 16

enum {
	SYN_DEFENCE_OFF = 0,              /* no SYN is answered; cookies that are under way are still accepted */
	SYN_DEFENCE_AUTO = 1,             /* by load, each listener for itself */
	SYN_DEFENCE_ALWAYS = 2,
};

struct syn_key {
	__u64 words[2];
};

struct syn_settings {
	struct syn_key keys[SYN_KEY_COUNT];
	__u64 armed_until;                /* ns; ACKs are looked at until then: no cookie can be valid later */
	__u64 pad_armed[7];
	__u64 window_ns;                  /* SYNs are counted over this long */
	__u64 hold_ns;                    /* so long with fewer than `disengage` in every window: off */
	__u32 engage;                     /* SYNs in one window */
	__u32 disengage;
	__u32 mode;                       /* SYN_DEFENCE_* */
	__u32 receive_buffer_max;         /* net.core.rmem_max: part of the window scale that the stack would choose */
	__u32 pad[8];
	__u64 off_ports[1024];            /* listeners' ports, bit by bit: never defended */
	__u64 always_ports[1024];
};
_Static_assert(sizeof(struct syn_settings) == 192 + 2 * 8192, "syn_settings");

struct syn_gate_key {
	struct ip_address address;
	__u16 port;                       /* network order */
	__u16 pad;
};
_Static_assert(sizeof(struct syn_gate_key) == 20, "syn_gate_key");

/* Why a listener under load is not defended: bits of `obstacles`. */
enum {
	SYN_OBSTACLE_COOKIES_OFF = 1 << 0, /* net.ipv4.tcp_syncookies = 0 in its namespace */
	SYN_OBSTACLE_MPTCP = 1 << 1,       /* the kernel's own cookies do it */
};

/* What the stack of the listener's namespace lets us offer: bits of `offer`. */
enum {
	SYN_OFFER_WINDOW_SCALE = 1 << 0,
	SYN_OFFER_SACK = 1 << 1,
	SYN_OFFER_TIMESTAMPS = 1 << 2,
	SYN_OFFER_ECN = 1 << 3,
};

struct syn_gate {
	__u64 window;                     /* ns, when the present window began */
	__u64 high;                       /* ns, when it was last under load */
	__u64 confirmed;                  /* ns, when the routes were last asked whether it is this namespace's */
	__u64 passed;                     /* ns, when a front last let a SYN through */
	__u64 restricted;                 /* ns, when policy last had a say in who may connect: a front cannot ask it */
	__u64 led;                        /* ns, when the routes last said that what a front meets gets here */
	__u64 ordered;                    /* ns, until when it is defended whatever the load */
	__u32 count;                      /* SYNs in the window; CPUs race, a few may be lost */
	__u32 engaged;                    /* 1: SYNs are answered with cookies */
	__u32 engagements;                /* how often it came to that */
	__u16 mss;                        /* what we offer */
	__u16 window_bytes;
	__u8 window_scale;
	__u8 offer;                       /* SYN_OFFER_* */
	__u8 obstacles;                   /* SYN_OBSTACLE_* */
	__u8 is_full;                     /* 1: connections wait that the application does not accept */
	__u32 space;                      /* inode of the network namespace that has the address */
	__u32 led_from;                   /* number of that front's device */
	__u32 pad;
};
_Static_assert(sizeof(struct syn_gate) == 88, "syn_gate");

/* A published port: what comes in by this device for this destination is translated to another (DNAT). */
struct syn_published_key {
	struct ip_address address;
	__u16 port;                       /* network order */
	__u16 pad;
	__u32 device;
};
_Static_assert(sizeof(struct syn_published_key) == 24, "syn_published_key");

#define SYN_PUBLISHED_COUNT_MAX 1024
/* So long it is believed without being confirmed. */
#define SYN_PUBLISHED_TRUST_NS 2000000000ull

struct syn_published {
	__u64 confirmed;                  /* ns, when a SYN was last seen on both sides of the translation */
	__u64 changed;                    /* ns, when it was last translated to another destination than before */
	__u64 passed;                     /* as of a gate */
	__u64 restricted;                 /* as of a gate: policy of the host, about the published port */
	__u64 tried;                      /* ns, of the first cookie let through that was not seen behind; 0: none */
	__u64 failed;                     /* ns, when so many were not seen that it was given up */
	struct syn_gate_key target;
	__u32 missing;                    /* cookies that were not seen behind since `tried` */
};
_Static_assert(sizeof(struct syn_published) == 72, "syn_published");

/* Destinations on other machines that are defended: a longest prefix over port and address. */
struct syn_behind_key {
	__u32 prefix_length;              /* 16 for the port, and of the address, IPv4 counting from 96 */
	__u16 port;                       /* network order */
	__u8 address[16];
	__u8 pad[2];
};
_Static_assert(sizeof(struct syn_behind_key) == 24, "syn_behind_key");

#define SYN_BEHIND_COUNT_MAX 4096

/* Gates with this for a namespace are of such destinations. */
#define SYN_SPACE_BEHIND 0xffffffffu
/* What is promised to their clients; the windows that the server announces are scaled anew. */
#define SYN_BEHIND_SCALE 8
/* If nobody else does, a SYN is let through so often to ask the server: half-open connections that it can bear. */
#define SYN_BEHIND_ASKS_NS 1000000000ull

/* A connection whose numbers are translated, by the addresses and ports of its client and its server. */
struct syn_flow_key {
	struct ip_address server, client;
	__u16 server_port, client_port;   /* network order */
};
_Static_assert(sizeof(struct syn_flow_key) == 36, "syn_flow_key");

#define SYN_FLOW_COUNT_MAX 65536

enum {
	SYN_FLOW_WAITS = 0,               /* the server has not answered yet */
	SYN_FLOW_OPEN = 1,
	SYN_FLOW_CLOSING = 2,             /* one side has closed */
	SYN_FLOW_CLOSED = 3,              /* both have, or one has reset it */
};

struct syn_flow {
	__u64 seen;                       /* ns, coarse */
	__u32 isn;                        /* the client's */
	__u32 cookie;                     /* ours */
	__u32 delta;                      /* a sequence number of the server and this is what the client sees */
	__u32 clock_delta;                /* a timestamp of the server and this is what the client sees */
	__u32 client_clock;
	__u16 client_window;              /* network order, as the client wrote it */
	__u8 state;                       /* SYN_FLOW_* */
	__u8 server_scale;                /* 15: the server scales no windows */
};
_Static_assert(sizeof(struct syn_flow) == 32, "syn_flow");

/* A device where SYNs to listeners behind it, or here, are answered before they get there. */
enum {
	SYN_FRONT_TRAFFIC = 1,            /* at tcx: for namespaces behind this one */
	SYN_FRONT_FRAMES = 2,             /* XDP: for this one as well */
};

struct syn_front {
	__u8 hook;                        /* SYN_FRONT_* */
	__u8 hardware_address[6];         /* frames to others are not for us */
	__u8 pad;
};
_Static_assert(sizeof(struct syn_front) == 8, "syn_front");

/* What is forwarded to this device gets to this namespace, and to it only. Device 0: what is not forwarded. */
struct syn_way_key {
	__u32 device;
	__u32 space;
};
_Static_assert(sizeof(struct syn_way_key) == 8, "syn_way_key");

/* Indices of syn_metrics_map. */
enum {
	SYN_ANSWERED = 0,                 /* by the listener's program */
	SYN_ANSWERED_AHEAD = 1,           /* by a front */
	SYN_ACCEPTED = 2,                 /* cookies that became connections */
	SYN_REFUSED = 3,                  /* valid cookies that the stack did not take */
	SYN_STALE = 4,                    /* valid cookies with timestamps that are too old */
	SYN_QUEUE_FULL = 5,               /* SYNs dropped because the application does not accept */
	SYN_LEFT = 6,                     /* SYNs to a defended listener that the stack has to answer */
	SYN_SWITCHED_ON = 7,
	SYN_SWITCHED_OFF = 8,
	SYN_OPENED_BEHIND = 9,            /* cookies that became SYNs to another machine */
	SYN_METRIC_COUNT = 16,
};

#endif
