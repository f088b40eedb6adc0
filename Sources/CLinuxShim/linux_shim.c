/* SPDX-License-Identifier: Apache-2.0 */
#include "linux_shim.h"

#include <malloc.h>

void bulkhead_prepare_heap(void)
{
	mallopt(M_MMAP_THRESHOLD, 128 * 1024);
}

void bulkhead_trim_heap(void)
{
	malloc_trim(0);
}
