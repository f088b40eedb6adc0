/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Fills every live frame of BPF_PROG_TEST_RUN with one SYN made from a template, each from another address, and passes it up the
 * stack of the interface named as ingress. And the end of the road for the answers.
 */
#include "kernel_types.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "../../CBenchSupport/include/syn_generator.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct syn_generator_settings);
} syn_generator_map SEC(".maps");

static __always_inline __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

SEC("xdp")
int generate_syn(struct xdp_md *context)
{
	__u8 *data = (void *)(long)context->data;
	__u32 zero = 0, number;
	struct syn_generator_settings *settings = bpf_map_lookup_elem(&syn_generator_map, &zero);

	if (!settings || data + SYN_GENERATOR_FRAME_BYTES > (__u8 *)(long)context->data_end)
		return XDP_ABORTED;
	__builtin_memcpy(data, settings->frame, SYN_GENERATOR_FRAME_BYTES);
	/* The low half of the source's address; checksums are kept right by what is added. */
	number = settings->sent++ & 0x7fff;
	*(__be16 *)(data + 28) = bpf_htons(number);
	*(__be16 *)(data + 24) = ~fold((__u16)~*(__be16 *)(data + 24) + bpf_htons(number));
	*(__be16 *)(data + 50) = ~fold((__u16)~*(__be16 *)(data + 50) + bpf_htons(number));
	return settings->redirect ? bpf_redirect(settings->redirect, 0) : XDP_PASS;
}

/* The same end for answers that never were packets. */
SEC("xdp")
int xdp_swallow(struct xdp_md *context)
{
	__u32 zero = 0;
	struct syn_generator_settings *settings = bpf_map_lookup_elem(&syn_generator_map, &zero);

	if (settings)
		settings->swallowed++;
	return XDP_DROP;
}

SEC("tc")
int tc_swallow(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct syn_generator_settings *settings = bpf_map_lookup_elem(&syn_generator_map, &zero);

	if (settings)
		settings->swallowed++;
	return TC_ACT_SHOT;
}
