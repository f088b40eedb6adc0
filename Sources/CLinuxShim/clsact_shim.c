/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "bpf_shim.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLY_SIZE 32768

/* Counts the filters in one reply; sets *done at the end of the dump. */
static int count_filters(const struct nlmsghdr *message, ssize_t length, int *done)
{
	int count = 0;

	for (; NLMSG_OK(message, length); message = NLMSG_NEXT(message, length)) {
		if (message->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(message))->error;
		if (message->nlmsg_type == NLMSG_DONE) {
			*done = 1;
			return count;
		}
		/* The dump names each chain once with handle 0, then its filters. */
		if (message->nlmsg_type == RTM_NEWTFILTER &&
		    ((const struct tcmsg *)NLMSG_DATA(message))->tcm_handle != 0)
			count++;
	}
	return count;
}

static int dump_filters(int socket_fd, __u32 ifindex, __u32 parent)
{
	struct {
		struct nlmsghdr header;
		struct tcmsg body;
	} request = {
		.header = {
			.nlmsg_len = sizeof(request),
			.nlmsg_type = RTM_GETTFILTER,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		},
		.body = { .tcm_family = AF_UNSPEC, .tcm_ifindex = (int)ifindex, .tcm_parent = parent },
	};
	char reply[REPLY_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
	int total = 0, done = 0;

	if (send(socket_fd, &request, sizeof(request), 0) < 0)
		return -errno;
	while (!done) {
		ssize_t length = recv(socket_fd, reply, sizeof(reply), 0);
		int count;

		if (length < 0)
			return -errno;
		count = count_filters((const struct nlmsghdr *)reply, length, &done);
		if (count < 0)
			return count;
		total += count;
	}
	return total;
}

int bulkhead_clsact_filter_count(__u32 ifindex)
{
	int socket_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int ingress, egress;

	if (socket_fd < 0)
		return -errno;
	ingress = dump_filters(socket_fd, ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS));
	egress = ingress < 0 ? 0 : dump_filters(socket_fd, ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS));
	close(socket_fd);
	return ingress < 0 ? ingress : egress < 0 ? egress : ingress + egress;
}
