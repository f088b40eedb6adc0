/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where the kernel's programs call the sensors: from a packet that was parsed and judged to sense_packet. */
#ifndef BULKHEAD_SENSE_HOOK_H
#define BULKHEAD_SENSE_HOOK_H

#include "parse_skb.h"
#include "sense.h"
#include "sense_load.h"
#include "sense_read.h"

/* False: this packet is nothing to the sensors, or not in the sample. `parsed`: what the parser said. */
static __always_inline bool sense_wants(const struct packet *p, int parsed, __u32 *flags)
{
	const struct sense_settings *s = sense_settings_at(0);
	int weight;

	if (!s || !(s->flags & SENSE_ON) || !sense_has_use(p, parsed))
		return false;
	if (sense_is_within(p)) {
		struct sense_cpu *cpu = sense_cpu_at(0);

		if (!cpu)
			return false;
		if (!(sense_draw(s, cpu) & s->sample_mask))
			*flags |= SENSE_SAMPLED;
		else if (!s->watching)
			return false;
	}
	weight = sense_choose(p);
	if (weight >= 0)
		*flags |= weight;
	else if (*flags & SENSE_SAMPLED)
		*flags |= SENSE_UNCHOSEN;
	else
		return false;
	return true;
}

/* Takes a packet in hand; false if it has nothing for the sensors. */
static __always_inline int sense_take(struct cursor *c, struct packet *p, __u32 flags)
{
	struct sense_scratch *x = sense_scratch_of();

	if (!x)
		return false;
	/* By a constant direction each. */
	if (p->flags & (PACKET_ARP | PACKET_LINK_MAINTENANCE) &&
	    !(flags & SENSE_EGRESS ? sense_read_link(c, p, DIRECTION_EGRESS) : sense_read_link(c, p, DIRECTION_INGRESS)))
		return false;
	sense_view(&x->view, p, flags, sense_read_numbers(c, p), sense_now());
	return true;
}

static __always_inline int sense_take_quoted(const struct packet *quoted, __u32 flags)
{
	struct sense_scratch *x = sense_scratch_of();

	if (x)
		sense_view(&x->view, quoted, flags, (struct sense_numbers){}, sense_now());
	return !!x;
}

/* Global functions, as in parse_skb.h. */
__attribute__((noinline)) int sense_take_skb(struct __sk_buff *skb, struct packet *p, __u32 flags)
{
	struct cursor c = cursor_of(skb);

	return p ? sense_take(&c, p, flags) : 0;
}

__attribute__((noinline)) int sense_quoted_skb(struct __sk_buff *skb, struct packet *p, __u32 flags)
{
	struct packet quoted = {};

	if (!p)
		return 0;
	sense_enter_quoted(p, &quoted);
	if (parse_quoted_skb(skb, &quoted, flags & SENSE_EGRESS ? DIRECTION_EGRESS : DIRECTION_INGRESS))
		return 0;
	return sense_take_quoted(&quoted, flags);
}

__attribute__((noinline)) int sense_take_frame(struct xdp_md *ctx, struct packet *p, __u32 flags)
{
	struct cursor c = {.data = (void *)(long)ctx->data, .end = (void *)(long)ctx->data_end};

	c.length = c.limit = bpf_xdp_get_buff_len(ctx);
	return p ? sense_take(&c, p, flags) : 0;
}

__attribute__((noinline)) int sense_quoted_frame(struct xdp_md *ctx, struct packet *p, __u32 flags)
{
	struct cursor c = {.data = (void *)(long)ctx->data, .end = (void *)(long)ctx->data_end};
	struct packet quoted = {};

	if (!p)
		return 0;
	c.length = c.limit = bpf_xdp_get_buff_len(ctx);
	sense_enter_quoted(p, &quoted);
	if (parse_quoted(&c, &quoted, DIRECTION_INGRESS))
		return 0;
	return sense_take_quoted(&quoted, flags);
}

/*
 * The bytes of a DNS message into the scratch memory; of datagrams that were merged the first one's. The bound is proven in a
 * way that older verifiers follow, as in see_message.h.
 */
__attribute__((noinline)) int sense_load_skb(struct __sk_buff *skb, const struct packet *p)
{
	struct sense_scratch *x = sense_scratch_of();
	__u32 count;

	if (!p || !x)
		return 0;
	x->question.length = count = sense_message_bytes(p);
	count--;
	asm volatile("" : "+r"(count));
	return count < SENSE_DNS_BYTES && !bpf_skb_load_bytes(skb, p->l4_offset + 8, x->question.message, count + 1);
}

__attribute__((noinline)) int sense_load_frame(struct xdp_md *ctx, const struct packet *p)
{
	struct sense_scratch *x = sense_scratch_of();
	__u32 count;

	if (!p || !x)
		return 0;
	x->question.length = count = sense_message_bytes(p);
	count--;
	asm volatile("" : "+r"(count));
	return count < SENSE_DNS_BYTES && !bpf_xdp_load_bytes(ctx, p->l4_offset + 8, x->question.message, count + 1);
}

static __always_inline void sense_skb(struct __sk_buff *skb, struct packet *p, __u32 flags)
{
	if (!sense_take_skb(skb, p, flags))
		return;
	if (sense_packet(p, flags) && sense_load_skb(skb, p))
		sense_name();
	if (sense_is_unreachable(p) && sense_quoted_skb(skb, p, flags))
		sense_quoted();
}

static __always_inline void sense_frame(struct xdp_md *ctx, struct packet *p, __u32 flags)
{
	if (!sense_take_frame(ctx, p, flags))
		return;
	if (sense_packet(p, flags) && sense_load_frame(ctx, p))
		sense_name();
	if (sense_is_unreachable(p) && sense_quoted_frame(ctx, p, flags))
		sense_quoted();
}

#endif
