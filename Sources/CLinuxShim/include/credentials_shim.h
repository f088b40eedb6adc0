/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/*
 * Who is at the other end of a connected Unix socket, as of connect(2): struct ucred, which exists only under
 * _GNU_SOURCE and so not in Swift's Glibc module.
 */
struct bulkhead_peer_credentials {
	int32_t pid;
	uint32_t uid;
	uint32_t gid;
};
