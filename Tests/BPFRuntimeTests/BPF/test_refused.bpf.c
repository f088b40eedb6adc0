/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reads beyond the packet without a check: the verifier must refuse it, and the error must say why. */
#include "test_types.h"

SEC("tc")
int test_refused(struct __sk_buff *skb)
{
	return *(__u8 *)(long)skb->data;
}

/* Its neighbour, which is in order. */
SEC("tc")
int test_taken(struct __sk_buff *skb)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
