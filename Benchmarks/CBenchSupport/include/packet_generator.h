/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the benchmark tells its in-kernel packet generator; compiled by both worlds like bpf/abi. */
#ifndef BULKHEAD_PACKET_GENERATOR_H
#define BULKHEAD_PACKET_GENERATOR_H

#include "abi_types.h"

#define GENERATOR_FRAME_BYTES 60      /* Ethernet + IPv4 + UDP + 18 bytes: the smallest frame a wire carries */
#define GENERATOR_FIRST_PORT 1024     /* source port of flow 0 */
#define GENERATOR_SOURCES (1u << 20)
#define GENERATOR_PORTS 32768         /* source ports taken before the destination port moves on */

struct generator_settings {
	__u32 flows;                      /* taken in turn: frame n belongs to flow n mod flows */
	__u32 redirect;                   /* device to which frames go as XDP frames; 0: up the stack as they come in */
	__u64 sent;                       /* frames made so far; written by the kernel side */
	__u32 has_sources;                /* source addresses are those of generator_sources_map, one after the other */
	__u32 header_sum;                 /* of the IPv4 header's words without source and checksum */
	__u8 frame[64];                   /* the template; the first GENERATOR_FRAME_BYTES count */
};
_Static_assert(sizeof(struct generator_settings) == 88, "generator_settings");

#endif
