/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Another tool's programs. */
#include "kernel_types.h"
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} foreign_count_map SEC(".maps");

/* Accepts everything, which ends the chain for whoever comes after it. */
SEC("tc")
int foreign_accept(struct __sk_buff *skb)
{
	return TC_ACT_OK;
}

/* Counts what it sees and hands it on. */
SEC("tc")
int foreign_count(struct __sk_buff *skb)
{
	__u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&foreign_count_map, &zero);

	if (count)
		__sync_fetch_and_add(count, 1);
	return TC_ACT_UNSPEC;
}

SEC("xdp")
int foreign_frames(struct xdp_md *ctx)
{
	return 2; /* XDP_PASS */
}

char _license[] SEC("license") = "Dual BSD/GPL";
