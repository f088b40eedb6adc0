/* SPDX-License-Identifier: Apache-2.0 */
/* Where the calling thread may run, for tests of what the programs keep for each CPU. */
#ifndef BULKHEAD_THREAD_CPU_H
#define BULKHEAD_THREAD_CPU_H

/* On this CPU alone, or with a negative number on every one; 0, or -1 with errno. */
int bulkhead_test_run_on_cpu(int cpu);

#endif
