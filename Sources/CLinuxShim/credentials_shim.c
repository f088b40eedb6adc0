/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "credentials_shim.h"

#include <sys/socket.h>

int bulkhead_read_peer_credentials(int fd, struct bulkhead_peer_credentials *credentials)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
		return -1;
	credentials->pid = peer.pid;
	credentials->uid = peer.uid;
	credentials->gid = peer.gid;
	return 0;
}
