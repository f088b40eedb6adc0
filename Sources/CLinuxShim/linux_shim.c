/* SPDX-License-Identifier: Apache-2.0 */
#include "linux_shim.h"

#include <malloc.h>

void bulkhead_trim_heap(void)
{
	malloc_trim(0);
}
