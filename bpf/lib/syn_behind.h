/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Servers on other machines, of which this host is the router: what is known of them, and their connections.
 *
 * A SYN is answered at the device where it comes in, with an empty window. The ACK that brings the cookie becomes a SYN to
 * the server; the server's answer tells how far its numbers are from ours, and opens the window. From then on the numbers
 * of both directions are translated (syn_translate.h). All of it is done on the outer side of the host's own stack: its
 * connection tracking, its address translation and its rules meet an ordinary handshake, and the server's numbers.
 */
#ifndef BULKHEAD_SYN_BEHIND_H
#define BULKHEAD_SYN_BEHIND_H

#include "syn_answer.h"

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SYN_BEHIND_COUNT_MAX);
	__type(key, struct syn_behind_key);
	__type(value, __u32);
} syn_behind_map SEC(".maps");

/* Only who has brought back a cookie gets in. Full, it forgets whom nothing was heard of for longest. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SYN_FLOW_COUNT_MAX);
	__type(key, struct syn_flow_key);
	__type(value, struct syn_flow);
} syn_flows_map SEC(".maps");

/* A gate is believed for so long after its server has answered somebody. */
#define BEHIND_TRUSTED_NS 10000000000ull

#define FLOW_WAITS_NS 30000000000ull
#define FLOW_IDLE_NS (3 * 3600 * 1000000000ull)
#define FLOW_CLOSED_NS 60000000000ull
/* After such a pause somebody else may have the client's port: a translator of addresses gives away whose owner is gone. */
#define FLOW_QUIET_NS 5000000000ull

static __always_inline bool is_behind(const struct packet *p)
{
	struct syn_behind_key key = {.prefix_length = 16 + 128, .port = p->key.local_port};

	__builtin_memcpy(key.address, p->key.local.bytes, 16);
	return bpf_map_lookup_elem(&syn_behind_map, &key) != 0;
}

static __always_inline void flow_key_of(const struct packet *p, struct syn_flow_key *key)
{
	key->server = p->key.local;
	key->client = p->key.remote;
	key->server_port = p->key.local_port;
	key->client_port = p->key.remote_port;
}

static __always_inline bool is_expired(const struct syn_flow *flow, __u64 now)
{
	__u64 idle = time_since(flow->seen, now);

	return idle > (flow->state == SYN_FLOW_WAITS ? FLOW_WAITS_NS : flow->state == SYN_FLOW_CLOSED ? FLOW_CLOSED_NS : FLOW_IDLE_NS);
}

static __attribute__((noinline)) struct syn_flow *flow_of(const struct packet *p, __u64 now)
{
	struct syn_flow_key key = {};
	struct syn_flow *flow;

	flow_key_of(p, &key);
	flow = bpf_map_lookup_elem(&syn_flows_map, &key);
	return flow && !is_expired(flow, now) ? flow : 0;
}

/* Written once a second: else the line stays shared between CPUs. */
static __always_inline void note_seen(struct syn_flow *flow, __u64 now)
{
	if (time_since(flow->seen, now) > 1000000000)
		flow->seen = now;
}

static __always_inline void note_flags(struct syn_flow *flow, __u8 flags, bool is_answered)
{
	if (flags & TCP_RST)
		flow->state = SYN_FLOW_CLOSED;
	else if (flags & TCP_FIN && flow->state < SYN_FLOW_CLOSED)
		flow->state = flow->state == SYN_FLOW_CLOSING && is_answered ? SYN_FLOW_CLOSED : SYN_FLOW_CLOSING;
}

/* The gate of a server that was seen to answer. */
static __attribute__((noinline)) struct syn_gate *behind_gate(const struct packet *p, __u64 now)
{
	struct syn_gate *gate = syn_gate_of(&p->key.local, p->key.local_port);

	return gate && gate->space == SYN_SPACE_BEHIND && time_since(gate->confirmed, now) < BEHIND_TRUSTED_NS ? gate : 0;
}

/*
 * A server has answered a SYN: it is there, and so much it grants. What a client did not ask for is not granted to it,
 * so options only come to this. The MSS it offers is its own whatever the client said.
 */
static __attribute__((noinline)) int note_server(const struct packet *p, const struct syn_segment *s, __u64 now)
{
	struct syn_gate_key key = {.address = p->key.local, .port = p->key.local_port};
	struct syn_gate *gate = bpf_map_lookup_elem(&syn_gates_map, &key);

	if (!gate) {
		bpf_map_update_elem(&syn_gates_map, &key, (void *)&fresh_gate, BPF_NOEXIST);
		gate = bpf_map_lookup_elem(&syn_gates_map, &key);
		if (!gate)
			return 0;
	}
	if (gate->space != SYN_SPACE_BEHIND) {
		gate->space = SYN_SPACE_BEHIND;
		gate->offer = 0;
		gate->window_bytes = 0;
		gate->window_scale = SYN_BEHIND_SCALE;
		gate->obstacles = 0;
		gate->is_full = 0;
	}
	gate->mss = s->mss;
	gate->offer |= offer_of(s->window_scale != SYN_NO_WINDOW_SCALE, s->has_sack, s->has_timestamps,
				(p->tcp_flags & (TCP_ECE | TCP_CWR)) == TCP_ECE);
	gate->confirmed = now;
	return 0;
}

#endif
