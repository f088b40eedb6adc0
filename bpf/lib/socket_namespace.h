/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whether a packet's socket is in the host's network namespace. */
#ifndef BULKHEAD_SOCKET_NAMESPACE_H
#define BULKHEAD_SOCKET_NAMESPACE_H

#include "maps.h"

#define relocated __attribute__((preserve_access_index))

/* Of the kernel's own types the few fields that are read, found at load time by their names. */
struct ns_common {
	unsigned int inum;
} relocated;

struct net {
	struct ns_common ns;
} relocated;

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	possible_net_t skc_net;
} relocated;

struct sock {
	struct sock_common __sk_common;
} relocated;

struct sk_buff {
	struct sock *sk;
} relocated;

/* The same user or cgroup may have sockets in a container's namespace: those are judged at its link. */
static __attribute__((noinline)) bool is_of_host(struct __sk_buff *skb)
{
	struct service_config *config;
	__u32 zero = 0;
	const struct sk_buff *packet = (const void *)skb;
	const struct sock *sk = 0;
	const struct net *net = 0;
	__u32 inode = 0;

	config = bpf_map_lookup_elem(&service_config_map, &zero);
	if (!config)
		return false;
	if (bpf_probe_read_kernel(&sk, sizeof(sk), &packet->sk) || !sk)
		return false;
	if (bpf_probe_read_kernel(&net, sizeof(net), &sk->__sk_common.skc_net.net))
		return false;
	return !bpf_probe_read_kernel(&inode, sizeof(inode), &net->ns.inum) && inode == config->network_namespace;
}

#endif
