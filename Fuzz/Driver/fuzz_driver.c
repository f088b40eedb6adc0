/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz_driver.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerRunDriver(int *count, char ***arguments, int (*body)(const uint8_t *data, size_t size));

int fuzz_event_decoder_main(int count, char **arguments)
{
	return LLVMFuzzerRunDriver(&count, &arguments, LLVMFuzzerTestOneInput);
}

int fuzz_policy_reader_main(int count, char **arguments)
{
	return LLVMFuzzerRunDriver(&count, &arguments, LLVMFuzzerTestOneInput);
}

int fuzz_firewall_import_main(int count, char **arguments)
{
	return LLVMFuzzerRunDriver(&count, &arguments, LLVMFuzzerTestOneInput);
}

int fuzz_feed_reader_main(int count, char **arguments)
{
	return LLVMFuzzerRunDriver(&count, &arguments, LLVMFuzzerTestOneInput);
}

int fuzz_capture_reader_main(int count, char **arguments)
{
	return LLVMFuzzerRunDriver(&count, &arguments, LLVMFuzzerTestOneInput);
}

int fuzz_store_values_main(int count, char **arguments)
{
	return LLVMFuzzerRunDriver(&count, &arguments, LLVMFuzzerTestOneInput);
}

int fuzz_kubernetes_reader_main(int count, char **arguments)
{
	return LLVMFuzzerRunDriver(&count, &arguments, LLVMFuzzerTestOneInput);
}
