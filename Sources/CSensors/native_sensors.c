/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "native_sensors.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "prefilter_check.h"
#include "sense.h"
#include "sense_load.h"
#include "sense_read.h"

_Thread_local struct sense_tables *sense_current;

struct bulkhead_sensors {
	struct sense_tables tables;
	struct packet packet, quoted;
	struct sense_numbers numbers;
	bool is_read, has_quoted, has_begun;
	__u32 message_length;
	__u8 message[SENSE_DNS_BYTES];
};

static const struct {
	size_t offset, bytes;
} parts[] = {
#define PART(member, count) \
	{ offsetof(struct sense_tables, member), (count) * sizeof(*((struct sense_tables *)0)->member) }
	PART(sources, SENSE_SOURCE_SETS), PART(brief, SENSE_BRIEF_SETS), PART(targets, SENSE_TARGET_SETS),
	PART(pairs, SENSE_PAIR_SETS),     PART(zones, SENSE_ZONE_SETS),  PART(flows, SENSE_FLOW_SETS),
	PART(handshakes, SENSE_HANDSHAKE_CELLS),
};

#define PART_COUNT (sizeof(parts) / sizeof(*parts))

static void **part_at(struct sense_tables *tables, size_t number)
{
	return (void **)((char *)tables + parts[number].offset);
}

void bulkhead_sensors_destroy(struct bulkhead_sensors *sensors)
{
	for (size_t i = 0; i < PART_COUNT; i++)
		if (*part_at(&sensors->tables, i))
			munmap(*part_at(&sensors->tables, i), parts[i].bytes);
	free(sensors);
}

struct bulkhead_sensors *bulkhead_sensors_create(const uint8_t key[48], uint32_t sample_mask)
{
	struct bulkhead_sensors *sensors = calloc(1, sizeof(*sensors));
	struct sense_settings *settings;

	if (!sensors)
		return NULL;
	for (size_t i = 0; i < PART_COUNT; i++) {
		void *memory = mmap(NULL, parts[i].bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (memory == MAP_FAILED) {
			bulkhead_sensors_destroy(sensors);
			return NULL;
		}
		*part_at(&sensors->tables, i) = memory;
	}
	settings = &sensors->tables.settings;
	settings->flags = SENSE_ON;
	settings->sample_mask = sample_mask;
	memcpy(settings->hash_key, key, 16);
	memcpy(settings->mix_key, key + 16, 32);
	settings->mix_key[1] |= 1;
	settings->mix_key[3] |= 1;
	settings->note_cost = 1;
	settings->note_burst = ~0ull >> 1;
	sensors->tables.random = 0x2545f491;
	return sensors;
}

size_t bulkhead_sensors_memory(void)
{
	size_t bytes = sizeof(struct bulkhead_sensors);

	for (size_t i = 0; i < PART_COUNT; i++)
		bytes += parts[i].bytes;
	return bytes;
}

/* What of a DNS message is at hand: the capture may have cut it off. */
static void read_message(struct bulkhead_sensors *sensors, const struct cursor *c)
{
	const struct packet *p = &sensors->packet;
	size_t begin = p->l4_offset + 8, count = (const __u8 *)c->end - (const __u8 *)c->data;
	__u32 length = sense_message_bytes(p);

	if (p->key.local_port != network16(SENSE_PORT_DNS) && p->key.remote_port != network16(SENSE_PORT_DNS))
		return;
	if (count <= begin || !length)
		return;
	sensors->message_length = count - begin < length ? count - begin : length;
	memcpy(sensors->message, (const __u8 *)c->data + begin, sensors->message_length);
}

struct bulkhead_frame bulkhead_sensors_read(struct bulkhead_sensors *sensors, const uint8_t *bytes, size_t count,
					    size_t length, uint16_t ethertype)
{
	struct cursor c = { .data = (__u8 *)bytes, .end = (__u8 *)bytes + count, .length = length, .limit = length };
	struct packet *p = &sensors->packet;
	struct bulkhead_frame frame = { .has_addresses = false };

	memset(p, 0, sizeof(*p));
	p->ethertype = ethertype;
	sensors->has_quoted = false;
	sensors->message_length = 0;
	frame.reason = read_packet(&c, p);
	sensors->is_read = sense_has_use(p, frame.reason);
	if (!sensors->is_read)
		return frame;
	if (!sense_read_link(&c, p, DIRECTION_INGRESS)) {
		sensors->is_read = false;
		return frame;
	}
	sensors->numbers = sense_read_numbers(&c, p);
	if (p->key.protocol == PROTOCOL_UDP && !(p->flags & PACKET_LATER_FRAGMENT))
		read_message(sensors, &c);
	if (sense_is_unreachable(p)) {
		memset(&sensors->quoted, 0, sizeof(sensors->quoted));
		sense_enter_quoted(p, &sensors->quoted);
		sensors->has_quoted = !parse_quoted(&c, &sensors->quoted, DIRECTION_INGRESS);
	}
	memcpy(frame.source, p->key.remote.bytes, 16);
	memcpy(frame.target, p->key.local.bytes, 16);
	frame.has_addresses = true;
	return frame;
}

void bulkhead_sensors_sense(struct bulkhead_sensors *sensors, bool source_inside, bool target_inside, bool is_denied,
			    uint64_t now)
{
	__u32 flags = (source_inside ? SENSE_SOURCE_INSIDE : 0) | (target_inside ? SENSE_TARGET_INSIDE : 0) |
		      (is_denied ? SENSE_POLICY_DENIED : 0);
	const struct sense_settings *s = &sensors->tables.settings;
	const struct packet *p = &sensors->packet;
	int weight;

	if (!sensors->is_read)
		return;
	/* What was asked before nobody has looked at. */
	if (!sensors->has_begun)
		sensors->tables.settings.load = now & ~(__u64)SENSE_LOAD_BITS;
	sensors->has_begun = true;
	sense_current = &sensors->tables;
	sense_current->now = now;
	if (sense_is_within(p)) {
		if (!(sense_random() & s->sample_mask))
			flags |= SENSE_SAMPLED;
		else if (!s->watching && !is_denied)
			return;
	}
	weight = sense_choose(p);
	if (weight >= 0)
		flags |= weight;
	else if (flags & SENSE_SAMPLED)
		flags |= SENSE_UNCHOSEN;
	else
		return;
	sense_view(&sense_scratch_of()->view, p, flags, sensors->numbers, now);
	if (sense_packet(p, flags) && sensors->message_length) {
		struct sense_question *q = &sense_scratch_of()->question;

		q->length = sensors->message_length;
		memcpy(q->message, sensors->message, sensors->message_length);
		sense_name();
	}
	if (sensors->has_quoted) {
		sense_view(&sense_scratch_of()->view, &sensors->quoted, flags, (struct sense_numbers){ 0 }, now);
		sense_quoted();
	}
}

bool bulkhead_sensors_take_note(struct bulkhead_sensors *sensors, uint64_t *time, uint32_t *kind, uint32_t *slot)
{
	struct sense_tables *t = &sensors->tables;
	const struct sense_note *note = &t->notes[t->notes_read % SENSE_NOTE_ROOM];

	if (t->notes_read == t->notes_written)
		return false;
	t->notes_read++;
	*time = note->time;
	*kind = note->kind;
	*slot = note->slot;
	return true;
}

const void *bulkhead_sensors_record(const struct bulkhead_sensors *sensors, uint32_t kind, uint32_t slot)
{
	const struct sense_tables *t = &sensors->tables;
	__u32 set = slot / SENSE_WAYS, way = slot % SENSE_WAYS;

#define RECORD(sets, count) \
	(set < (count) && t->sets[set].tags[way] > SENSE_TAG_BUSY ? (const void *)&t->sets[set].ways[way] : NULL)
	switch (kind) {
	case SENSE_NOTE_SOURCE:
		return RECORD(sources, SENSE_SOURCE_SETS);
	case SENSE_NOTE_TARGET:
		return RECORD(targets, SENSE_TARGET_SETS);
	case SENSE_NOTE_PAIR:
		return RECORD(pairs, SENSE_PAIR_SETS);
	case SENSE_NOTE_ZONE:
		return RECORD(zones, SENSE_ZONE_SETS);
	}
	return NULL;
}

uint64_t bulkhead_sensors_metric(const struct bulkhead_sensors *sensors, uint32_t index)
{
	return index < SENSE_METRIC_COUNT ? sensors->tables.metrics[index] : 0;
}

void bulkhead_sensors_limit(struct bulkhead_sensors *sensors, uint32_t budget)
{
	sensors->tables.settings.budget = budget;
}

void bulkhead_sensors_move(struct bulkhead_sensors *sensors, uint32_t cpu)
{
	sensors->tables.cpu = cpu % SENSE_NATIVE_CPUS;
}

void bulkhead_sensors_watch(struct bulkhead_sensors *sensors, bool is_watching)
{
	sensors->tables.settings.watching = is_watching;
}
