/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "parser_harness.h"

#include <stdlib.h>
#include <sys/mman.h>

#define ROOM 4096 /* one page: frames of the tests are far smaller */

/* Memory whose last byte is followed by a page that nobody may touch. Not thread-safe: one test at a time. */
static void *allocate_before_guard(size_t count)
{
	static uint8_t *pages;

	if (!pages) {
		pages = mmap(NULL, 2 * ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (pages == MAP_FAILED || mprotect(pages + ROOM, ROOM, PROT_NONE))
			abort();
	}
	if (count > ROOM)
		abort();
	return pages + ROOM - count;
}

/* The fuzz target keeps its input in memory of exactly its size: here that memory has the guard behind it. */
#define malloc allocate_before_guard
#define free(memory) ((void)(memory))
#include "../../Fuzz/packet_parser.c"

void bulkhead_check_parser(const uint8_t *bytes, size_t count)
{
	LLVMFuzzerTestOneInput(bytes, count);
}
