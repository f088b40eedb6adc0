/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "credentials_shim.h"

#include <stddef.h>
#include <sys/socket.h>

/* LocalHTTP reads SO_PEERCRED straight into the mirror. */
_Static_assert(sizeof(struct bulkhead_peer_credentials) == sizeof(struct ucred), "layout of struct ucred");
_Static_assert(offsetof(struct bulkhead_peer_credentials, pid) == offsetof(struct ucred, pid), "pid in struct ucred");
_Static_assert(offsetof(struct bulkhead_peer_credentials, uid) == offsetof(struct ucred, uid), "uid in struct ucred");
_Static_assert(offsetof(struct bulkhead_peer_credentials, gid) == offsetof(struct ucred, gid), "gid in struct ucred");
