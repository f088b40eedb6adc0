/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Endpoints and their policy subjects. A subject is a label set; every endpoint with the same labels shares one. */
#ifndef BULKHEAD_ABI_ENDPOINT_H
#define BULKHEAD_ABI_ENDPOINT_H

#include "abi_types.h"
#include "datapath_config.h"

#define ENDPOINT_TABLE_SIZE 65536 /* direct-mapped by ifindex; a second interface in the same slot goes to the hash */
#define SUBJECT_COUNT_MAX 4096    /* distinct label sets of local endpoints, per bank; a power of two */
/*
 * The tiers of policies that select a subject are judged one after the other, each with a record and entries of its own:
 * tier n of subject s is slot n * SUBJECT_COUNT_MAX + s, here and in policy keys. Tier 0 (the default tier) has the
 * endpoint's own slot, so nothing of it moves when another tier comes or goes.
 */
#define SUBJECT_TIER_COUNT 8
#define SUBJECT_SLOT_COUNT (SUBJECT_COUNT_MAX * SUBJECT_TIER_COUNT)

enum {
	ENDPOINT_AUDIT = 1 << 0,
	ENDPOINT_HOST = 1 << 1,           /* the host itself: failsafe ports apply, forwarded traffic is not judged */
	ENDPOINT_NO_SOURCE_CHECK = 1 << 2, /* routers and VMs that forward: named by the user in the workloads file */
	ENDPOINT_NO_LINK_LAYER = 1 << 3,  /* packets start at the IP header (tun) */
};

struct endpoint_entry {
	__u32 ifindex;                    /* 0: slot unused */
	__u32 subject;                    /* slot in subject_map */
	__u32 identity;
	__u16 endpoint;                   /* number of the endpoint on this host, from 1 */
	__u16 flags;                      /* ENDPOINT_* */
};
_Static_assert(sizeof(struct endpoint_entry) == 16, "endpoint_entry");

/* Membership means: this endpoint may use this address as its own. */
struct endpoint_address_key {
	struct ip_address address;
	__u32 endpoint;
};
_Static_assert(sizeof(struct endpoint_address_key) == 20, "endpoint_address_key");

enum {
	SUBJECT_PEER = 0,                 /* index of probe_mask: entries that name a peer identity */
	SUBJECT_ANY = 1,                  /* entries for any peer */
};

/* Bit n (0..16) of a probe mask: entries with an n-bit port prefix and a protocol exist; bit 17: entries for all protocols. */
#define PROBE_ALL_PROTOCOLS 17
/*
 * A further bit, of egress only. With SUBJECT_PEER: this tier has entries that name a name; with SUBJECT_ANY, of tier 0: one of
 * the subject's tiers has.
 */
#define PROBE_NAMES 18

/* subject_map[bank * SUBJECT_SLOT_COUNT + slot]. */
struct subject_entry {
	__u32 epoch;                      /* of tier 0: differs from every earlier one whenever a verdict of any tier may differ */
	__u8 default_deny[DIRECTION_COUNT];     /* by the policies that are enforced */
	__u8 default_deny_all[DIRECTION_COUNT]; /* by all policies, audit-mode ones included */
	__u32 probe_mask[DIRECTION_COUNT][2];
	__u16 default_deny_rule[DIRECTION_COUNT]; /* rule slot that stands for "no rule allowed it" */
	__u32 chain;                      /* of tier 0: tiers to ask, 4 bits each, lowest first, number + 1; 0: tier 0 alone */
};
_Static_assert(sizeof(struct subject_entry) == 32, "subject_entry");

/* Host endpoints: ports that stay open whatever the policy says. */
struct failsafe_key {
	__u16 port;                       /* network order; the local port for ingress, the remote one for egress */
	__u8 protocol;
	__u8 direction;
};
_Static_assert(sizeof(struct failsafe_key) == 4, "failsafe_key");

#endif
