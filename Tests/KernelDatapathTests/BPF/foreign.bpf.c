/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Another tool's program: accepts everything, which ends the chain for whoever comes after it. */
#include "kernel_types.h"
#include <bpf/bpf_helpers.h>

SEC("tc")
int foreign_accept(struct __sk_buff *skb)
{
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
