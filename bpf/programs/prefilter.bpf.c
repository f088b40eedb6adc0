/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The shield's first line (bpf/abi/prefilter.h). xdp_prefilter judges frames before the stack makes packets of them;
 * tc_prefilter and tc_prefilter_raw do the same for what never was a frame: devices without XDP, tunnels (raw: packets begin
 * with the IP header). tc_prefilter_asked sits where packets leave and notes who asks reflectors. On their way all of these,
 * and tc_sense_* for what the endpoints' programs saw, tell the sensors (bpf/abi/sensors.h).
 *
 * Without settings everything passes: this line makes attacks cheap, what may pass is decided behind it.
 */
#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include "parse_skb.h"
#include "prefilter_early.h"
#include "sense_hook.h"

/* The long way through the parser. Global: the verifier proves it once. */
__attribute__((noinline)) int read_xdp(struct xdp_md *ctx, struct packet *p)
{
	struct cursor c = {.data = (void *)(long)ctx->data, .end = (void *)(long)ctx->data_end};

	if (!p)
		return DROP_TRUNCATED;
	c.length = c.limit = bpf_xdp_get_buff_len(ctx);
	return read_packet(&c, p);
}

__attribute__((noinline)) int read_skb(struct __sk_buff *skb, struct packet *p)
{
	struct cursor c = open_cursor(skb);

	if (!p)
		return DROP_TRUNCATED;
	if (skb->vlan_present)
		p->flags |= PACKET_TAG_TAKEN;
	return read_packet(&c, p);
}

static __always_inline bool is_not_ip(int reason, const struct packet *p)
{
	return reason == DROP_ETHERTYPE || (!reason && p->flags & PACKET_ARP);
}

/* Sources that are shut out or that no wire carries are no news. `cause`: the reason, above 8 bits the feed's number. */
static __always_inline bool is_news(int cause)
{
	int reason = cause & (PREFILTER_REASONS - 1);

	return reason != DROP_SHIELD_FEED && reason != DROP_SHIELD_BLOCK && reason != DROP_SHIELD_LAND &&
	       reason != DROP_SHIELD_MARTIAN;
}

/* True if the packet passes. `why`: of the parser; afterwards of what was found. `class`: of the source. */
static __always_inline bool judge(const struct prefilter_settings *settings, int *why, const struct packet *p, __u32 bytes,
				  __u32 interface, int class)
{
	const struct prefilter_config *config = &settings->banks[settings->active & 1];
	int reason = *why;

	if (is_not_ip(reason, p)) {
		count_prefilter(PREFILTER_NOT_IP, bytes);
		return true;
	}
	if (reason && !(config->flags & PREFILTER_MALFORMED)) {
		count_prefilter(PREFILTER_PASSED, bytes);
		return true;
	}
	if (!reason)
		*why = reason = judge_source(settings, config, p, class);
	return settle(config->flags, reason, p, bytes, interface);
}

/* Who answers SYNs of a flood before the stack does (bpf/lib/syn_front.h), if anybody. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} syn_front_map SEC(".maps");

static __always_inline bool is_syn(const struct packet *p)
{
	return p->key.protocol == PROTOCOL_TCP && (p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

SEC("xdp.frags")
int xdp_prefilter(struct xdp_md *ctx)
{
	__u32 zero = 0, flags;
	const struct prefilter_settings *settings = bpf_map_lookup_elem(&prefilter_settings_map, &zero);
	struct cursor c = {.data = (void *)(long)ctx->data, .end = (void *)(long)ctx->data_end};
	int reason, parsed, class = CLASS_UNKNOWN;
	struct packet p;
	bool passes;

	if (!settings)
		return XDP_PASS;
	flags = settings->banks[settings->active & 1].flags;
	if (flags & PREFILTER_FEEDS && (const __u8 *)c.data + EARLY_BYTES <= (const __u8 *)c.end) {
		class = class_of_frame(c.data);
		if (is_settled_early(flags, c.data, c.end, class)) {
			/* Of a frame in several buffers the first; asking for all costs as much as the rest of this. */
			c.length = c.end - c.data;
			count_hit(class, c.length - 14);
			count_prefilter(PREFILTER_DROPPED + DROP_SHIELD_FEED, c.length);
			return XDP_DROP;
		}
	}
	c.length = c.limit = bpf_xdp_get_buff_len(ctx);
	p = (struct packet){};
	if (parse_usual(&c, &p, DIRECTION_INGRESS))
		reason = check_transport(&c, &p);
	else
		reason = read_xdp(ctx, &p);
	parsed = reason;
	passes = judge(settings, &reason, &p, c.length, ctx->ingress_ifindex, class);
	flags = SENSE_TARGET_INSIDE;
	if ((passes || is_news(reason)) && sense_wants(&p, parsed, &flags))
		sense_frame(ctx, &p, flags);
	if (!passes)
		return XDP_DROP;
	if (!parsed && is_syn(&p))
		bpf_tail_call(ctx, &syn_front_map, 0);
	return XDP_PASS;
}

static __always_inline int judge_skb(struct __sk_buff *skb, __u16 ethertype)
{
	__u32 zero = 0;
	const struct prefilter_settings *settings = bpf_map_lookup_elem(&prefilter_settings_map, &zero);
	struct packet p = {.ethertype = ethertype};
	__u32 flags = SENSE_TARGET_INSIDE;
	int reason, parsed;
	bool passes;

	if (!settings)
		return TC_ACT_UNSPEC;
	reason = parsed = read_skb(skb, &p);
	passes = judge(settings, &reason, &p, skb->len, skb->ifindex, CLASS_UNKNOWN);
	if ((passes || is_news(reason)) && sense_wants(&p, parsed, &flags))
		sense_skb(skb, &p, flags);
	return passes ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}

SEC("tc")
int tc_prefilter(struct __sk_buff *skb)
{
	return judge_skb(skb, 0);
}

SEC("tc")
int tc_prefilter_raw(struct __sk_buff *skb)
{
	return judge_skb(skb, host16(skb->protocol));
}

/* What leaves. Of forwarded packets the endpoints' programs have seen who began; here is what comes back from them. */
static __always_inline void sense_leaving(struct __sk_buff *skb, const struct sense_settings *s, struct packet *p, int reason)
{
	__u32 flags = SENSE_EGRESS | SENSE_SOURCE_INSIDE;

	if (s->flags & SENSE_ENDPOINTS && skb->ingress_ifindex)
		flags |= SENSE_NO_PROBES;
	if (sense_wants(p, reason, &flags))
		sense_skb(skb, p, flags);
}

static __always_inline int note_skb(struct __sk_buff *skb, __u16 ethertype)
{
	__u32 zero = 0;
	const struct prefilter_settings *settings = bpf_map_lookup_elem(&prefilter_settings_map, &zero);
	const struct prefilter_ports *ports = bpf_map_lookup_elem(&prefilter_ports_map, &zero);
	const struct sense_settings *sensors = sense_settings_at(0);
	struct packet p = {.ethertype = ethertype};
	bool asks, senses;
	int reason;

	if (!settings || !ports || !sensors)
		return TC_ACT_UNSPEC;
	asks = settings->banks[settings->active & 1].flags & PREFILTER_REFLECTORS;
	senses = sensors->flags & SENSE_ON;
	if (!asks && !senses)
		return TC_ACT_UNSPEC;
	reason = parse_egress(skb, &p);
	if (asks && !reason && p.key.protocol == PROTOCOL_UDP && !(p.flags & PACKET_LATER_FRAGMENT) &&
	    has_port(ports->reflectors, host16(p.key.remote_port)))
		note_question(settings, &p);
	if (senses)
		sense_leaving(skb, sensors, &p, reason);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int tc_prefilter_asked(struct __sk_buff *skb)
{
	return note_skb(skb, 0);
}

SEC("tc")
int tc_prefilter_asked_raw(struct __sk_buff *skb)
{
	return note_skb(skb, host16(skb->protocol));
}

/* What an endpoint's program hands on (sense_programs_map of bpf/programs/endpoint.bpf.c), with the verdict it has found. */
static __always_inline int sense_endpoint(struct __sk_buff *skb, __u32 flags, int action)
{
	struct packet p = {};
	int reason;

	if (skb->cb[0])
		p.ethertype = host16(skb->protocol);
	reason = flags & SENSE_EGRESS ? parse_egress(skb, &p) : parse_ingress(skb, &p);
	if (sense_has_use(&p, reason)) {
		int weight = sense_choose(&p);

		if (weight >= 0)
			sense_skb(skb, &p, flags | weight);
	}
	return action;
}

SEC("tc")
int tc_sense_out(struct __sk_buff *skb)
{
	return sense_endpoint(skb, SENSE_EGRESS | SENSE_SOURCE_INSIDE | SENSE_NO_OUTCOMES, TC_ACT_UNSPEC);
}

SEC("tc")
int tc_sense_out_denied(struct __sk_buff *skb)
{
	return sense_endpoint(skb, SENSE_EGRESS | SENSE_SOURCE_INSIDE | SENSE_NO_OUTCOMES | SENSE_POLICY_DENIED,
			      TC_ACT_SHOT);
}

SEC("tc")
int tc_sense_in(struct __sk_buff *skb)
{
	return sense_endpoint(skb, SENSE_TARGET_INSIDE | SENSE_NO_PROBES, TC_ACT_UNSPEC);
}

SEC("tc")
int tc_sense_in_denied(struct __sk_buff *skb)
{
	return sense_endpoint(skb, SENSE_TARGET_INSIDE | SENSE_NO_PROBES | SENSE_POLICY_DENIED, TC_ACT_SHOT);
}

char _license[] SEC("license") = "Dual BSD/GPL";
