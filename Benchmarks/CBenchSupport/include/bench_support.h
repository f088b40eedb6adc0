/* SPDX-License-Identifier: Apache-2.0 */
/* What Swift's importer cannot see (GNU-only calls, function-like macros), for the benchmark program alone. */
#ifndef BULKHEAD_BENCH_SUPPORT_H
#define BULKHEAD_BENCH_SUPPORT_H

#include "packet_generator.h"

/* Forgets every connection that nf_conntrack of the calling thread's namespace tracks. Returns 0 or a negative errno. */
int bench_flush_conntrack(void);

/* Keeps the calling thread on one CPU. Returns 0 or a negative errno. */
int bench_pin_thread(int cpu);

#endif
