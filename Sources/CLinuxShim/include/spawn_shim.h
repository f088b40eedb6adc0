/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <spawn.h>

/*
 * What glibc declares for _GNU_SOURCE only, and Swift's importer so does not see.
 */

/* An anonymous file in memory, close-on-exec; -1 and errno if there is none. */
int bulkhead_memory_file(const char *name);

/* The new process has no descriptor from `lowest` on. Returns an error number or 0. */
int bulkhead_spawn_close_from(posix_spawn_file_actions_t *actions, int lowest);
