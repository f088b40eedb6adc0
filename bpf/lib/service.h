/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whose a packet's socket is, by the tables of bpf/abi/service.h. */
#ifndef BULKHEAD_SERVICE_H
#define BULKHEAD_SERVICE_H

#include "maps.h"

/* The nearest cgroup's, else the user's; null: no service's. */
static __attribute__((noinline)) struct endpoint_entry *service_of(struct __sk_buff *skb)
{
	struct endpoint_entry *found = 0;
	struct service_config *config;
	__u32 zero = 0, user;

	config = bpf_map_lookup_elem(&service_config_map, &zero);
	if (!config || !skb->sk)
		return 0;
	for (int level = SERVICE_LEVEL_MAX; level > 0 && !found; level--) {
		__u64 cgroup;

		if (!(config->levels >> level & 1))
			continue;
		cgroup = bpf_skb_ancestor_cgroup_id(skb, level);
		if (cgroup)
			found = bpf_map_lookup_elem(&service_cgroup_map, &cgroup);
	}
	if (!found && config->has_users) {
		user = bpf_get_socket_uid(skb);
		found = bpf_map_lookup_elem(&service_user_map, &user);
	}
	return found;
}

#endif
