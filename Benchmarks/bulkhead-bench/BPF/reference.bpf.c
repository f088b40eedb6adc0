/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the data path is measured against and with: the cheapest possible program, and the end of the road. */
#include "kernel_types.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define SINK_FIRST_PORT 9000
#define SINK_LAST_PORT 9999
#define UDP_FRAME_BYTES 42            /* Ethernet 14, IPv4 20, UDP 8 */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} sink_map SEC(".maps");

SEC("tc")
int tc_empty(struct __sk_buff *skb)
{
	return TC_ACT_OK;
}

/*
 * Counts and drops the generator's packets where they enter the server's namespace, so that a figure is only believed
 * when what was sent has arrived. One thread generates, so a plain increment counts right. All else passes.
 */
SEC("tc")
int tc_sink(struct __sk_buff *skb)
{
	__u8 *data = (void *)(long)skb->data;
	__u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&sink_map, &zero);

	if (!count || data + UDP_FRAME_BYTES > (__u8 *)(long)skb->data_end)
		return TC_ACT_OK;
	if (data[12] != 0x08 || data[13] != 0x00 || data[23] != 17)
		return TC_ACT_OK;
	__u16 port = (__u16)data[36] << 8 | data[37];

	if (port < SINK_FIRST_PORT || port > SINK_LAST_PORT)
		return TC_ACT_OK;
	(*count)++;
	return TC_ACT_SHOT;
}

/* What a dropped frame costs before anybody has asked about it. */
SEC("xdp")
int drop_frame(struct xdp_md *ctx)
{
	return XDP_DROP;
}
