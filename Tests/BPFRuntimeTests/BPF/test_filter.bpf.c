/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Uses each kind of map and link that BPFRuntime wraps: drops packets whose first byte is in blocked_map. */
#include "test_types.h"

struct test_config {
	__u32 drop_everything;
	__u32 generation;
};

struct {
	__uint(type, MAP_ARRAY);
	__uint(map_flags, MAP_MMAPABLE);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct test_config);
} config_map SEC(".maps");

struct {
	__uint(type, MAP_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} blocked_map SEC(".maps");

struct {
	__uint(type, MAP_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} counters_map SEC(".maps");

struct {
	__uint(type, MAP_RINGBUF);
	__uint(max_entries, 4096);
} events_ringbuf SEC(".maps");

/* 24 bytes with the header: no divisor of the ring's size, so that records wrap. */
struct test_event {
	__u32 length;
	__u32 first_byte;
	__u32 pad;
	__u32 inverted_byte;
};

SEC("tc")
int test_filter(struct __sk_buff *skb)
{
	__u32 zero = 0, verdict = TC_OK, key;
	struct test_config *config = bpf_map_lookup_elem(&config_map, &zero);
	void *data = (void *)(long)skb->data;
	void *data_end = (void *)(long)skb->data_end;
	struct test_event *event;
	__u64 *counter;

	if (!config || data + 1 > data_end)
		return TC_SHOT;
	key = *(__u8 *)data;
	if (config->drop_everything || bpf_map_lookup_elem(&blocked_map, &key))
		verdict = TC_SHOT;
	skb->mark = config->generation;

	event = bpf_ringbuf_reserve(&events_ringbuf, sizeof(*event), 0);
	if (event) {
		event->length = skb->len;
		event->first_byte = key;
		event->pad = 0;
		event->inverted_byte = ~key;
		bpf_ringbuf_submit(event, 0);
	}
	key = verdict == TC_SHOT;
	counter = bpf_map_lookup_elem(&counters_map, &key);
	if (counter)
		*counter += 1;
	return verdict;
}

SEC("tc")
int test_pass(struct __sk_buff *skb)
{
	return TC_OK;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
