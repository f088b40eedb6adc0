/* SPDX-License-Identifier: Apache-2.0 */
/* What Swift's importer cannot see (GNU-only calls, function-like macros), for the benchmark program alone. */
#ifndef BULKHEAD_BENCH_SUPPORT_H
#define BULKHEAD_BENCH_SUPPORT_H

#include "packet_generator.h"

/* Forgets every connection that nf_conntrack of the calling thread's namespace tracks. Returns 0 or a negative errno. */
int bench_flush_conntrack(void);

/* Keeps the calling thread on one CPU. Returns 0 or a negative errno. */
int bench_pin_thread(int cpu);

/*
 * Makes a trie such as other engines have for each endpoint (12-byte key: bits, peer, direction, protocol, port; 12-byte
 * value), with an entry for each of `peers` peers and `ports` ports. Returns its descriptor or a negative errno.
 */
int bench_policy_trie(unsigned int peers, unsigned int ports);

#endif
