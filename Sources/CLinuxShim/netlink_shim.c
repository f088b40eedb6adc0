/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "netlink_shim.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

int bulkhead_netlink_open(uint32_t groups, int receive_buffer_bytes)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = groups };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return -1;
	/* Beyond net.core.rmem_max only with CAP_NET_ADMIN; without it the default must do. */
	if (receive_buffer_bytes > 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer_bytes,
						   sizeof(receive_buffer_bytes)) != 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof(receive_buffer_bytes));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

int bulkhead_enter_network_namespace(int fd)
{
	return setns(fd, CLONE_NEWNET);
}

int bulkhead_unshare_network_namespace(void)
{
	return unshare(CLONE_NEWNET);
}

uint64_t bulkhead_network_namespace_cookie(void)
{
	uint64_t cookie = 0;
	socklen_t length = sizeof(cookie);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length) != 0)
		cookie = 0;
	close(fd);
	return cookie;
}

void bulkhead_name_thread(const char *name)
{
	pthread_setname_np(pthread_self(), name);
}

int bulkhead_entry_is_complete(const char *path)
{
	struct stat info;

	if (lstat(path, &info) != 0)
		return 0;
	return !S_ISREG(info.st_mode) || info.st_nlink > 1;
}
