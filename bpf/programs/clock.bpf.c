/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel's clocks for user space, each run once by BPF_PROG_TEST_RUN.
 *
 * read_jiffies, by which conntrack entries age, returns the low 32 bits of jiffies. There is no other exact source: jiffies
 * start five minutes before they wrap, at a moment before any clock runs.
 * read_monotonic, by which the shield's blocks end, writes CLOCK_MONOTONIC as the kernel has it: a process in a time
 * namespace is told another one.
 */
#include "kernel_types.h"
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} clock_map SEC(".maps");

SEC("tc")
int read_monotonic(struct __sk_buff *skb)
{
	__u32 zero = 0;
	__u64 *now = bpf_map_lookup_elem(&clock_map, &zero);

	if (now)
		*(volatile __u64 *)now = bpf_ktime_get_ns();
	return 0;
}

SEC("tc")
int read_jiffies(struct __sk_buff *skb)
{
	return (int)bpf_jiffies64();
}

char _license[] SEC("license") = "Dual BSD/GPL";
