/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The socket that a SYN goes to, as far as the kernel lets programs look: what its namespace's settings allow, and how its
 * queues are. Read with each SYN, so that a setting changed by anybody counts at once and nobody has to tell.
 */
#ifndef BULKHEAD_SYN_LISTENER_H
#define BULKHEAD_SYN_LISTENER_H

#include "syn_segment.h"

/* Kernel types: the few fields that are read, found at load time by their names. */
#define relocated __attribute__((preserve_access_index))

typedef struct {
	int counter;
} atomic_t;

struct netns_ipv4 {
	__u8 sysctl_tcp_syncookies, sysctl_tcp_window_scaling, sysctl_tcp_sack, sysctl_tcp_timestamps, sysctl_tcp_ecn;
	int sysctl_tcp_rmem[3];
} relocated;

struct ns_common {
	unsigned int inum;
} relocated;

struct nf_tcp_net {
	__u8 tcp_loose;
} relocated;

struct nf_ip_net {
	struct nf_tcp_net tcp;
} relocated;

struct netns_ct {
	struct nf_ip_net nf_ct_proto;
} relocated;

struct net {
	struct ns_common ns;
	struct netns_ipv4 ipv4;
	struct netns_ct ct;
} relocated;

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	possible_net_t skc_net;
	__u32 skc_tw_rcv_nxt;
} relocated;

struct sock {
	struct sock_common __sk_common;
	__u32 sk_ack_backlog, sk_max_ack_backlog;
	int sk_rcvbuf;
} relocated;

struct request_sock_queue {
	atomic_t qlen;
} relocated;

struct inet_connection_sock {
	struct request_sock_queue icsk_accept_queue;
} relocated;

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	bool is_mptcp;
} relocated;

struct net_device {
	unsigned int mtu;
	possible_net_t nd_net;
} relocated;

struct sk_buff {
	struct net_device *dev;
	__u8 ip_summed : 2;
} relocated;

enum { TCP_STATE_LISTEN = 10, CHECKSUM_IS_PARTIAL = 3, CURRENT_NAMESPACE = -1 };

struct bpf_sock {
	__u32 bound_dev_if, family, type, protocol, mark, priority, src_ip4, src_ip6[4], src_port;
	__u16 dst_port, pad;
	__u32 dst_ip4, dst_ip6[4], state;
	__s32 rx_queue_mapping;
};

struct bpf_sock_tuple {
	union {
		struct {
			__u32 saddr, daddr;
			__u16 sport, dport;
		} ipv4;
		struct {
			__u32 saddr[4], daddr[4];
			__u16 sport, dport;
		} ipv6;
	};
};

/* What is known of a listener. */
struct syn_listener {
	__u32 half_open, backlog;
	__u32 space;                      /* inode of its network namespace */
	__u16 window;
	__u8 window_scale;
	__u8 offer;                       /* SYN_OFFER_* */
	__u8 obstacles;                   /* SYN_OBSTACLE_* */
	bool is_full;                     /* connections wait that the application does not accept */
};

/*
 * The scale that the stack would choose for the largest buffer it may use. A global function, like the next: their
 * branches would multiply what the verifier has to follow.
 */
__attribute__((noinline)) int scale_for(__u32 bytes)
{
	__u32 scale = 0;

#pragma unroll
	for (int i = 1; i <= 14; i++)
		scale += bytes >> (15 + i) != 0;
	return scale;
}

__attribute__((noinline)) int offer_of(__u32 window_scaling, __u32 sack, __u32 timestamps, __u32 ecn)
{
	return (window_scaling ? SYN_OFFER_WINDOW_SCALE : 0) | (sack ? SYN_OFFER_SACK : 0) |
	       (timestamps ? SYN_OFFER_TIMESTAMPS : 0) | (ecn ? SYN_OFFER_ECN : 0);
}

static __attribute__((noinline, unused)) struct bpf_sock *find_socket(struct __sk_buff *skb, const struct packet *p)
{
	const __u8 *from = p->key.remote.bytes, *to = p->key.local.bytes;
	struct bpf_sock_tuple t;

	__builtin_memset(&t, 0, sizeof(t));
	if (p->family == 6) {
		__builtin_memcpy(t.ipv6.saddr, from, 16);
		__builtin_memcpy(t.ipv6.daddr, to, 16);
		t.ipv6.sport = p->key.remote_port;
		t.ipv6.dport = p->key.local_port;
		return (void *)bpf_skc_lookup_tcp(skb, (void *)&t, sizeof(t.ipv6), CURRENT_NAMESPACE, 0);
	}
	t.ipv4.saddr = *(const __u32 *)(from + 12);
	t.ipv4.daddr = *(const __u32 *)(to + 12);
	t.ipv4.sport = p->key.remote_port;
	t.ipv4.dport = p->key.local_port;
	return (void *)bpf_skc_lookup_tcp(skb, (void *)&t, sizeof(t.ipv4), CURRENT_NAMESPACE, 0);
}

static __always_inline void read_listener(struct tcp_sock *tcp, __u32 receive_buffer_max, struct syn_listener *l)
{
	struct sock *sk = (struct sock *)tcp;
	struct net *net = sk->__sk_common.skc_net.net;
	struct netns_ipv4 *settings = &net->ipv4;
	__u32 largest = settings->sysctl_tcp_rmem[2], buffer = sk->sk_rcvbuf;

	l->space = net->ns.inum;
	l->half_open = tcp->inet_conn.icsk_accept_queue.qlen.counter;
	l->backlog = sk->sk_max_ack_backlog;
	l->is_full = sk->sk_ack_backlog > l->backlog;
	l->window_scale = scale_for(largest > receive_buffer_max ? largest : receive_buffer_max);
	/* No more than the stack's own first window, nor than a small buffer holds. */
	l->window = buffer / 2 < 32768 ? buffer / 2 : 32768;
	l->offer = offer_of(settings->sysctl_tcp_window_scaling, settings->sysctl_tcp_sack, settings->sysctl_tcp_timestamps,
			    settings->sysctl_tcp_ecn);
	l->obstacles = settings->sysctl_tcp_syncookies ? 0 : SYN_OBSTACLE_COOKIES_OFF;
	if (__builtin_preserve_field_info(tcp->is_mptcp, 2) && tcp->is_mptcp)
		l->obstacles |= SYN_OBSTACLE_MPTCP;
}

#endif
