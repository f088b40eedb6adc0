/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* Who is at the other end of a connected Unix socket, as of connect(2). */
struct bulkhead_peer_credentials {
	int32_t pid;
	uint32_t uid;
	uint32_t gid;
};

/* Fills in the credentials (SO_PEERCRED); -1 with errno set on failure. */
int bulkhead_read_peer_credentials(int fd, struct bulkhead_peer_credentials *credentials);
