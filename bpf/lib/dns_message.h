/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * dns_message: a DNS message that lies in struct fqdn_scratch: its question, and the addresses of its answer section.
 *
 * The loops keep their numbers in the scratch map on purpose: the verifier follows numbers on the stack from turn to turn and
 * does not come to an end; what it reads from a map is any number on every turn, so that it is done after two. Every index
 * into an array is masked where it is used. Built natively for fuzzing as well (Fuzz/dns_message.c).
 */
#ifndef BULKHEAD_DNS_MESSAGE_H
#define BULKHEAD_DNS_MESSAGE_H

#include "fqdn.h"
#include "packet.h"

#define DNS_HEADER_BYTES 12
#define DNS_STEPS_MAX 1024            /* labels of owner names and records walked in one answer */
#define DNS_LABELS_MASK 127
#define DNS_FIELD 0x7fffffffull       /* 2^31 - 1, the field of the name hash */

enum {
	DNS_TYPE_A = 1,
	DNS_TYPE_AAAA = 28,
	DNS_CLASS_IN = 1,
	DNS_FLAG_RESPONSE = 0x8000,
	DNS_FLAG_OPCODE = 0x7800,
	DNS_FLAG_RCODE = 0x000f,
	DNS_LABEL_MAX = 63,
	DNS_POINTER = 0xc0,
};

/* What the loop bodies get: pointers only. */
struct dns_walk {
	struct fqdn_scratch *s;
	const struct fqdn_config *config;
};

/*
 * An index into an array whose size is a power of two. The compiler must not see that the mask is needless: what it knows of
 * a number that lay in the scratch map, the verifier of Linux 6.1 does not.
 */
static __always_inline __u32 dns_index(__u32 index, __u32 size)
{
	asm volatile("" : "+r"(index));
	return index & (size - 1);
}

static __always_inline __u32 dns_read16(const struct fqdn_scratch *s, __u32 offset)
{
	const __u8 *at = &s->message[dns_index(offset, FQDN_MESSAGE_BYTES)];

	return (__u32)at[0] << 8 | at[1];
}

/* The question's name, label by label: where each begins. */
static long dns_name_label(__u32 i, void *context)
{
	struct fqdn_scratch *s = ((struct dns_walk *)context)->s;
	__u32 at = s->offset;
	__u8 byte;

	if (at >= s->length)
		return s->bad = 1;
	byte = s->message[dns_index(at, FQDN_MESSAGE_BYTES)];
	if (!byte)
		return s->ended = 1;
	/* No pointer: no name stands before the question. */
	if (byte > DNS_LABEL_MAX)
		return s->bad = 1;
	s->start[i & DNS_LABELS_MASK] = at - DNS_HEADER_BYTES;
	s->labels = i + 1;
	s->offset = at + byte + 1;
	return 0;
}

/* Eight bytes in lower case. Bytes that say a label's length lie below the letters. */
static __always_inline __u64 dns_fold(__u64 word)
{
	const __u64 ones = 0x0101010101010101ull;
	__u64 low = word & 0x7f * ones, from_a = low + (0x80 - 'A') * ones, past_z = low + (0x7f - 'Z') * ones;

	return word | (~word & (from_a ^ past_z) & 0x80 * ones) >> 2;
}

/* Copies the name in lower case, eight bytes at a time, with zeros behind it. */
static __always_inline void dns_fold_name(struct fqdn_scratch *s)
{
#pragma clang loop unroll(disable)
	for (__u32 at = 0; at < FQDN_NAME_BYTES; at += 8) {
		if (at >= s->name_length)
			break;
		*(aliasing_u64 *)&s->name[at] = dns_fold(*(const aliasing_u64 *)&s->message[DNS_HEADER_BYTES + at]);
	}
	*(aliasing_u64 *)&s->name[dns_index(s->name_length, FQDN_NAME_BYTES)] = 0;
}

/* One step of a polynomial over the field, at a secret point: who does not know it cannot make two names meet. */
static __always_inline __u64 dns_mix(__u64 hash, __u64 key, __u64 label)
{
	label = (label & DNS_FIELD) + (label >> 31);
	label = (label & DNS_FIELD) + (label >> 31);
	hash = hash * key + label + 1;
	hash = (hash & DNS_FIELD) + (hash >> 31);
	return (hash & DNS_FIELD) + (hash >> 31);
}

/*
 * Adds the label that begins at `from`, its length in front, to the hash of what is behind it. A label counts as the sum of
 * products of its words with secret numbers (NH of UMAC, RFC 4418), twice with the numbers moved on.
 */
static __always_inline void dns_hash_label(struct fqdn_scratch *s, const struct fqdn_config *config, __u32 from)
{
	__u32 length = (s->name[dns_index(from, FQDN_NAME_BYTES)] & DNS_LABEL_MAX) + 1;
	const __u32 *k = config->label_keys;
	__u64 first = 0, second = 0;

#pragma clang loop unroll(disable)
	for (__u32 at = 0; at <= DNS_LABEL_MAX; at += 8, k += 2) {
		__u64 word;
		__u32 low, high;

		if (at >= length)
			break;
		word = *(const aliasing_u64 *)&s->name[dns_index(from + at, FQDN_NAME_BYTES)];
		if (length - at < 8)
			word &= (1ull << 8 * (length - at)) - 1;
		low = word;
		high = word >> 32;
		first += (__u64)(__u32)(low + k[0]) * (__u32)(high + k[1]);
		second += (__u64)(__u32)(low + k[2]) * (__u32)(high + k[3]);
	}
	s->h1 = dns_mix(s->h1, config->hash_keys[0], first);
	s->h2 = dns_mix(s->h2, config->hash_keys[1], second);
}

static __always_inline __u64 dns_hash(const struct fqdn_scratch *s)
{
	return s->h1 << 32 | s->h2;
}

/*
 * One step through the answer section: a label of an owner name, or its end and the record behind it. A pointer ends a
 * name and is never followed, so none can lead in a circle. Addresses are only noted here: a message that turns out
 * malformed teaches nothing. Whose they are is not asked: the question's, by way of the CNAMEs of the same answer.
 */
static long dns_record_step(__u32 i, void *context)
{
	struct fqdn_scratch *s = ((struct dns_walk *)context)->s;
	__u32 at, size, type;
	__u8 byte;

	if (!s->records)
		return 1;
	if (s->offset >= s->length)
		return s->bad = 1;
	byte = s->message[s->offset & (FQDN_MESSAGE_BYTES - 1)];
	if (byte >= 1 && byte <= DNS_LABEL_MAX) {
		s->offset += byte + 1;
		return 0;
	}
	if (byte && byte < DNS_POINTER)
		return s->bad = 1;
	s->offset += byte ? 2 : 1;
	at = s->offset;
	if (at + 10 > s->length)
		return s->bad = 1;
	type = dns_read16(s, at);
	size = dns_read16(s, at + 8);
	s->offset = at + 10 + size;
	if (s->offset > s->length)
		return s->bad = 1;
	s->records--;
	if (dns_read16(s, at + 2) != DNS_CLASS_IN)
		return 0;
	if ((type == DNS_TYPE_A && size == 4) || (type == DNS_TYPE_AAAA && size == 16)) {
		struct fqdn_record *r = &s->record[s->found & (FQDN_RECORDS_MAX - 1)];

		r->ttl = dns_read16(s, at + 4) << 16 | dns_read16(s, at + 6);
		r->offset = at + 10;
		r->length = size;
		s->found++;
	}
	return 0;
}

/* Reads header and question of the s->length bytes in s->message. Returns the flags, or -1: no plain question of class IN. */
static __always_inline int dns_read_question(struct dns_walk *w)
{
	struct fqdn_scratch *s = w->s;
	__u32 flags;

	if (s->length < DNS_HEADER_BYTES + 5 || s->length > FQDN_MESSAGE_BYTES)
		return -1;
	flags = dns_read16(s, 2);
	if (flags & DNS_FLAG_OPCODE || dns_read16(s, 4) != 1)
		return -1;
	s->offset = DNS_HEADER_BYTES;
	s->labels = s->bad = s->ended = 0;
	bpf_loop(DNS_LABELS_MASK + 1, dns_name_label, w, 0);
	s->name_length = s->offset - DNS_HEADER_BYTES;
	s->offset += 1;
	/* 254 bytes and the root: the longest name (RFC 1035). */
	if (s->bad || !s->ended || s->name_length > FQDN_NAME_BYTES - 2 || s->offset + 4 > s->length ||
	    dns_read16(s, s->offset + 2) != DNS_CLASS_IN)
		return -1;
	s->offset += 4;
	dns_fold_name(s);
	return flags;
}

/* Type of the question that was just read. */
static __always_inline __u16 dns_question_type(const struct fqdn_scratch *s)
{
	return dns_read16(s, s->offset - 4);
}

/* Notes the addresses of the answer section, behind the question. False: malformed; then none counts. */
static __always_inline bool dns_read_answers(struct dns_walk *w)
{
	struct fqdn_scratch *s = w->s;

	s->found = 0;
	s->records = dns_read16(s, 6);
	if (s->records > FQDN_RECORDS_MAX)
		s->records = FQDN_RECORDS_MAX;
	bpf_loop(DNS_STEPS_MAX, dns_record_step, w, 0);
	return !s->bad && !s->records;
}

/* The address of a noted record. `number` is below s->found. */
static __always_inline struct ip_address dns_address(const struct fqdn_scratch *s, __u32 number)
{
	const struct fqdn_record *r = &s->record[number & (FQDN_RECORDS_MAX - 1)];
	const __u8 *from = &s->message[r->offset & (FQDN_MESSAGE_BYTES - 1)];
	struct ip_address address;

	__builtin_memcpy(&address, from, sizeof(address));
	if (r->length == 4) {
		*(aliasing_u64 *)address.bytes = 0;
		address.bytes[8] = address.bytes[9] = 0;
		address.bytes[10] = address.bytes[11] = 0xff;
		__builtin_memcpy(address.bytes + 12, from, 4);
	}
	return address;
}

static __always_inline bool is_special4(__u32 a)
{
	__u8 first = a >> 24;

	return first == 0 || first == 127 || first >= 224 || a >> 16 == 0xa9fe /* link-local, most metadata services */ ||
	       a == 0x646464c8 /* 100.100.100.200 */ || a == 0xa83f8110 /* 168.63.129.16 */ ||
	       a == 0xc00000c0 /* 192.0.0.192 */;
}

/* Addresses that no name opens: this host's inside, the link, groups, metadata services; also behind NAT64. */
static __always_inline bool is_never_opened(const struct ip_address *address)
{
	const aliasing_u64 *words = (const aliasing_u64 *)address->bytes;
	__u64 hi = __builtin_bswap64(words[0]), lo = __builtin_bswap64(words[1]);

	if (!hi)
		return lo >> 32 == 0xffff ? is_special4(lo) : true; /* ::, ::1, IPv4-compatible */
	if (hi == 0x0064ff9b00000000ull && !(lo >> 32))
		return is_special4(lo);
	return hi >> 56 == 0xff || hi >> 54 == 0xfe80 >> 6 || hi == 0xfd000ec200000000ull ||
	       (hi == 0xfd2000ce00000000ull && lo == 0x254);
}

/* The time to live that counts: a set top bit means zero (RFC 2181). */
static __always_inline __u32 clamp_ttl(__u32 ttl, const struct fqdn_config *config)
{
	if (ttl & 0x80000000)
		ttl = 0;
	return ttl < config->ttl_min ? config->ttl_min : ttl > config->ttl_max ? config->ttl_max : ttl;
}

#endif
