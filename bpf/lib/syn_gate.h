/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Gates: is this destination defended now? On by load, off by itself. */
#ifndef BULKHEAD_SYN_GATE_H
#define BULKHEAD_SYN_GATE_H

#include "syn_listener.h"
#include "syn_maps.h"

enum { FIB_FORWARDED = 0, FIB_NOT_FORWARDED = 4, FIB_FORWARDING_OFF = 5, FIB_NO_NEIGHBOUR = 7, FAMILY_IPV4 = 2, FAMILY_IPV6 = 10 };

struct bpf_fib_lookup {
	__u8 family, l4_protocol;
	__u16 sport, dport, tot_len;
	__u32 ifindex, flowinfo;
	__u32 source[4], destination[4];
	__u16 vlan[2];
	__u8 smac[6], dmac[6];
};
_Static_assert(sizeof(struct bpf_fib_lookup) == 64, "bpf_fib_lookup");

/* The counters of bpf/abi/syn_defence.h. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SYN_METRIC_COUNT);
	__type(key, __u32);
	__type(value, struct metric);
} syn_metrics_map SEC(".maps");

static __always_inline void count_syn(__u32 index, __u32 bytes)
{
	struct metric *m = bpf_map_lookup_elem(&syn_metrics_map, &index);

	if (m) {
		m->packets += 1;
		m->bytes += bytes;
	}
}

/* `ctx`: a packet or a frame that came by `device`. Returns what the routes say of it, and where it would leave. */
static __attribute__((noinline)) long ask_routes(void *ctx, __u32 device, const struct packet *p, __u32 *way)
{
	struct bpf_fib_lookup f;
	long result;

	__builtin_memset(&f, 0, sizeof(f));
	f.ifindex = device;
	f.l4_protocol = PROTOCOL_TCP;
	f.tot_len = p->length;
	if (p->family == 6) {
		f.family = FAMILY_IPV6;
		__builtin_memcpy(f.source, p->key.remote.bytes, 16);
		__builtin_memcpy(f.destination, p->key.local.bytes, 16);
	} else {
		f.family = FAMILY_IPV4;
		f.source[0] = *(const __u32 *)(p->key.remote.bytes + 12);
		f.destination[0] = *(const __u32 *)(p->key.local.bytes + 12);
	}
	result = bpf_fib_lookup(ctx, (void *)&f, sizeof(f), 0);
	*way = f.ifindex;
	return result;
}

/*
 * A listener on any address also matches what only passes through to somebody else's: ask the routes. Where nothing is
 * forwarded, nothing passes through.
 */
static __always_inline bool is_for_us(struct __sk_buff *skb, const struct packet *p)
{
	__u32 way;
	long result = ask_routes(skb, skb->ifindex, p, &way);

	return result == FIB_NOT_FORWARDED || result == FIB_FORWARDING_OFF;
}

#define GATE_CONFIRMED_NS 1000000000ull

static const struct syn_gate fresh_gate;

/*
 * The gate of a destination that has a listener, made if there is none. All namespaces share the table, and addresses move
 * from one to another: whose a gate is is asked when it is made, when another namespace meets it, and once a second.
 */
static __always_inline struct syn_gate *open_gate(struct __sk_buff *skb, const struct packet *p, __u32 space, __u64 now)
{
	struct syn_gate_key key = {.address = p->key.local, .port = p->key.local_port};
	struct syn_gate *gate = bpf_map_lookup_elem(&syn_gates_map, &key);

	if (gate && gate->space == space && time_since(gate->confirmed, now) < GATE_CONFIRMED_NS)
		return gate;
	if (!is_for_us(skb, p))
		return 0;
	if (!gate) {
		bpf_map_update_elem(&syn_gates_map, &key, (void *)&fresh_gate, BPF_NOEXIST);
		gate = bpf_map_lookup_elem(&syn_gates_map, &key);
		if (!gate)
			return 0;
	}
	gate->space = space;
	gate->confirmed = now;
	return gate;
}

static __always_inline bool has_bit(const __u64 *set, __u16 port)
{
	return set[port >> 6 & 1023] >> (port & 63) & 1;
}

static __always_inline __u32 mode_of(const struct syn_settings *s, __u16 port)
{
	if (s->mode == SYN_DEFENCE_OFF || has_bit(s->off_ports, port))
		return SYN_DEFENCE_OFF;
	return s->mode == SYN_DEFENCE_ALWAYS || has_bit(s->always_ports, port) ? SYN_DEFENCE_ALWAYS : SYN_DEFENCE_AUTO;
}

static __always_inline void arm(struct syn_settings *s, __u64 now)
{
	/* A second more than a lifetime, so that the line is written once a second and else stays shared between CPUs. */
	if (*(volatile __u64 *)&s->armed_until < now + SYN_LIFETIME_NS)
		*(volatile __u64 *)&s->armed_until = now + SYN_LIFETIME_NS + (1ull << 30);
}

static __always_inline void switch_gate(struct syn_gate *gate, __u32 engaged)
{
	if (*(volatile __u32 *)&gate->engaged == engaged)
		return;
	gate->engaged = engaged;
	if (engaged)
		__sync_fetch_and_add(&gate->engagements, 1);
	count_syn(engaged ? SYN_SWITCHED_ON : SYN_SWITCHED_OFF, 0);
}

/*
 * Counts a SYN, and says whether it is to be answered with a cookie. `is_pressed`: the SYN queue of the listener is half
 * full. `is_reached`: its SYN queue shows that SYNs like these do get to it.
 */
static __always_inline bool engage(const struct syn_settings *s, struct syn_gate *gate, __u32 mode, __u64 now,
				   bool is_pressed, bool is_reached)
{
	__u32 count = 1;

	if (time_since(gate->window, now) > s->window_ns) {
		gate->window = now;
		gate->count = 1;
	} else {
		count = __sync_fetch_and_add(&gate->count, 1) + 1;
	}
	if (mode == SYN_DEFENCE_ALWAYS || is_pressed || gate->ordered > now ||
	    (gate->engaged ? count >= s->disengage : count >= s->engage && is_reached)) {
		if (time_since(gate->high, now) > 1000000)
			gate->high = now;
		switch_gate(gate, 1);
	} else if (gate->engaged && time_since(gate->high, now) > s->hold_ns) {
		switch_gate(gate, 0);
	}
	return gate->engaged;
}

#endif
