/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Services: processes of the host that are judged by themselves, as the host with more labels. Two tables say whose a
 * socket is; their values are records like an interface's (struct endpoint_entry, without interface):
 *
 *   service_cgroup_map  by the cgroup in which the socket was made, or the nearest one around it that is a service's
 *   service_user_map    by the user who made it; asked where no cgroup answers
 */
#ifndef BULKHEAD_ABI_SERVICE_H
#define BULKHEAD_ABI_SERVICE_H

#include "abi_types.h"

#define SERVICE_LEVEL_MAX 15          /* cgroups deeper below the root than this cannot be services */
#define SERVICE_COUNT_MAX 4096        /* records in each table */
#define KEPT_COUNT_MAX 65536          /* connections of the host that are older than its policy */

struct service_config {
	__u32 levels;                     /* bit n: some service's cgroup is n levels below the root */
	__u32 has_users;                  /* 1: service_user_map is not empty */
	__u32 network_namespace;          /* inode of the host's: a socket in another one is a workload's */
	__u32 pad;
};
_Static_assert(sizeof(struct service_config) == 16, "service_config");

#endif
