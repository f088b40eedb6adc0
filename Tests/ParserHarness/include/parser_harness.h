/* SPDX-License-Identifier: Apache-2.0 */
/* The packet parser of bpf/lib, built natively, with what the fuzz target requires of it. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/*
 * Parses a frame in every way there is. The first byte chooses how many of the others are at hand. A read past the last
 * of those, or a broken promise, ends the process.
 */
void bulkhead_check_parser(const uint8_t *bytes, size_t count);
