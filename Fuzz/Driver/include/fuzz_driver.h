/* SPDX-License-Identifier: Apache-2.0 */
/* The package manager renames the main function of an executable; these are the names that it expects. */
#ifndef BULKHEAD_FUZZ_DRIVER_H
#define BULKHEAD_FUZZ_DRIVER_H

int fuzz_event_decoder_main(int count, char **arguments);
int fuzz_policy_reader_main(int count, char **arguments);
int fuzz_firewall_import_main(int count, char **arguments);
int fuzz_feed_reader_main(int count, char **arguments);
int fuzz_capture_reader_main(int count, char **arguments);
int fuzz_store_values_main(int count, char **arguments);
int fuzz_kubernetes_reader_main(int count, char **arguments);

#endif
