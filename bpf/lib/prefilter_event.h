/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Drops of the prefilter as flow events: some, see prefilter_samples_map in bpf/abi/prefilter.h. */
#ifndef BULKHEAD_PREFILTER_EVENT_H
#define BULKHEAD_PREFILTER_EVENT_H

#include "event_write.h"
#include "prefilter_maps.h"

static __always_inline struct prefilter_sample *own_sample(__u32 reason)
{
	__u32 index = bpf_get_smp_processor_id() * PREFILTER_REASONS + reason;

	return bpf_map_lookup_elem(&prefilter_samples_map, &index);
}

/* All that a drop of a flood pays for events. */
static __always_inline bool has_credit(__u32 reason)
{
	const struct prefilter_sample *sample = own_sample(reason);

	return sample && sample->credit;
}

/* `cause`: the reason, above 8 bits the number of the feed. Not inlined: it is off the path of floods. */
static __attribute__((noinline)) int tell_drop(const struct packet *p, __u32 cause, __u32 verdict, __u32 interface)
{
	__u32 reason = cause & (PREFILTER_REASONS - 1), feed = cause >> 8 & (FEED_COUNT - 1);
	__u32 index = (verdict == VERDICT_DENY ? PREFILTER_DROPPED : PREFILTER_WOULD_DROP) + reason;
	struct prefilter_sample *sample = own_sample(reason);
	const struct metric *dropped = bpf_map_lookup_elem(&prefilter_metrics_map, &index);
	struct event_ring *ring = own_ring();
	struct flow_event *e = ring ? next_slot(ring) : 0;

	if (!sample || !dropped)
		return 0;
	sample->credit -= 1;
	if (!e) {
		count_prefilter(PREFILTER_EVENTS_LOST, 0);
		return 0;
	}
	count_prefilter(PREFILTER_EVENTS, 0);
	*e = (struct flow_event){
		.kind = EVENT_FLOW, .verdict = verdict, .reason = reason, .direction = DIRECTION_INGRESS,
		.conntrack = FLOW_UNTRACKED, .protocol = p->key.protocol, .family = p->family, .tcp_flags = p->tcp_flags,
		.timestamp = bpf_ktime_get_ns(), .source = p->key.remote, .destination = p->key.local, .vlan = p->vlan,
		.rule = feed ? PREFILTER_RULE_FIRST + feed : 0, .length = p->length, .ifindex = interface,
		.packets = dropped->packets - sample->packets, .bytes = dropped->bytes - sample->bytes,
	};
	fill_ports(e, p, DIRECTION_INGRESS);
	sample->packets = dropped->packets;
	sample->bytes = dropped->bytes;
	publish(ring);
	return 0;
}

#endif
