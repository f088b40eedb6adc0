/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the sensors over plain memory. A frame as it comes or, by the first byte, a DNS message in a datagram of one
 * of a few clients; the sanitizers watch every read and write, the checks below what the records promise.
 */
#include "../Sources/CSensors/native_sensors.c"

#define REQUIRE(condition)                \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

static struct bulkhead_sensors *sensors;
static uint64_t now = 1000000000;

static void check_zone(const struct sense_zone *zone)
{
	REQUIRE(zone->queries && zone->answers <= zone->queries && zone->not_found <= zone->answers);
	REQUIRE(zone->bulky <= zone->queries && zone->name_bits <= zone->queries && zone->name_bits <= 1024);
	REQUIRE(zone->longest_label <= 63 && zone->name_bytes <= 253ull * zone->queries);
	/* No more than seven bits a character. */
	REQUIRE(zone->entropy_sum <= zone->name_bytes * 701);
	REQUIRE(zone->zone_length && zone->zone_length <= SENSE_ZONE_NAME_BYTES);
	for (uint32_t i = 0; i < zone->zone_length; i++)
		REQUIRE(zone->zone[i] < 'A' || zone->zone[i] > 'Z');
}

static void see(const uint8_t *bytes, size_t size, uint8_t what)
{
	uint64_t time;
	uint32_t kind, slot;

	bulkhead_sensors_read(sensors, bytes, size, size, 0);
	bulkhead_sensors_sense(sensors, what & 2, what & 4, what & 8, now);
	while (bulkhead_sensors_take_note(sensors, &time, &kind, &slot)) {
		const void *record = bulkhead_sensors_record(sensors, kind, slot);

		REQUIRE(record);
		if (kind == SENSE_NOTE_ZONE)
			check_zone(record);
	}
}

static void see_message(const uint8_t *message, size_t size, uint8_t what)
{
	uint8_t frame[42 + 512] = { [12] = 8, [14] = 0x45, [22] = 64, [23] = 17, [26] = 10, [30] = 198 };
	size_t length = 28 + size;

	frame[16] = length >> 8;
	frame[17] = length;
	frame[38] = (8 + size) >> 8;
	frame[39] = 8 + size;
	frame[35] = what >> 4;
	frame[37] = 53;
	memcpy(frame + 42, message, size);
	see(frame, 42 + size, what | 2);
	/* And the same as what comes back. */
	frame[26] = 198;
	frame[30] = 10;
	frame[35] = 53;
	frame[37] = what >> 4;
	if (size > 2)
		frame[44] |= 0x80;
	see(frame, 42 + size, (what & ~2) | 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[48] = { 3, 1, 4, 1, 5, 9, 2, 6 };

	if (!sensors)
		sensors = bulkhead_sensors_create(key, 0);
	now += 10000000;
	if (!size)
		return 0;
	if (data[0] & 1 && size <= 512)
		see_message(data + 1, size - 1, data[0]);
	else
		see(data + 1, size - 1, data[0]);
	return 0;
}
