/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * see_dns: DNS messages between an endpoint and a resolver. A query is noted; the first answer to it, from that resolver, to
 * that port, with that id and question, in time, is believed: its addresses get the numbers of the selectors that its name
 * matches, before the endpoint sees it. No process has a part in this.
 */
#ifndef BULKHEAD_SEE_DNS_H
#define BULKHEAD_SEE_DNS_H

#include "dns_stream.h"
#include "scene.h"

/*
 * What came in by a workload's own link with the resolver's address must be that workload's: also where its source is not
 * checked, it speaks for no resolver but itself.
 */
static __always_inline bool is_impersonated(struct __sk_buff *skb, const struct ip_address *resolver)
{
	struct endpoint_entry *sender = skb->ingress_ifindex ? find_endpoint(skb->ingress_ifindex) : 0;
	struct endpoint_address_key key = {};

	if (!sender || !sender->ifindex || sender->flags & ENDPOINT_HOST)
		return false;
	key.address = *resolver;
	key.endpoint = sender->endpoint;
	return !bpf_map_lookup_elem(&endpoint_address_map, &key);
}

/* One datagram, or several that were merged (GRO): all but the last are gso_size long. */
static __always_inline void see_datagrams(struct __sk_buff *skb, const struct packet *p, __u32 end, __u32 is_answer)
{
	__u32 at = p->l4_offset + 8, step = skb->gso_size;
	__u16 size;

	if (!step) {
		if (bpf_skb_load_bytes(skb, p->l4_offset + 4, &size, 2) || p->l4_offset + host16(size) > end)
			return;
		see_message(skb, p, at, host16(size) - 8, is_answer);
		return;
	}
#pragma clang loop unroll(disable)
	for (int i = 0; i < FQDN_MESSAGES_MAX; i++) {
		if (at >= end)
			return;
		see_message(skb, p, at, at + step > end ? end - at : step, is_answer);
		at += step;
	}
	if (at < end)
		count_metric(METRIC_DNS_UNREAD, 0);
}

/*
 * A packet between an endpoint and port 53 that policy lets pass. Only listed resolvers are noted as asked, so only they can
 * answer what was asked.
 */
__attribute__((noinline)) int see_dns(struct __sk_buff *skb, const struct packet *p, __u32 is_answer)
{
	__u32 zero = 0, end;
	struct fqdn_config *config = bpf_map_lookup_elem(&fqdn_config_map, &zero);
	struct ip_address resolver;

	if (!p || !config || !config->is_enabled)
		return 0;
	resolver = p->key.remote;
	if (!is_answer && !bpf_map_lookup_elem(&fqdn_resolver_map, &resolver))
		return 0;
	if (p->flags & PACKET_FRAGMENT) {
		count_metric(METRIC_DNS_UNREAD, 0);
		return 0;
	}
	if (is_answer && is_impersonated(skb, &resolver)) {
		count_metric(METRIC_DNS_UNASKED, 0);
		return 0;
	}
	end = p->l3_offset + p->length;
	if (p->key.protocol == PROTOCOL_UDP)
		see_datagrams(skb, p, end, is_answer);
	else if (p->key.protocol == PROTOCOL_TCP)
		see_stream(skb, p, end, is_answer);
	return 0;
}

#endif
