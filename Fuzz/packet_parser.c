/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the packet parser of bpf/lib, built natively from the same headers. The sanitizers watch every read; the
 * checks below watch what the parser promises about packets it accepts.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "parse_usual.h"

#define REQUIRE(condition)               \
	do {                             \
		if (!(condition))        \
			__builtin_trap(); \
	} while (0)

static struct cursor open_bytes(const uint8_t *data, size_t size, size_t at_hand)
{
	struct cursor c = { .data = (__u8 *)data, .end = (__u8 *)data + at_hand, .length = size, .limit = size };

	return c;
}

static void check_accepted(const struct packet *p, size_t size)
{
	if (p->flags & PACKET_ARP)
		return;
	REQUIRE(p->family == 4 || p->family == 6);
	REQUIRE(p->length <= size);
	REQUIRE(p->l3_offset <= HEADER_BYTES_MAX && p->l4_offset > p->l3_offset);
	REQUIRE(!(p->flags & PACKET_LATER_FRAGMENT) || p->flags & PACKET_FRAGMENT);
	REQUIRE(!(p->flags & PACKET_LATER_FRAGMENT) || (!p->key.local_port && !p->key.remote_port));
}

/* What one side sends is what the other receives: both directions must agree on everything but the sides. */
static void check_directions(const struct packet *out, const struct packet *in)
{
	REQUIRE(same_address(&out->key.local, &in->key.remote) && same_address(&out->key.remote, &in->key.local));
	REQUIRE(out->length == in->length && out->flags == in->flags && out->l4_offset == in->l4_offset);
	if (!is_icmp(out->key.protocol))
		REQUIRE(out->key.local_port == in->key.remote_port && out->key.remote_port == in->key.local_port);
}

static void check_usual(const uint8_t *data, size_t size, int direction, const struct packet *whole, int reason)
{
	struct packet p = {};
	struct cursor c = open_bytes(data, size, size);

	if (!parse_usual(&c, &p, direction))
		return;
	REQUIRE(reason == DROP_NONE);
	REQUIRE(!memcmp(&p, whole, sizeof(p)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packet out = {}, in = {}, bare = {};
	struct cursor c;
	int egress, ingress;

	/* The first byte chooses how many of the packet's bytes are at hand, as after a partial pull. */
	if (size < 2)
		return 0;
	size_t at_hand = data[0] & 1 ? size - 1 : (size - 1) * data[0] / 256;

	/* A copy of exactly these bytes, so that the sanitizer sees a read past them. */
	data = memcpy(malloc(at_hand + !at_hand), data + 1, at_hand);
	size--;
	c = open_bytes(data, size, at_hand);
	egress = parse_packet(&c, &out, DIRECTION_EGRESS, true);
	c = open_bytes(data, size, at_hand);
	ingress = parse_packet(&c, &in, DIRECTION_INGRESS, true);
	REQUIRE(egress == ingress && egress >= DROP_NONE && egress < DROP_REASON_COUNT);
	if (egress == DROP_NONE) {
		check_accepted(&out, size);
		check_directions(&out, &in);
	}
	if (at_hand == size) {
		check_usual(data, size, DIRECTION_EGRESS, &out, egress);
		check_usual(data, size, DIRECTION_INGRESS, &in, ingress);
	}
	if (egress == DROP_NONE && out.flags & PACKET_ICMP_ERROR) {
		struct packet quoted = { .ethertype = out.ethertype, .l3_offset = out.l4_offset + 8 };

		c = open_bytes(data, size, at_hand);
		egress = parse_quoted(&c, &quoted, DIRECTION_EGRESS);
		REQUIRE(egress == DROP_NONE || egress == DROP_ICMP_MALFORMED);
	}
	bare.ethertype = at_hand && data[0] >> 4 == 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4;
	c = open_bytes(data, size, at_hand);
	egress = parse_packet(&c, &bare, DIRECTION_EGRESS, false);
	REQUIRE(egress >= DROP_NONE && egress < DROP_REASON_COUNT);
	free((void *)data);
	return 0;
}
