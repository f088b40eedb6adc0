/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The question of a DNS message: which zone it is about, and what the name below that zone carries. Only the question is
 * read; it has no pointers to follow. Numbers of the walks lie in the scratch memory, as in dns_message.h: what the verifier
 * reads from a map is any number.
 */
#ifndef BULKHEAD_SENSE_DNS_H
#define BULKHEAD_SENSE_DNS_H

#include "sense_tables.h"

#define SENSE_PORT_DNS 53
#define SENSE_DNS_BYTES 512
/* Header, the longest name, type and class: what of a message is wanted. */
#define SENSE_DNS_WANTED (12 + 255 + 4)
#define SENSE_DNS_HEADER 12
#define SENSE_LABELS_MAX 127
#define SENSE_LABEL_MAX 63
#define SENSE_ZONE_BYTES (3 * (SENSE_LABEL_MAX + 1))

enum { SENSE_DNS_NOT_FOUND = 3 };

struct sense_question {
	__u32 length;                     /* bytes of the message at hand */
	__u32 at;                         /* of the walk */
	__u32 left;                       /* bytes of a label that the walk is within */
	__u32 label_count;
	__u32 first, second, third;       /* where the last labels begin, from the end of the name */
	__u32 zone;                       /* where the zone begins */
	__u32 end;                        /* of the root label */
	__u32 characters;                 /* of the name below the zone, dots left out */
	__u32 longest;                    /* its longest label */
	__u32 entropy;                    /* of its characters together, hundredths of a bit */
	__u32 text_length;
	__u32 padding;
	__u64 name_hash, zone_hash;
	__u8 counts[128];                 /* how often each character was there */
	__u8 text[SENSE_ZONE_NAME_BYTES];
	__u8 message[SENSE_DNS_BYTES];
};

static __always_inline __u8 sense_dns_byte(const struct sense_question *q, __u32 at)
{
	return q->message[sense_index(at, SENSE_DNS_BYTES)];
}

static __always_inline __u32 sense_dns_word(const struct sense_question *q, __u32 at)
{
	return (__u32)sense_dns_byte(q, at) << 8 | sense_dns_byte(q, at + 1);
}

/* Without a branch, for the verifier. */
static __always_inline __u8 sense_dns_lower(__u8 byte)
{
	__u32 above = (__u32)byte - 'A', is_capital = ((above - 26) & ~above) >> 31;

	return byte | is_capital << 5;
}

/* Labels under which countries register names for others, as "co.uk". */
static __always_inline bool sense_is_suffix_label(__u32 letters)
{
#define SENSE_LETTERS(a, b, c) ((a) | (b) << 8 | (c) << 16)
	switch (letters) {
	case SENSE_LETTERS('c', 'o', 0): case SENSE_LETTERS('c', 'o', 'm'): case SENSE_LETTERS('o', 'r', 'g'):
	case SENSE_LETTERS('n', 'e', 't'): case SENSE_LETTERS('a', 'c', 0): case SENSE_LETTERS('g', 'o', 'v'):
	case SENSE_LETTERS('e', 'd', 'u'): case SENSE_LETTERS('o', 'r', 0): case SENSE_LETTERS('n', 'e', 0):
	case SENSE_LETTERS('g', 'o', 0): case SENSE_LETTERS('a', 'd', 0): case SENSE_LETTERS('g', 'o', 'b'):
	case SENSE_LETTERS('g', 'v', 0): case SENSE_LETTERS('m', 'i', 'l'): case SENSE_LETTERS('s', 'c', 'h'):
	case SENSE_LETTERS('l', 't', 'd'): case SENSE_LETTERS('p', 'l', 'c'): case SENSE_LETTERS('m', 'e', 0):
	case SENSE_LETTERS('n', 'h', 's'): case SENSE_LETTERS('i', 'd', 0): case SENSE_LETTERS('n', 'o', 'm'):
	case SENSE_LETTERS('w', 'e', 'b'): case SENSE_LETTERS('i', 'n', 0):
		return true;
	}
	return false;
#undef SENSE_LETTERS
}

/* The last two labels are the zone; three where the last two are a country's suffix. */
static __always_inline __u32 sense_zone_start(const struct sense_question *q)
{
	__u32 length = sense_dns_byte(q, q->second), letters;

	if (q->label_count < 2)
		return q->first;
	if (q->label_count < 3 || sense_dns_byte(q, q->first) != 2 || length < 2 || length > 3)
		return q->second;
	letters = sense_dns_lower(sense_dns_byte(q, q->second + 1)) | sense_dns_lower(sense_dns_byte(q, q->second + 2)) << 8;
	if (length == 3)
		letters |= sense_dns_lower(sense_dns_byte(q, q->second + 3)) << 16;
	return sense_is_suffix_label(letters) ? q->third : q->second;
}

/* Walks the labels. False: not a plain question, or cut off. */
static __always_inline bool sense_walk_labels(struct sense_question *q)
{
	bool has_ended = false;

	q->at = SENSE_DNS_HEADER;
	q->label_count = q->first = q->second = q->third = 0;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i <= SENSE_LABELS_MAX; i++) {
		__u32 at = *(volatile __u32 *)&q->at;
		__u8 byte = sense_dns_byte(q, at);

		if (at >= q->length || byte > SENSE_LABEL_MAX)
			return false;
		if (!byte) {
			has_ended = true;
			break;
		}
		q->third = q->second;
		q->second = q->first;
		q->first = at;
		q->label_count++;
		*(volatile __u32 *)&q->at = at + byte + 1;
	}
	q->end = q->at;
	return has_ended && q->label_count && q->end + 5 <= q->length && q->end - SENSE_DNS_HEADER < 255;
}

/* Reads the zone: its text as far as there is room, and what it scatters to. */
static __always_inline void sense_read_zone(struct sense_question *q, __u64 factor)
{
	__u64 hash = 0;

	q->zone = sense_zone_start(q);
	q->left = 0;
#pragma clang loop unroll(full)
	for (int i = 0; i < SENSE_ZONE_NAME_BYTES / 8; i++)
		((aliasing_u64 *)q->text)[i] = 0;
	q->text_length = 0;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < SENSE_ZONE_BYTES; i++) {
		__u32 at = q->zone + i;
		__u8 byte = sense_dns_lower(sense_dns_byte(q, at));
		__u32 left = *(volatile __u32 *)&q->left;

		if (at >= q->end)
			break;
		hash = (hash + byte + 1) * factor;
		hash ^= hash >> 29;
		*(volatile __u32 *)&q->left = left ? left - 1 : byte;
		if (i && i <= SENSE_ZONE_NAME_BYTES) {
			q->text[sense_index(i - 1, SENSE_ZONE_NAME_BYTES)] = left ? byte : '.';
			q->text_length = i;
		}
	}
	q->zone_hash = hash;
}

/*
 * Terms of c log2 c in hundredths of a bit, by what they grow from c to c + 1. The entropy of n characters of which c are
 * the same, for each: the sum of the first n terms less those of each c.
 */
static const __u16 sense_entropy_terms[256] = {
	0, 200, 275, 325, 361, 390, 414, 435, 453, 469, 483, 497, 509, 519, 530, 540, 549, 557, 565, 573, 580,
	587, 593, 600, 606, 611, 617, 623, 627, 633, 637, 642, 647, 650, 655, 660, 663, 667, 671, 675, 678,
	682, 685, 688, 692, 695, 699, 701, 704, 707, 710, 713, 716, 718, 721, 724, 726, 729, 732, 733, 736,
	739, 741, 743, 745, 748, 750, 752, 754, 756, 758, 760, 763, 764, 766, 768, 770, 772, 774, 775, 778,
	779, 781, 782, 785, 786, 788, 789, 791, 793, 794, 796, 797, 799, 801, 802, 803, 805, 807, 808, 809,
	811, 812, 814, 815, 816, 818, 819, 820, 822, 823, 824, 826, 827, 828, 830, 830, 832, 833, 835, 835,
	837, 838, 839, 840, 842, 842, 844, 845, 846, 847, 848, 849, 851, 851, 852, 854, 855, 855, 857, 858,
	858, 860, 861, 862, 862, 864, 865, 866, 866, 868, 868, 870, 871, 871, 872, 874, 874, 875, 876, 877,
	878, 878, 880, 880, 882, 882, 883, 884, 885, 885, 887, 887, 888, 889, 890, 891, 891, 892, 893, 894,
	895, 895, 897, 897, 897, 899, 899, 900, 901, 902, 902, 903, 904, 905, 905, 906, 907, 908, 908, 909,
	910, 910, 911, 912, 913, 913, 914, 915, 915, 916, 917, 917, 918, 919, 920, 920, 920, 922, 922, 923,
	923, 924, 925, 925, 926, 927, 927, 928, 928, 929, 930, 931, 931, 931, 932, 933, 934, 934, 934, 936,
	935, 937, 937, 938, 938, 939, 939, 940, 941, 941, 941, 943, 943, 943, 944,
};

/* Reads the name below the zone: its characters, their entropy, its longest label, and what it scatters to. */
static __always_inline void sense_read_name(struct sense_question *q, __u64 factor)
{
	__u64 hash = 0;

	q->left = q->characters = q->entropy = q->longest = 0;
#pragma clang loop unroll(full)
	for (int i = 0; i < (int)sizeof(q->counts) / 8; i++)
		((aliasing_u64 *)q->counts)[i] = 0;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < 255; i++) {
		__u32 at = SENSE_DNS_HEADER + i, left = *(volatile __u32 *)&q->left;
		__u8 byte = sense_dns_lower(sense_dns_byte(q, at)), *count = &q->counts[byte & 127];

		if (at >= q->zone)
			break;
		hash = (hash + byte + 1) * factor;
		hash ^= hash >> 29;
		if (!left) {
			*(volatile __u32 *)&q->left = byte;
			if (byte > q->longest)
				q->longest = byte;
			continue;
		}
		*(volatile __u32 *)&q->left = left - 1;
		q->entropy += sense_entropy_terms[q->characters & 255] - sense_entropy_terms[*count];
		q->characters++;
		*count += 1;
	}
	q->name_hash = hash;
}

/* Types that carry much: NULL, TXT, CNAME, MX, SRV, and what iodine uses for its own. */
static __always_inline bool sense_is_bulky(__u32 type)
{
	return type == 5 || type == 10 || type == 15 || type == 16 || type == 33 || type == 65399;
}

#endif
