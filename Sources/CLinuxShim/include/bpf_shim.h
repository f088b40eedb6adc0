/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What BPFRuntime needs and Swift's importer cannot see: varargs, raw system calls, bpf(2) commands newer than the
 * oldest libbpf we build with (1.1), and acquire/release access to memory shared with the kernel. Functions return
 * -errno on failure. The tcx calls may go once libbpf 1.3 is the oldest.
 */
#pragma once
#include <stdbool.h>
#include <linux/types.h>
#include <stddef.h>

/* Receives every warning of libbpf as one plain string (a verifier log is one message and may be megabytes). */
typedef void (*bulkhead_log_sink)(const char *message);
void bulkhead_set_libbpf_log_sink(bulkhead_log_sink sink);

enum {
	BULKHEAD_TCX_INGRESS = 46,
	BULKHEAD_TCX_EGRESS = 47,
	BULKHEAD_LINK_TYPE_TCX = 11,
	BULKHEAD_LINK_TYPE_CGROUP = 3,
};

/* BPF_LINK_CREATE for tcx; the program goes to the head of the chain, or to its end. Returns the link's descriptor. */
int bulkhead_tcx_link_create(int program_fd, __u32 ifindex, __u32 attach_type, bool is_last);

struct bulkhead_link_info {
	__u32 type;
	__u32 program_id;
	__u32 ifindex;                    /* tcx: 0 once the device is gone */
	__u32 attach_type;                /* tcx only */
	__u64 cgroup_id;                  /* cgroup: 0 once the link is detached */
};
int bulkhead_read_link_info(int link_fd, struct bulkhead_link_info *info);

/* Number of filters on the device's clsact hooks (both directions, all owners), found by a netlink dump. */
int bulkhead_clsact_filter_count(__u32 ifindex);

/* Waits until every CPU has passed through a quiescent state, so that no program still reads what was replaced. */
int bulkhead_membarrier_global(void);

/* 1 if the path lies on a BPF file system, 0 if not. */
int bulkhead_is_bpffs(const char *path);
int bulkhead_mount_bpffs(const char *path);

/* The effective capability set of this thread, bit n = capability n. */
int bulkhead_effective_capabilities(__u64 *capabilities);

/* Processors that the calling thread may run on; at least 1. */
int bulkhead_usable_processors(void);

/* A pipe for waking a thread, non-blocking and close-on-exec. */
int bulkhead_make_wake_pipe(int ends[2]);

static inline __u32 bulkhead_load_acquire_u32(const void *address)
{
	return __atomic_load_n((const __u32 *)address, __ATOMIC_ACQUIRE);
}

static inline __u64 bulkhead_load_acquire_u64(const void *address)
{
	return __atomic_load_n((const __u64 *)address, __ATOMIC_ACQUIRE);
}

static inline void bulkhead_store_release_u32(void *address, __u32 value)
{
	__atomic_store_n((__u32 *)address, value, __ATOMIC_RELEASE);
}

/* Stores `wanted` if `expected` is there, as one step and in order with everything around it; true if it was there. */
static inline bool bulkhead_exchange_u32(void *address, __u32 expected, __u32 wanted)
{
	return __atomic_compare_exchange_n((__u32 *)address, &expected, wanted, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static inline bool bulkhead_exchange_u64(void *address, __u64 expected, __u64 wanted)
{
	return __atomic_compare_exchange_n((__u64 *)address, &expected, wanted, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static inline void bulkhead_store_release_u64(void *address, __u64 value)
{
	__atomic_store_n((__u64 *)address, value, __ATOMIC_RELEASE);
}
