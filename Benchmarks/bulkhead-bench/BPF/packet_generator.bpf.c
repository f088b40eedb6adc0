/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Fills every live frame of BPF_PROG_TEST_RUN (BPF_F_TEST_XDP_LIVE_FRAMES) with one UDP packet made from a template,
 * and passes it up the stack of the interface named as ingress. Frames are recycled and the stack rewrites them, so
 * the whole template is written each time.
 */
#include "kernel_types.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "../../CBenchSupport/include/packet_generator.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum { XDP_ABORTED = 0, XDP_PASS = 2 };

struct xdp_md {
	__u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex;
};

#define SOURCE_PORT_OFFSET 34         /* Ethernet 14, IPv4 20 */
#define DESTINATION_PORT_OFFSET 36

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct generator_settings);
} generator_map SEC(".maps");

SEC("xdp")
int generate_packet(struct xdp_md *context)
{
	__u8 *data = (void *)(long)context->data;
	__u32 zero = 0;
	struct generator_settings *settings = bpf_map_lookup_elem(&generator_map, &zero);

	if (!settings || data + GENERATOR_FRAME_BYTES > (__u8 *)(long)context->data_end)
		return XDP_ABORTED;
	__builtin_memcpy(data, settings->frame, GENERATOR_FRAME_BYTES);
	if (settings->flows <= 1)
		return XDP_PASS;

	__u32 flow = settings->sent++ % settings->flows;
	__be16 *source = (void *)(data + SOURCE_PORT_OFFSET), *destination = (void *)(data + DESTINATION_PORT_OFFSET);

	*source = bpf_htons(GENERATOR_FIRST_PORT + flow % GENERATOR_PORTS);
	*destination = bpf_htons(bpf_ntohs(*destination) + flow / GENERATOR_PORTS);
	return XDP_PASS;
}
