/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Protocol and ports of a first fragment that passed, for the fragments after it. */
#ifndef BULKHEAD_FRAGMENT_H
#define BULKHEAD_FRAGMENT_H

#include "scene.h"
#include "track.h"

/*
 * What tells datagrams apart, as the receiver puts them together: RFC 791 counts the protocol in, RFC 8200 does not. With
 * extension headers behind the fragment header every fragment names the first of these, not the transport protocol.
 */
static __always_inline struct fragment_key fragment_key_of(struct scene *s, int direction)
{
	struct fragment_key key = {
		.source = *source_of(&s->p, direction), .destination = *destination_of(&s->p, direction),
		.identification = s->p.fragment_id, .endpoint = s->p.key.endpoint,
		.protocol = s->p.family == 6 ? 0 : s->p.key.protocol, .direction = direction,
	};

	return key;
}

static __attribute__((noinline)) int remember_fragment(struct scene *s, int direction)
{
	struct fragment_key key = fragment_key_of(s, direction);
	struct fragment_entry entry = {
		.source_port = direction == DIRECTION_EGRESS ? s->p.key.local_port : s->p.key.remote_port,
		.destination_port = direction == DIRECTION_EGRESS ? s->p.key.remote_port : s->p.key.local_port,
		.last_seen = s->now, .icmp_type = s->p.icmp_type, .icmp_code = s->p.icmp_code,
		.protocol = s->p.key.protocol,
	};

	bpf_map_update_elem(&fragment_map, &key, &entry, BPF_ANY);
	count_metric(METRIC_FRAGMENT_TRACKED, s->p.length);
	return 0;
}

/* Gives a later fragment the protocol and the ports of its first one. */
static __attribute__((noinline)) int recall_fragment(struct scene *s, int direction)
{
	struct fragment_key key = fragment_key_of(s, direction);
	struct fragment_entry *entry = bpf_map_lookup_elem(&fragment_map, &key);

	/* A datagram is put together within 30 s (RFC 791, RFC 8200: 60 s) or never. */
	if (!entry || ticks_since(entry->last_seen, s->now) > 60 * s->config->ticks_per_second)
		return DROP_FRAGMENT_UNTRACKED;
	s->p.key.protocol = entry->protocol;
	set_ports(&s->p, direction, entry->source_port, entry->destination_port);
	s->p.icmp_type = entry->icmp_type;
	s->p.icmp_code = entry->icmp_code;
	return DROP_NONE;
}

#endif
