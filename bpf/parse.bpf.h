/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * parse: find the network and transport headers and check their lengths against the packet.
 *
 * A packet that contradicts itself is left to the host, which refuses and counts it as well;
 * nothing is changed before all checks have passed.
 */
#ifndef STEER_BPF_PARSE_H
#define STEER_BPF_PARSE_H

#include "extensions.bpf.h"
#include "maps.bpf.h"
#include "packet.bpf.h"

#define VLAN_TAGS      2 /* 802.1ad outside, 802.1Q inside */
#define VLAN_ID_MASK   0x0fff
#define FRAGMENT4_MASK 0x3fff /* more fragments, or an offset: RFC 791 section 3.1 */

/* As in linux/if_ether.h, but not packed: the type is read as one word, not byte by byte. */
struct ethernet {
	__u16 dst[3];
	__u16 src[3];
	__be16 ether_type;
};

struct vlan_tag {
	__be16 tci;
	__be16 ether_type;
};

/* Find the network header's type, 0 if cut short; leaves the cursor behind the last tag. */
static __always_inline __be16 parse_ethernet(struct packet *pkt)
{
	struct ethernet *eth = pkt->cursor;
	struct vlan_tag *tag;
	__be16 ether_type;

	if (!take_header(pkt, sizeof(*eth)))
		return 0;
	ether_type = eth->ether_type;
	for (int i = 0; i < VLAN_TAGS; i++) {
		if (ether_type != bpf_htons(ETH_P_8021Q) && ether_type != bpf_htons(ETH_P_8021AD))
			break;
		tag = pkt->cursor;
		if (!take_header(pkt, sizeof(*tag)))
			return 0;
		if (i == 0)
			pkt->vlan = bpf_ntohs(tag->tci) & VLAN_ID_MASK;
		ether_type = tag->ether_type;
	}
	return ether_type;
}

/* Reach the destination address: all the parsing that a packet which is not ours costs. */
static __always_inline int parse_network(enum family family, struct packet *pkt)
{
	bool fits;

	if (family == IPV4) {
		pkt->ip4 = pkt->cursor;
		fits = take_header(pkt, sizeof(*pkt->ip4));
	} else {
		pkt->ip6 = pkt->cursor;
		fits = take_header(pkt, sizeof(*pkt->ip6));
	}
	return fits ? STEER_NEXT : refuse(STEER_VERDICT_MALFORMED);
}

/* Move the cursor to the IPv4 payload; @ret_rest: its bytes. */
static __always_inline int parse_ipv4_payload(struct packet *pkt, int *ret_rest)
{
	struct iphdr *ip = pkt->ip4;
	__u32 header_bytes = ip->ihl * 4;
	__u32 total_bytes = bpf_ntohs(ip->tot_len);

	if (ip->version != 4 || header_bytes < sizeof(*ip) || total_bytes < header_bytes)
		return refuse(STEER_VERDICT_MALFORMED);
	if ((void *)ip + total_bytes > pkt->end)
		return refuse(STEER_VERDICT_MALFORMED);
	if (ip->frag_off & bpf_htons(FRAGMENT4_MASK))
		return refuse(STEER_VERDICT_FRAGMENT);
	pkt->cursor = (void *)ip + header_bytes;
	pkt->protocol = ip->protocol;
	*ret_rest = (int)(total_bytes - header_bytes);
	return STEER_NEXT;
}

/*
 * Move the cursor behind the extension headers that may stand before TCP or UDP; @ret_rest: bytes
 * of the packet from there, negative where they lead beyond it.
 */
static __always_inline int parse_ipv6_payload(struct packet *pkt, int *ret_rest)
{
	struct ipv6hdr *ip = pkt->ip6;
	int rest = bpf_ntohs(ip->payload_len);
	__u32 first = pkt->cursor - pkt->start, walk;

	if (ip->version != 6)
		return refuse(STEER_VERDICT_MALFORMED);
	if ((void *)(ip + 1) + rest > pkt->end)
		return refuse(STEER_VERDICT_MALFORMED);
	pkt->protocol = ip->nexthdr;
	if (is_extension(pkt->protocol)) {
		walk = walk_extensions(pkt->ctx, first, pkt->protocol);
		if (WALK_IS_OVER(walk))
			return refuse(WALK_VERDICT(walk));
		pkt->protocol = WALK_NEXT(walk);
		pkt->cursor = pkt->start + WALK_OFFSET(walk);
		rest -= (int)(WALK_OFFSET(walk) - first);
	}
	if (pkt->protocol == IPPROTO_FRAGMENT)
		return refuse(STEER_VERDICT_FRAGMENT);
	*ret_rest = rest;
	return STEER_NEXT;
}

/* @rest: bytes that belong to the packet; what follows them in the frame is padding. */
static __always_inline int parse_tcp(struct packet *pkt, int rest)
{
	struct tcphdr *tcp = pkt->cursor;

	pkt->transport = tcp;
	if (!take_header(pkt, sizeof(*tcp)) || tcp->doff * 4 < (int)sizeof(*tcp) ||
	    tcp->doff * 4 > rest)
		return refuse(STEER_VERDICT_MALFORMED);
	pkt->port = tcp->dest;
	pkt->is_connection = tcp->syn && !tcp->ack;
	return STEER_NEXT;
}

static __always_inline int parse_udp(struct packet *pkt, int rest)
{
	struct udphdr *udp = pkt->cursor;

	pkt->transport = udp;
	if (!take_header(pkt, sizeof(*udp)) || rest < (int)sizeof(*udp))
		return refuse(STEER_VERDICT_MALFORMED);
	pkt->port = udp->dest;
	return STEER_NEXT;
}

/* Reach protocol and destination port of a packet for one of our addresses. */
static __always_inline int parse_transport(enum family family, struct packet *pkt)
{
	int rest = 0;
	int verdict =
		family == IPV4 ? parse_ipv4_payload(pkt, &rest) : parse_ipv6_payload(pkt, &rest);

	if (verdict != STEER_NEXT)
		return verdict;
	if (pkt->protocol == IPPROTO_TCP)
		return parse_tcp(pkt, rest);
	if (pkt->protocol == IPPROTO_UDP && facts.udp)
		return parse_udp(pkt, rest);
	return refuse(STEER_VERDICT_NO_FRONTEND);
}

#endif
