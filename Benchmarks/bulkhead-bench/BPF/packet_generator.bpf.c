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

#define SOURCE_PORT_OFFSET 34         /* Ethernet 14, IPv4 20 */
#define DESTINATION_PORT_OFFSET 36

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct generator_settings);
} generator_map SEC(".maps");

/* Network order. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, 1 << 10); /* BPF_F_MMAPABLE */
	__uint(max_entries, GENERATOR_SOURCES / 2);
	__type(key, __u32);
	__type(value, __u64);
} generator_sources_map SEC(".maps");

#define HEADER_CHECKSUM_OFFSET 24
#define SOURCE_OFFSET 26

/* False if there is no such address. */
static __always_inline int put_source(__u8 *data, struct generator_settings *settings)
{
	__u32 number = settings->sent++ & (GENERATOR_SOURCES - 1), index = number / 2;
	const __u64 *pair = bpf_map_lookup_elem(&generator_sources_map, &index);
	__u32 source, sum;

	if (!pair)
		return 0;
	source = number & 1 ? *pair >> 32 : *pair;
	sum = settings->header_sum + (source & 0xffff) + (source >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	*(__u16 *)(data + SOURCE_OFFSET) = source;
	*(__u16 *)(data + SOURCE_OFFSET + 2) = source >> 16;
	*(__u16 *)(data + HEADER_CHECKSUM_OFFSET) = ~sum;
	return 1;
}

SEC("xdp")
int generate_packet(struct xdp_md *context)
{
	__u8 *data = (void *)(long)context->data;
	__u32 zero = 0;
	struct generator_settings *settings = bpf_map_lookup_elem(&generator_map, &zero);

	if (!settings || data + GENERATOR_FRAME_BYTES > (__u8 *)(long)context->data_end)
		return XDP_ABORTED;
	__builtin_memcpy(data, settings->frame, GENERATOR_FRAME_BYTES);
	if (settings->has_sources && !put_source(data, settings))
		return XDP_ABORTED;
	if (settings->redirect)
		return bpf_redirect(settings->redirect, 0);
	if (settings->flows <= 1)
		return XDP_PASS;

	__u32 flow = settings->sent++ % settings->flows;
	__be16 *source = (void *)(data + SOURCE_PORT_OFFSET), *destination = (void *)(data + DESTINATION_PORT_OFFSET);

	*source = bpf_htons(GENERATOR_FIRST_PORT + flow % GENERATOR_PORTS);
	*destination = bpf_htons(bpf_ntohs(*destination) + flow / GENERATOR_PORTS);
	return XDP_PASS;
}
