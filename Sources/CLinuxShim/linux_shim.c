/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* dl_iterate_phdr */
#include "linux_shim.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

void bulkhead_prepare_heap(void)
{
	mallopt(M_MMAP_THRESHOLD, 128 * 1024);
	/* Of more, each keeps what its threads once needed. */
	mallopt(M_ARENA_MAX, 2);
}

void bulkhead_trim_heap(void)
{
	malloc_trim(0);
}

/* Only what is never written: of everything else the pages are the only copy. */
static int forget_object(struct dl_phdr_info *object, size_t size, void *unused)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	int i;

	(void)size;
	(void)unused;
	for (i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[i];
		uintptr_t start = (object->dlpi_addr + part->p_vaddr + page - 1) & ~(page - 1);
		uintptr_t end = (object->dlpi_addr + part->p_vaddr + part->p_filesz) & ~(page - 1);

		if (part->p_type == PT_LOAD && !(part->p_flags & PF_W) && start < end)
			madvise((void *)start, end - start, MADV_DONTNEED);
	}
	return 0;
}

void bulkhead_forget_program_pages(void)
{
	dl_iterate_phdr(forget_object, NULL);
}
