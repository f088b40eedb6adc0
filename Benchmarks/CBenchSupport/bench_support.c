/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "bench_support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/socket.h>
#include <unistd.h>

int bench_flush_conntrack(void)
{
	/* A delete without a tuple means all. */
	struct {
		struct nlmsghdr header;
		struct nfgenmsg family;
	} request = {
		.header = {
			.nlmsg_len = sizeof request,
			.nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
		},
	};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr answer;
	} reply = { 0 };
	int descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	if (descriptor < 0)
		return -errno;
	if (send(descriptor, &request, sizeof request, 0) < 0 || recv(descriptor, &reply, sizeof reply, 0) < 0)
		reply.answer.error = -errno;
	close(descriptor);
	return reply.answer.error;
}

int bench_pin_thread(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof set, &set) ? -errno : 0;
}

int bench_policy_trie(unsigned int peers, unsigned int ports)
{
	struct {
		uint32_t bits;
		uint32_t peer;
		uint8_t direction;
		uint8_t protocol;
		uint16_t port;
	} key = { .bits = 64, .direction = 1, .protocol = 6 };
	uint32_t value[3] = { 0 };
	union bpf_attr attributes = {
		.map_type = BPF_MAP_TYPE_LPM_TRIE,
		.key_size = sizeof key,
		.value_size = sizeof value,
		.max_entries = peers * ports,
		.map_flags = BPF_F_NO_PREALLOC,
	};
	int descriptor = syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes);

	if (descriptor < 0)
		return -errno;
	attributes = (union bpf_attr) {
		.map_fd = descriptor,
		.key = (uintptr_t)&key,
		.value = (uintptr_t)value,
	};
	for (unsigned int peer = 0; peer < peers; peer++) {
		for (unsigned int port = 0; port < ports; port++) {
			key.peer = 256 + 13 * peer;
			key.port = htons(8000 + port);
			if (syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &attributes, sizeof attributes) != 0) {
				int error = errno;

				close(descriptor);
				return -error;
			}
		}
	}
	return descriptor;
}
