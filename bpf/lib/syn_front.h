/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Fronts: SYNs of a flood are answered where they come in, with the same keys, and never get to the listener's namespace.
 * ACKs are not looked at here: the listener's program checks them.
 *
 * A front knows no sockets. It answers for a gate that the listener's program has opened and confirmed lately, if the routes
 * (or for a published port, tickets) say that what it meets gets to that namespace, and if no policy has a say in who may
 * connect: it cannot be asked here.
 * Now and then it lets a SYN through, by which the listener's program confirms the gate anew.
 */
#ifndef BULKHEAD_SYN_FRONT_H
#define BULKHEAD_SYN_FRONT_H

#include "syn_closed.h"
#include "syn_ticket.h"

#define SYN_FRONT_COUNT_MAX 256
#define SYN_WAY_COUNT_MAX 8192

/* A gate is confirmed by a SYN that is let through, at most this and GATE_CONFIRMED_NS after the last time. */
#define FRONT_PASSES_NS 250000000ull
#define FRONT_TRUSTS_NS 2000000000ull
#define FRONT_ASKS_ROUTES_NS 1000000000ull

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SYN_FRONT_COUNT_MAX);
	__type(key, __u32);
	__type(value, struct syn_front);
} syn_fronts_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SYN_WAY_COUNT_MAX);
	__type(key, struct syn_way_key);
	__type(value, __u32);
} syn_ways_map SEC(".maps");

/* Asked once a second, and when another device is asked about. */
static __always_inline bool leads_to_gate(void *ctx, __u32 device, bool is_frame, const struct packet *p,
					  struct syn_gate *gate, __u64 now)
{
	struct syn_way_key key = {.space = gate->space};
	long result;
	__u32 way;

	if (gate->led_from == device && time_since(gate->led, now) < FRONT_ASKS_ROUTES_NS)
		return true;
	result = ask_routes(ctx, device, p, &way);
	if (result == FIB_FORWARDED || result == FIB_NO_NEIGHBOUR)
		key.device = way;
	else if (!is_frame || (result != FIB_NOT_FORWARDED && result != FIB_FORWARDING_OFF))
		return false;
	if (!bpf_map_lookup_elem(&syn_ways_map, &key))
		return false;
	gate->led_from = device;
	gate->led = now;
	return true;
}

/* What the listener's program and those who judge say of it. */
static __always_inline bool is_trusted(const struct syn_gate *gate, __u64 now)
{
	return gate->engaged && !gate->obstacles && !gate->is_full && gate->mss &&
	       time_since(gate->confirmed, now) < FRONT_TRUSTS_NS && time_since(gate->restricted, now) > FRONT_TRUSTS_NS;
}

/* The gate for which a SYN is to be answered here, or nothing. */
static __attribute__((noinline)) struct syn_gate *front_gate(void *ctx, __u32 device, bool is_frame, const struct packet *p,
							     const struct syn_settings *settings)
{
	struct syn_gate *gate = syn_gate_of(&p->key.local, p->key.local_port);
	struct syn_published *published = 0;
	__u64 now = bpf_ktime_get_coarse_ns(), *passed;
	__u16 port = p->key.local_port;
	__u32 mode;

	/* Also a process may listen on a port that is published for another: its gate is not under load. */
	if (!gate || !gate->engaged) {
		published = syn_published_of(&p->key.local, p->key.local_port, device);
		if (!published || !is_published(published, now))
			return 0;
		gate = syn_gate_behind(published);
		port = published->target.port;
	}
	if (!gate || !is_trusted(gate, now))
		return 0;
	/* Of another machine: at tcx another program answers, which also sees to it that the server is asked. */
	if (gate->space == SYN_SPACE_BEHIND && (!is_frame || time_since(gate->confirmed, now) > SYN_BEHIND_ASKS_NS))
		return 0;
	mode = mode_of(settings, host16(port));
	if (mode == SYN_DEFENCE_OFF)
		return 0;
	passed = published ? &published->passed : &gate->passed;
	if (gate->space == SYN_SPACE_BEHIND)
		return engage(settings, gate, mode, now, false, true) ? gate : 0;
	if (time_since(*passed, now) > FRONT_PASSES_NS) {
		*passed = now;
		return 0;
	}
	if (has_closed(p, now))
		return 0;
	/* Of what is published it is known where it gets: it was seen there. */
	if (!published && !leads_to_gate(ctx, device, is_frame, p, gate, now))
		return 0;
	return engage(settings, gate, mode, now, false, true) ? gate : 0;
}

static __always_inline const struct syn_front *front_on(__u32 device, __u8 hook)
{
	const struct syn_front *front = bpf_map_lookup_elem(&syn_fronts_map, &device);

	return front && front->hook == hook ? front : 0;
}

/* An answer of its own: frames have no marks of the stack's, and go back the way they came by a verdict. */
static __attribute__((noinline)) int answer_frame(struct xdp_md *frame, const struct packet *p,
						  const struct syn_settings *settings, const struct syn_gate *gate)
{
	struct syn_answer a = {};
	struct syn_segment s;
	struct numbers n;

	if (bpf_xdp_load_bytes(frame, p->l4_offset + 4, &n, sizeof(n)) ||
	    !read_options(frame, true, p, header_bytes(&n), &s) ||
	    !make_answer(settings, p, &s, gate, network32(n.sequence), bpf_ktime_get_coarse_ns(), &a))
		return XDP_PASS;
	if (p->family == 6 ? !build_answer(frame, true, true, false, &a) : !build_answer(frame, true, false, false, &a))
		return XDP_DROP;
	count_syn(SYN_ANSWERED_AHEAD, p->length);
	return XDP_TX;
}

#endif
