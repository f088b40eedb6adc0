/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Integer types for headers that two worlds compile: the kernel programs (clang -target bpfel, through kernel_types.h)
 * and Swift's importer. Rules for every shared struct: no union, no bit-field, explicit padding, a size assertion.
 * Addresses are 16 bytes in network order; an IPv4 address is IPv4-mapped (::ffff:a.b.c.d), so that both families
 * take the same path. Ports are kept in network order where the field is named be16.
 */
#ifndef BULKHEAD_ABI_TYPES_H
#define BULKHEAD_ABI_TYPES_H

#ifdef __bpf__
#include "kernel_types.h"
#else
#include <linux/types.h>
#endif

/* Part of every pin path (/sys/fs/bpf/bulkhead/v<N>): raised when a shared struct or the meaning of a field changes. */
#define BULKHEAD_ABI_VERSION 8

struct ip_address {
	__u8 bytes[16];
};
_Static_assert(sizeof(struct ip_address) == 16, "ip_address");

/* As seen from the endpoint: egress is what it sends, ingress is what reaches it. */
enum {
	DIRECTION_EGRESS = 0,
	DIRECTION_INGRESS = 1,
	DIRECTION_COUNT = 2,
};

/* Numeric identities below 256 are reserved; the numbers are the field's common ones. */
enum {
	IDENTITY_UNKNOWN = 0, /* in a policy key: any peer */
	IDENTITY_HOST = 1,
	IDENTITY_WORLD = 2,
	IDENTITY_UNMANAGED = 3,
	IDENTITY_HEALTH = 4,
	IDENTITY_INIT = 5,
	IDENTITY_REMOTE_NODE = 6,
	IDENTITY_KUBE_APISERVER = 7,
	IDENTITY_INGRESS = 8,
	IDENTITY_WORKLOAD_MIN = 256,        /* label sets */
	IDENTITY_WORKLOAD_MAX = 0x00ffffff,
	IDENTITY_LOCAL_MIN = 0x01000000,    /* node-local: CIDR prefixes, and from the next line on workload-in-prefix */
	IDENTITY_DERIVED_MIN = 0x01800000,
	IDENTITY_LOCAL_MAX = 0x01ffffff,
	IDENTITY_NAME_MIN = 0x03000000,     /* node-local: names, see fqdn.h; no address has one in the ipcache */
	IDENTITY_NAME_MAX = 0x0300ffff,
};

#endif
