/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the sensors count of themselves. */
#ifndef BULKHEAD_ABI_SENSOR_COUNTS_H
#define BULKHEAD_ABI_SENSOR_COUNTS_H

/* sense_metrics_map: per CPU. */
enum {
	SENSE_COUNT_LOOKED_AT = 0,
	SENSE_COUNT_NOTES = 1,
	SENSE_COUNT_NOTES_REFUSED = 2,    /* for the bound on how many there may be; said again at the next packet */
	SENSE_COUNT_NOTES_LOST = 3,       /* the reader is behind */
	SENSE_COUNT_SOURCES = 4,
	SENSE_COUNT_SOURCES_REPLACED = 5,
	SENSE_COUNT_BRIEF = 6,            /* first seen, and no room among the sources */
	SENSE_COUNT_PROMOTED = 7,
	SENSE_COUNT_TARGETS = 8,
	SENSE_COUNT_PAIRS = 9,
	SENSE_COUNT_ZONES = 10,
	SENSE_COUNT_FLOWS = 11,
	SENSE_COUNT_FLOWS_REFUSED = 12,
	SENSE_METRIC_COUNT = 16,
};

#endif
