/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The clock of conntrack entries for user space: run once by BPF_PROG_TEST_RUN, it returns the low 32 bits of jiffies.
 * There is no other exact source: jiffies start five minutes before they wrap, at a moment before any clock runs.
 */
#include "kernel_types.h"
#include <bpf/bpf_helpers.h>

SEC("tc")
int read_jiffies(struct __sk_buff *skb)
{
	return (int)bpf_jiffies64();
}

char _license[] SEC("license") = "Dual BSD/GPL";
