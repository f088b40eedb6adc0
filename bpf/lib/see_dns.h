/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * see_dns: DNS messages between an endpoint and a resolver. A query is noted; the first answer to it, from that resolver, to
 * that port, with that id and question, in time, is believed: its addresses get the numbers of the selectors that its name
 * matches, before the endpoint sees it. No process has a part in this.
 */
#ifndef BULKHEAD_SEE_DNS_H
#define BULKHEAD_SEE_DNS_H

#include "learn.h"

/* Messages of one packet that are read: of a segment of TCP, or datagrams that were merged on their way. */
#define FQDN_MESSAGES_MAX 8

/*
 * One message that lies at `at` in the packet. Cheapest doubt first: an answer that nobody waits for is not read. A global
 * function: the verifier proves it once, by itself.
 */
__attribute__((noinline)) int see_message(struct __sk_buff *skb, const struct packet *p, __u32 at, __u32 length,
					  __u32 is_answer)
{
	__u32 zero = 0;
	struct dns_walk w = {
		.s = bpf_map_lookup_elem(&fqdn_scratch_map, &zero), .config = bpf_map_lookup_elem(&fqdn_config_map, &zero),
	};
	struct fqdn_query_key *key;
	struct fqdn_query *asked, *query = 0;
	int flags;

	if (!p || !w.s || !w.config)
		return 0;
	key = &w.s->key;
	asked = &w.s->asked;
	if (length < DNS_HEADER_BYTES + 5 || length > FQDN_MESSAGE_BYTES || bpf_skb_load_bytes(skb, at, &key->id, 2)) {
		count_metric(METRIC_DNS_MALFORMED, 0);
		return 0;
	}
	key->resolver = p->key.remote;
	key->client = p->key.local;
	key->endpoint = p->key.endpoint;
	key->port = p->key.local_port;
	key->protocol = p->key.protocol;
	w.s->now = fqdn_now();
	w.s->endpoint = p->key.endpoint;
	if (is_answer) {
		query = bpf_map_lookup_elem(&fqdn_query_map, key);
		if (!query || w.s->now - query->asked > w.config->query_seconds) {
			count_metric(METRIC_DNS_UNASKED, 0);
			return 0;
		}
	}
	w.s->length = length;
	w.s->wants_selectors = is_answer;
	if (bpf_skb_load_bytes(skb, at, w.s->message, length))
		return 0;
	flags = dns_read_question(&w);
	if (flags < 0 || !(flags & DNS_FLAG_RESPONSE) != !is_answer) {
		count_metric(METRIC_DNS_MALFORMED, 0);
		return 0;
	}
	hash_name(&w);
	asked->hash = dns_hash(w.s);
	asked->asked = w.s->now;
	asked->length = w.s->name_length;
	asked->type = dns_question_type(w.s);
	if (!query) {
		if (!bpf_map_lookup_elem(&fqdn_query_map, key))
			hold_query(key, w.config->share);
		bpf_map_update_elem(&fqdn_query_map, key, asked, BPF_ANY);
		count_metric(METRIC_DNS_QUERY, 0);
		return 0;
	}
	if (query->hash != asked->hash || query->length != asked->length || query->type != asked->type) {
		count_metric(METRIC_DNS_UNASKED, 0);
		return 0;
	}
	/* One query, one answer: who takes it out believes it. */
	if (bpf_map_delete_elem(&fqdn_query_map, key)) {
		count_metric(METRIC_DNS_UNASKED, 0);
		return 0;
	}
	count_metric(METRIC_DNS_ANSWER, 0);
	return flags & DNS_FLAG_RCODE ? 0 : believe(&w);
}

/*
 * What came in by a workload's own link with the resolver's address must be that workload's: also where its source is not
 * checked, it speaks for no resolver but itself.
 */
static __always_inline bool is_impersonated(struct __sk_buff *skb, const struct ip_address *resolver)
{
	__u32 slot = skb->ingress_ifindex & (ENDPOINT_TABLE_SIZE - 1);
	struct endpoint_entry *sender = bpf_map_lookup_elem(&endpoint_map, &slot);
	struct endpoint_address_key key = {};

	if (!skb->ingress_ifindex || !sender || sender->ifindex != skb->ingress_ifindex || sender->flags & ENDPOINT_HOST)
		return false;
	key.address = *resolver;
	key.endpoint = sender->endpoint;
	return !bpf_map_lookup_elem(&endpoint_address_map, &key);
}

/* The messages of one packet of TCP: whole ones only. One that is cut in two teaches nothing. */
static __always_inline void see_stream(struct __sk_buff *skb, const struct packet *p, __u32 end, __u32 is_answer)
{
	__u32 at = p->l4_offset;
	__u16 size;
	__u8 words;

	if (bpf_skb_load_bytes(skb, at + 12, &words, 1))
		return;
	at += (words >> 4) * 4;
#pragma clang loop unroll(disable)
	for (int i = 0; i < FQDN_MESSAGES_MAX; i++) {
		if (at + 2 >= end || bpf_skb_load_bytes(skb, at, &size, 2))
			return;
		at += 2;
		if (at + host16(size) > end) {
			count_metric(METRIC_DNS_UNREAD, 0);
			return;
		}
		see_message(skb, p, at, host16(size), is_answer);
		at += host16(size);
	}
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
 * A packet between an endpoint and port 53 that policy lets pass. A global function, as all that is called from the path
 * of every packet: the verifier proves it once.
 */
__attribute__((noinline)) int see_dns(struct __sk_buff *skb, const struct packet *p, __u32 is_answer)
{
	__u32 zero = 0, end;
	struct fqdn_config *config = bpf_map_lookup_elem(&fqdn_config_map, &zero);
	struct ip_address resolver;

	if (!p || !config || !config->is_enabled)
		return 0;
	resolver = p->key.remote;
	if (!bpf_map_lookup_elem(&fqdn_resolver_map, &resolver))
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
