/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Gives each repeat of a test run another source and port, as the settings say, and hands the frame to the prefilter. */
#include "kernel_types.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum { RANDOM_SOURCE = 1, RANDOM_SOURCE_PORT = 2 };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} load_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} load_programs_map SEC(".maps");

/* Offsets behind Ethernet of the source address (its last four bytes) and the source port. */
static __always_inline void vary(__u8 *address, __u8 *port, __u32 what)
{
	if (what & RANDOM_SOURCE)
		*(__u32 *)address = (bpf_get_prandom_u32() & 0xffffff3f) | 1;
	if (what & RANDOM_SOURCE_PORT)
		*(__u16 *)port = bpf_get_prandom_u32() | 0x80;
}

SEC("xdp.frags")
int load_sensors(struct xdp_md *context)
{
	__u8 *data = (void *)(long)context->data;
	__u32 zero = 0, *what = bpf_map_lookup_elem(&load_map, &zero);

	if (!what || data + 60 > (__u8 *)(long)context->data_end)
		return XDP_ABORTED;
	/* IPv6: the upper half of the address, as sources are taken together by that. */
	if (data[12] == 8)
		vary(data + 26, data + 34, *what);
	else
		vary(data + 24, data + 54, *what);
	bpf_tail_call(context, &load_programs_map, 0);
	return XDP_ABORTED;
}
