/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "bench_support.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <sched.h>
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
