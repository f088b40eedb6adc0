/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "spawn_shim.h"

#include <sys/mman.h>

int bulkhead_memory_file(const char *name)
{
	return memfd_create(name, MFD_CLOEXEC);
}

int bulkhead_spawn_close_from(posix_spawn_file_actions_t *actions, int lowest)
{
	return posix_spawn_file_actions_addclosefrom_np(actions, lowest);
}
