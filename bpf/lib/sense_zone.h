/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sensors of names: how a client asks for what is below a zone. Clients inside have half of the table, where nobody outside
 * pushes them out. A record lasts a minute, and begins anew with the next question.
 */
#ifndef BULKHEAD_SENSE_ZONE_H
#define BULKHEAD_SENSE_ZONE_H

#include "sense_view.h"

/* A zone of fewer questions is told of when all are answered, or when so many are not: what it is the answers decide. */
#define SENSE_QUESTIONS_FEW 8
#define SENSE_QUESTIONS_UNANSWERED 4

static __always_inline bool sense_is_zone(const struct sense_zone *r, const struct ip_address *client,
					  const struct sense_question *q)
{
	const aliasing_u64 *mine = (const aliasing_u64 *)r->zone, *asked = (const aliasing_u64 *)q->text;
	__u64 difference = r->zone_length ^ q->text_length;

#pragma clang loop unroll(full)
	for (int i = 0; i < SENSE_ZONE_NAME_BYTES / 8; i++)
		difference |= mine[i] ^ asked[i];
	return same_address(&r->client, client) && !difference;
}

static __always_inline __u32 sense_zone_weight(const struct sense_zone *r, __u64 now)
{
	if ((__s64)(now - r->last) > (__s64)SENSE_MINUTE)
		return 0;
	return 1 + r->queries;
}

static __always_inline void sense_begin_zone(struct sense_zone *r, const struct ip_address *client,
					     const struct sense_view *v, const struct sense_question *q)
{
	sense_clear_words(r, sizeof(*r));
	r->client = *client;
	r->since = r->last = v->now;
	r->next_queries = 1;
	r->flags = v->source_inside ? SENSE_RECORD_INSIDE : 0;
	r->zone_length = q->text_length;
	sense_copy_words(r->zone, q->text, SENSE_ZONE_NAME_BYTES);
}

/* The record of the client and the zone in hand; only a question makes one. */
static __always_inline struct sense_zone *sense_zone_of(const struct sense_settings *s, const struct sense_view *v,
							const struct sense_question *q, bool is_question, __u32 *slot,
							__u32 *tag)
{
	struct sense_words client = is_question ? v->source : v->target;
	__u64 hash = sense_mix(s, sense_mix_address(s, client, 5) + q->zone_hash);
	__u32 index = (__u32)hash & (SENSE_ZONE_SETS / 2 - 1), way, lightest = ~0u;
	struct ip_address address;
	struct sense_zone_set *set;
	struct sense_zone *r;

	sense_set_address(&address, client);
	if (is_question ? v->source_inside : v->target_inside)
		index += SENSE_ZONE_SETS / 2;
	*tag = sense_tag(hash);
	set = sense_zone_set_at(index);
	if (!set)
		return 0;
	way = sense_find_way(set->tags, *tag);
	*slot = index * SENSE_WAYS + way;
	if (way < SENSE_WAYS) {
		r = &set->ways[sense_index(way, SENSE_WAYS)];
		if (!sense_is_zone(r, &address, q))
			return 0;
		if (is_question && (__s64)(v->now - r->since) > (__s64)SENSE_MINUTE)
			sense_begin_zone(r, &address, v, q);
		return r;
	}
	if (!is_question)
		return 0;
	for (__u32 i = 0; i < SENSE_WAYS; i++) {
		__u32 weight = set->tags[i] == SENSE_TAG_FREE ? 0 : sense_zone_weight(&set->ways[i], v->now);

		if (weight < lightest) {
			lightest = weight;
			way = i;
		}
	}
	way = sense_index(sense_forget(way), SENSE_WAYS);
	lightest = sense_forget(lightest);
	/* By lot, as pairs: who asks for very many zones does not push out one that is used. */
	if (lightest && sense_random() % (lightest + 1))
		return 0;
	if (!sense_claim(&set->tags[way]))
		return 0;
	r = &set->ways[way];
	sense_begin_zone(r, &address, v, q);
	sense_publish(&set->tags[way], *tag);
	sense_count(SENSE_COUNT_ZONES);
	*slot = index * SENSE_WAYS + way;
	return r;
}

static __always_inline void sense_add_question(const struct sense_settings *s, struct sense_zone *r, struct sense_question *q)
{
	sense_read_name(q, s->mix_key[3]);
	r->queries++;
	r->bulky += sense_is_bulky(sense_dns_word(q, q->end + 1));
	r->name_bytes += q->characters;
	r->entropy_sum += q->entropy;
	if (q->longest > r->longest_label)
		r->longest_label = q->longest;
	r->name_bits += sense_set_bit(r->names, 16, sense_mix(s, q->name_hash));
}

/* The message in hand counts for its zone. */
SENSE_FUNCTION sense_name(void)
{
	const struct sense_settings *s = sense_settings_at(0);
	struct sense_scratch *x = sense_scratch_of();
	struct sense_question *q;
	struct sense_view *v;
	__u32 slot = 0, tag = 0, message, flags;
	struct sense_zone *r;
	bool is_question;

	if (!s || !x)
		return 0;
	q = &x->question;
	v = &x->view;
	if (q->length < SENSE_DNS_HEADER + 5)
		return 0;
	flags = sense_dns_word(q, 2);
	is_question = !(flags & 0x8000);
	/* A plain query of one question, in the direction that its ports say. */
	if (flags & 0x7800 || sense_dns_word(q, 4) != 1 ||
	    (is_question ? v->target_port : v->source_port) != network16(SENSE_PORT_DNS) || !sense_walk_labels(q))
		return 0;
	sense_read_zone(q, s->mix_key[1]);
	r = sense_zone_of(s, v, q, is_question, &slot, &tag);
	if (!r)
		return 0;
	message = sense_dns_word(q, 0) << 16 | (is_question ? v->source_port : v->target_port);
	if (message == (is_question ? r->last_question : r->last_answer))
		return 0;
	r->last = v->now;
	if (is_question) {
		r->last_question = message;
		sense_add_question(s, r, q);
	} else {
		/* Forged answers are never more than the questions. */
		if (r->answers >= r->queries)
			return 0;
		r->last_answer = message;
		r->answers++;
		r->answer_bytes += v->bytes;
		if ((flags & 0xf) == SENSE_DNS_NOT_FOUND)
			r->not_found++;
	}
	if (r->queries < r->next_queries ||
	    (r->queries < SENSE_QUESTIONS_FEW && r->answers < r->queries &&
	     r->queries < r->answers + SENSE_QUESTIONS_UNANSWERED))
		return 1;
	if (sense_note(s, SENSE_NOTE_ZONE, slot, tag, v->now))
		r->next_queries = sense_next_level(r->queries);
	return 1;
}

#endif
