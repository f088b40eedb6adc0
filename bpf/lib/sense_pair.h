/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sensors of pairs: how a client uses a service. Clients inside have half of the table, where nobody outside pushes them out. */
#ifndef BULKHEAD_SENSE_PAIR_H
#define BULKHEAD_SENSE_PAIR_H

#include "sense_source.h"

enum {
	SENSE_PAIR_OPEN = 0,
	SENSE_PAIR_FAILED = 1,
	SENSE_PAIR_CLOSED = 2,            /* by either side, first of the two */
	SENSE_PAIR_SENT = 3,              /* bytes of the client */
	SENSE_PAIR_RECEIVED = 4,
};

struct sense_use {
	struct ip_address client, server;
	__u64 now;
	__u32 bytes;
	__u32 number;                     /* TCP sequence number of the client, of its SYN or FIN; 0: not known */
	__u16 port, client_port;          /* network order */
	__u8 protocol;
	__u8 what;                        /* SENSE_PAIR_* */
	__u8 flags;                       /* SENSE_RECORD_* */
	__u8 padding;
};

#define SENSE_BRIEF_CONNECTION (4 * SENSE_SECOND) /* one that ends sooner counts as brief */
#define SENSE_MINUTE (60 * SENSE_SECOND)
#define SENSE_PAIR_STILL (300 * SENSE_SECOND)

/* Exponential averages of weight 1/8. */
static __always_inline void sense_average(__u64 *mean, __u64 *deviation, __u64 value, bool is_first)
{
	__u64 distance;

	if (is_first) {
		*mean = value;
		*deviation = 0;
		return;
	}
	distance = value > *mean ? value - *mean : *mean - value;
	*deviation = *deviation - (*deviation >> 3) + (distance >> 3);
	*mean = *mean - (*mean >> 3) + (value >> 3);
}

static __always_inline __u32 sense_pair_weight(const struct sense_pair *r, __u64 now)
{
	__u64 still = now - r->last_open;

	/* Beacons come seldom: one who has come often may stay away longer. */
	if ((__s64)still > (__s64)(SENSE_PAIR_STILL + r->interval_mean * 4))
		return 0;
	return 1 + r->connections;
}

static __always_inline bool sense_is_pair(const struct sense_pair *r, const struct sense_use *u)
{
	return same_address(&r->client, &u->client) && same_address(&r->server, &u->server) && r->port == u->port;
}

static __always_inline void sense_begin_pair(struct sense_pair *r, const struct sense_use *u)
{
	aliasing_u64 *words = (aliasing_u64 *)r;

#pragma clang loop unroll(full)
	for (int i = 0; i < (int)(sizeof(*r) / 8); i++)
		words[i] = 0;
	r->client = u->client;
	r->server = u->server;
	r->port = u->port;
	r->protocol = u->protocol;
	r->flags = u->flags;
	r->since = r->minute = u->now;
	r->next_connections = 3;
	r->next_bytes = 1 << 20;
}

static __always_inline void sense_count_minute(struct sense_pair *r, __u64 now)
{
	__u64 elapsed = now - r->minute;

	if ((__s64)elapsed >= (__s64)SENSE_MINUTE) {
		r->last_minute = (__s64)elapsed < (__s64)(2 * SENSE_MINUTE) ? r->this_minute : 0;
		r->this_minute = 0;
		r->minute = (__s64)elapsed < (__s64)(2 * SENSE_MINUTE) ? r->minute + SENSE_MINUTE : now;
	}
	if (r->this_minute < 65535)
		r->this_minute++;
}

static __always_inline void sense_open_pair(struct sense_pair *r, const struct sense_use *u)
{
	/* The same SYN again, or seen by another program of this host. */
	if (r->connections && r->client_port == u->client_port && r->first_number == u->number &&
	    (__s64)(u->now - r->last_open) < (__s64)(64 * SENSE_SECOND))
		return;
	if (r->connections) {
		sense_average(&r->interval_mean, &r->interval_deviation, u->now - r->last_open, !r->intervals);
		r->intervals++;
	}
	r->last_open = u->now;
	r->connections++;
	r->client_port = u->client_port;
	r->first_number = u->number;
	r->is_open = 1;
	sense_count_minute(r, u->now);
}

static __always_inline void sense_close_pair(struct sense_pair *r, const struct sense_use *u)
{
	__u64 mean = r->size_mean, deviation = r->size_deviation;

	/* Of connections side by side only the last is followed. */
	if (!r->is_open || r->client_port != u->client_port)
		return;
	if ((__s64)(u->now - r->last_open) < (__s64)SENSE_BRIEF_CONNECTION && r->is_open == 1)
		r->brief++;
	r->is_open = 2;
	if (!u->number)
		return;
	sense_average(&mean, &deviation, u->number - r->first_number - 1, !mean && !deviation);
	r->size_mean = mean;
	r->size_deviation = deviation;
	r->is_open = 0;
}

static __always_inline struct sense_pair *sense_pair_of(const struct sense_settings *s, const struct sense_use *u, __u32 *slot,
							__u32 *tag)
{
	__u64 hash = sense_hash_pair(s, sense_words_of(&u->client), sense_words_of(&u->server), u->port);
	__u32 index = (__u32)hash & (SENSE_PAIR_SETS / 2 - 1), way, lightest = ~0u;
	struct sense_pair_set *set;
	struct sense_pair *r;

	if (u->flags & SENSE_RECORD_INSIDE)
		index += SENSE_PAIR_SETS / 2;
	*tag = sense_tag(hash);
	set = sense_pair_set_at(index);
	if (!set)
		return 0;
	way = sense_find_way(set->tags, *tag);
	*slot = index * SENSE_WAYS + way;
	if (way < SENSE_WAYS) {
		r = &set->ways[sense_index(way, SENSE_WAYS)];
		return sense_is_pair(r, u) ? r : 0;
	}
	if (u->what != SENSE_PAIR_OPEN)
		return 0;
	for (__u32 i = 0; i < SENSE_WAYS; i++) {
		__u32 weight = set->tags[i] == SENSE_TAG_FREE ? 0 : sense_pair_weight(&set->ways[i], u->now);

		if (weight < lightest) {
			lightest = weight;
			way = i;
		}
	}
	way = sense_index(sense_forget(way), SENSE_WAYS);
	lightest = sense_forget(lightest);
	if (lightest && sense_random() % (lightest + 1))
		return 0;
	if (!sense_claim(&set->tags[way]))
		return 0;
	r = &set->ways[way];
	sense_begin_pair(r, u);
	sense_publish(&set->tags[way], *tag);
	sense_count(SENSE_COUNT_PAIRS);
	*slot = index * SENSE_WAYS + way;
	return r;
}

/* Notes one step of a connection. */
SENSE_FUNCTION sense_pair(const struct sense_use *u)
{
	const struct sense_settings *s = sense_settings_at(0);
	struct sense_pair *r;
	__u32 slot = 0, tag = 0;

	if (!s || !u)
		return 0;
	r = sense_pair_of(s, u, &slot, &tag);
	if (!r)
		return 0;
	if (u->what == SENSE_PAIR_OPEN)
		sense_open_pair(r, u);
	else if (u->what == SENSE_PAIR_FAILED)
		r->failed++;
	else if (u->what == SENSE_PAIR_CLOSED)
		sense_close_pair(r, u);
	else if (u->what == SENSE_PAIR_SENT)
		r->bytes_sent += u->bytes;
	else
		r->bytes_received += u->bytes;
	if (r->connections < r->next_connections && r->bytes_sent + r->bytes_received < r->next_bytes)
		return 1;
	if (!sense_note(s, SENSE_NOTE_PAIR, slot, tag, u->now))
		return 1;
	if (r->connections >= r->next_connections)
		r->next_connections = sense_next_level(r->connections);
	if (r->bytes_sent + r->bytes_received >= r->next_bytes)
		r->next_bytes = (r->bytes_sent + r->bytes_received) * 2;
	return 1;
}

#endif
