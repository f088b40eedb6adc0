/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "bpf_shim.h"
#include "credentials_shim.h"
#include "netlink_shim.h"
#include "spawn_shim.h"

/*
 * Has large blocks mapped by themselves, whatever was freed before: glibc raises its threshold to the size of what is freed.
 * All threads share two heaps.
 */
void bulkhead_prepare_heap(void);

/* Gives back to the kernel what the heap holds and nobody uses. */
void bulkhead_trim_heap(void);

/* Takes the program's own read-only pages out of this process's memory; what is used comes back from the page cache. */
void bulkhead_forget_program_pages(void);
