/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The kernel's sensors (bpf/lib/sense.h) over plain memory: for replay of captures and for tests. */
#ifndef BULKHEAD_NATIVE_SENSORS_H
#define BULKHEAD_NATIVE_SENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bulkhead_sensors;

/* A frame as far as it was read. Addresses are 16 bytes in network order, IPv4 as IPv4-mapped. */
struct bulkhead_frame {
	uint8_t source[16];
	uint8_t target[16];
	bool has_addresses;
	/* Of the parser (drop_reasons.h); 0: whole and well formed. */
	uint32_t reason;
};

/* 32 random bytes choose the sets; tables take about 40 MB of which only what is used is ever touched. Nothing if there is no memory. */
struct bulkhead_sensors *bulkhead_sensors_create(const uint8_t key[48], uint32_t sample_mask);
void bulkhead_sensors_destroy(struct bulkhead_sensors *sensors);

/*
 * Reads a frame; `length` as it was on the wire, `count` bytes of it at hand. `ethertype` 0: begins with an Ethernet header,
 * else with the header of that. The next two calls are about it.
 */
struct bulkhead_frame bulkhead_sensors_read(struct bulkhead_sensors *sensors, const uint8_t *bytes, size_t count,
					    size_t length, uint16_t ethertype);
/* Senses the frame that was read last. `now`: ns. */
void bulkhead_sensors_sense(struct bulkhead_sensors *sensors, bool source_inside, bool target_inside, bool is_denied,
			    uint64_t now);

/* The oldest note not yet taken: time, kind, slot. False if there is none. */
bool bulkhead_sensors_take_note(struct bulkhead_sensors *sensors, uint64_t *time, uint32_t *kind, uint32_t *slot);
/* Bytes of a record by kind and slot (SENSE_NOTE_*), nothing if it is nobody's. */
const void *bulkhead_sensors_record(const struct bulkhead_sensors *sensors, uint32_t kind, uint32_t slot);
uint64_t bulkhead_sensors_metric(const struct bulkhead_sensors *sensors, uint32_t index);
/* Looks at so many packets whole in 8.4 ms, as the kernel does for each CPU; 0, as in the beginning: at all. */
void bulkhead_sensors_limit(struct bulkhead_sensors *sensors, uint32_t budget);
/* What is sensed next comes to this CPU, of two. */
void bulkhead_sensors_move(struct bulkhead_sensors *sensors, uint32_t cpu);
void bulkhead_sensors_watch(struct bulkhead_sensors *sensors, bool is_watching);
/* Bytes of all tables, which do not grow. */
size_t bulkhead_sensors_memory(void);

#endif
