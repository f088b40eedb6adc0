/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whose address is it? The source check for IP, ARP and IPv6 neighbour discovery. */
#ifndef BULKHEAD_NEIGHBOR_H
#define BULKHEAD_NEIGHBOR_H

#include "maps.h"
#include "parse.h"

enum {
	ND_ROUTER_ADVERTISEMENT = 134,
	ND_NEIGHBOR_SOLICITATION = 135,
	ND_NEIGHBOR_ADVERTISEMENT = 136,
	ND_REDIRECT = 137,
};

/* Ethernet fills a frame up to 60 bytes: 46 after its header. */
#define PADDED_BYTES 46

static __always_inline bool owns_address(const struct endpoint_entry *ep, const struct ip_address *address)
{
	struct endpoint_address_key key = { .endpoint = ep->endpoint };

	key.address = *address;
	return bpf_map_lookup_elem(&endpoint_address_map, &key) != 0;
}

static __always_inline bool is_link_local(const struct ip_address *a)
{
	return a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

static __always_inline bool is_unspecified(const struct ip_address *a)
{
	const __u64 *words = (const __u64 *)a->bytes;

	return !words[0] && (!words[1] || words[1] == 0xffff0000);
}

/* An ARP packet that an endpoint sends must speak for itself (or for nobody: a probe, RFC 5227). */
static __always_inline int check_arp(struct cursor *c, struct packet *p, const struct endpoint_entry *ep)
{
	__u8 *arp = bytes_at(c, p->l3_offset, 28);
	struct ip_address sender;

	if (!arp)
		return DROP_TRUNCATED;
	/* Other sizes would move the sender's address to where this check does not look. */
	if (load16(arp + 2) != ETHERTYPE_IPV4 || load16(arp + 4) != 0x0604)
		return DROP_ARP_SPOOFED;
	/* More is no filling but words. */
	if (c->length > p->l3_offset + PADDED_BYTES && !(ep->flags & ENDPOINT_NO_SOURCE_CHECK))
		return DROP_LINK_PAYLOAD;
	set_ipv4(&sender, *(__u32 *)(arp + 14));
	if (ep->flags & ENDPOINT_NO_SOURCE_CHECK || is_unspecified(&sender) || owns_address(ep, &sender))
		return DROP_NONE;
	p->key.local = sender;
	return DROP_ARP_SPOOFED;
}

/*
 * Does it end at the neighbours? A hop limit of 255 alone does not say so: the host would forward it. To an address
 * beyond the link goes only what resolution and reachability need: a target, a link-layer address, a nonce.
 */
static __always_inline bool stays_on_link(const struct packet *p)
{
	const struct ip_address *to = &p->key.remote;

	if (p->hop_limit == 1 || is_link_local(to) || (to->bytes[0] == 0xff && (to->bytes[1] & 15) == 2))
		return true;
	return (p->icmp_type == ND_NEIGHBOR_SOLICITATION || p->icmp_type == ND_NEIGHBOR_ADVERTISEMENT) &&
	       p->length <= 40 + 24 + 16;
}

/*
 * What an endpoint says to its neighbours: no routes, no redirects, no neighbour but itself (RFC 4861), no group
 * membership in another's name. Whose a link-local address is that the endpoint claims (`target`, or its source), the
 * caller must find out.
 */
static __always_inline int check_neighbor_discovery(struct cursor *c, struct packet *p, const struct endpoint_entry *ep,
						    struct ip_address *target)
{
	__u8 *at;

	if (ep->flags & (ENDPOINT_NO_SOURCE_CHECK | ENDPOINT_HOST))
		return DROP_NONE;
	if (p->key.protocol != PROTOCOL_ICMPV6)
		return is_unspecified(&p->key.local) || owns_address(ep, &p->key.local) ? DROP_NONE
											: DROP_SOURCE_ADDRESS;
	if (p->icmp_type == ND_ROUTER_ADVERTISEMENT || p->icmp_type == ND_REDIRECT)
		return DROP_NEIGHBOR_SPOOFED;
	if (p->icmp_type == ND_NEIGHBOR_ADVERTISEMENT) {
		at = bytes_at(c, p->l4_offset, 24);
		if (!at)
			return DROP_ICMP_MALFORMED;
		copy_address(target, at + 8);
		if (!is_link_local(target) && !owns_address(ep, target))
			return DROP_NEIGHBOR_SPOOFED;
	}
	if (is_unspecified(&p->key.local) || is_link_local(&p->key.local) || owns_address(ep, &p->key.local))
		return DROP_NONE;
	return DROP_NEIGHBOR_SPOOFED;
}

/* To more than one: by its IP address, or by the frame's, which alone tells a subnet's broadcast address. */
static __always_inline bool is_to_group(struct __sk_buff *skb, const struct ip_address *to, const struct packet *p,
					const struct endpoint_entry *ep)
{
	__u8 first = 0;

	if (p->family == 6 ? to->bytes[0] == 0xff : to->bytes[12] >> 4 == 14 || *(const __u32 *)(to->bytes + 12) == ~0u)
		return true;
	return !(ep->flags & ENDPOINT_NO_LINK_LAYER) && !bpf_skb_load_bytes(skb, 0, &first, 1) && first & 1;
}

static __always_inline bool is_dhcp_client(const struct packet *p)
{
	if (p->key.protocol != PROTOCOL_UDP)
		return false;
	if (p->family == 4)
		return is_unspecified(&p->key.local) && p->key.local_port == network16(68) &&
		       p->key.remote_port == network16(67);
	return is_link_local(&p->key.local) && p->key.local_port == network16(546) &&
	       p->key.remote_port == network16(547);
}

/* A server's offer goes to the address that it offers; with IPv6 to the client's address of the link. */
static __always_inline bool is_dhcp_offer(const struct packet *p)
{
	if (p->key.protocol != PROTOCOL_UDP)
		return false;
	if (p->family == 4)
		return p->key.local_port == network16(68) && p->key.remote_port == network16(67);
	return is_link_local(&p->key.local) && p->key.local_port == network16(546) &&
	       p->key.remote_port == network16(547);
}

/* Where the packet says it comes from must be the endpoint's own, but for a DHCP client that has no address yet. */
static __always_inline int check_source(const struct packet *p, const struct endpoint_entry *ep)
{
	if (ep->flags & ENDPOINT_NO_SOURCE_CHECK || owns_address(ep, &p->key.local))
		return DROP_NONE;
	return is_dhcp_client(p) ? DROP_NONE : DROP_SOURCE_ADDRESS;
}

#endif
