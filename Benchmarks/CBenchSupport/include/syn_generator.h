/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the benchmark tells its generator of SYNs; compiled by both worlds like bpf/abi. */
#ifndef BULKHEAD_SYN_GENERATOR_H
#define BULKHEAD_SYN_GENERATOR_H

#include "abi_types.h"

#define SYN_GENERATOR_FRAME_BYTES 74  /* Ethernet, IPv4, TCP with 20 bytes of options */

struct syn_generator_settings {
	__u64 sent;
	__u64 swallowed;                  /* answers */
	__u64 redirect;                   /* 0: up the stack; else the device whose other end's driver gets the frames */
	__u8 frame[80];                   /* the template; address x.y.0.0 */
};
_Static_assert(sizeof(struct syn_generator_settings) == 104, "syn_generator_settings");

#endif
