/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the reader of DNS messages of bpf/lib, built natively from the same header. The sanitizers watch every read
 * and write; the checks below watch what it promises about messages that it accepts.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The kernel's helper: calls until told to stop. */
static long bpf_loop(uint32_t count, long (*body)(uint32_t, void *), void *context, uint64_t flags)
{
	for (uint32_t i = 0; i < count; i++)
		if (body(i, context))
			return i + 1;
	return count;
}

#include "dns_message.h"

#define REQUIRE(condition)               \
	do {                             \
		if (!(condition))        \
			__builtin_trap(); \
	} while (0)

/* Labels one after the other, none longer than 63, to the end. */
static void check_name(const struct fqdn_scratch *s)
{
	uint32_t at = 0, labels = 0;

	REQUIRE(s->name_length <= 254);
	while (at < s->name_length) {
		REQUIRE(labels < 128 && s->start[labels] == at);
		REQUIRE(s->name[at] >= 1 && s->name[at] <= 63);
		for (uint32_t i = 1; i <= s->name[at]; i++)
			REQUIRE(s->name[at + i] < 'A' || s->name[at + i] > 'Z');
		at += s->name[at] + 1;
		labels++;
	}
	REQUIRE(at == s->name_length && labels == s->labels);
	for (uint32_t i = 0; i < 8; i++)
		REQUIRE(!s->name[at + i]);
}

static void check_records(const struct fqdn_scratch *s, const struct fqdn_config *config)
{
	REQUIRE(s->found <= FQDN_RECORDS_MAX);
	for (uint32_t i = 0; i < s->found; i++) {
		struct ip_address address = dns_address(s, i);
		uint32_t ttl = clamp_ttl(s->record[i].ttl, config);

		REQUIRE(s->record[i].length == 4 || s->record[i].length == 16);
		REQUIRE(s->record[i].offset >= 17 + 10 && s->record[i].offset + s->record[i].length <= s->length);
		REQUIRE(ttl >= config->ttl_min && ttl <= config->ttl_max);
		(void)is_never_opened(&address);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fqdn_config config = {
		.hash_keys = { 1234567, 7654321 }, .label_keys = { 3, 0xffffffff, 0x9e3779b9 }, .ttl_min = 1, .ttl_max = 86400,
	};
	struct fqdn_scratch *s = malloc(sizeof(*s));
	struct dns_walk walk = { .s = s, .config = &config };
	int flags;

	if (size > FQDN_MESSAGE_BYTES)
		size = FQDN_MESSAGE_BYTES;
	/* What an earlier message left there must make no difference. */
	memset(s, 0xa5, sizeof(*s));
	memcpy(s->message, data, size);
	s->length = size;
	flags = dns_read_question(&walk);
	if (flags >= 0) {
		REQUIRE(s->offset <= s->length);
		check_name(s);
		(void)dns_question_type(s);
		s->h1 = s->h2 = 0;
		for (uint32_t i = s->labels; i--;)
			dns_hash_label(s, &config, s->start[i]);
		REQUIRE(s->h1 <= DNS_FIELD && s->h2 <= DNS_FIELD);
		if (dns_read_answers(&walk))
			check_records(s, &config);
	}
	free(s);
	return 0;
}
