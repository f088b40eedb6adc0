/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <sched.h>
#include "thread_cpu.h"

int bulkhead_test_run_on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	if (cpu >= 0)
		CPU_SET(cpu, &set);
	for (int other = 0; cpu < 0 && other < CPU_SETSIZE; other++)
		CPU_SET(other, &set);
	return sched_setaffinity(0, sizeof(set), &set);
}
