/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rewrite: give the packet the MAC addresses of its next hop and one hop less to live.
 *
 * The TTL or hop limit is decremented although only layer 2 changes: steer is a hop that routers
 * cannot see, and a frontend address routed back to it would otherwise circle at line rate.
 * A packet at its last hop goes to the host, which answers "time exceeded" where it forwards.
 */
#ifndef STEER_BPF_FORWARD_H
#define STEER_BPF_FORWARD_H

#include "maps.bpf.h"
#include "packet.bpf.h"

/* Add to the header checksum what the TTL lost. Source: RFC 1141 equation 3. */
static __always_inline void decrement_ttl4(struct iphdr *ip)
{
	__u32 sum = ip->check + bpf_htons(0x0100);

	ip->check = (__sum16)(sum + (sum >= 0xffff));
	ip->ttl--;
}

static __always_inline int decrement_ttl(enum family family, struct packet *pkt)
{
	if (family == IPV4) {
		if (pkt->ip4->ttl <= 1)
			return refuse(STEER_VERDICT_TTL_EXPIRED);
		decrement_ttl4(pkt->ip4);
	} else {
		if (pkt->ip6->hop_limit <= 1)
			return refuse(STEER_VERDICT_TTL_EXPIRED);
		pkt->ip6->hop_limit--;
	}
	return STEER_NEXT;
}

/* Both MAC addresses at once; the Ethernet header was bounded by parse_ethernet(). */
static __always_inline void rewrite_ethernet(struct packet *pkt, const struct steer_record *record)
{
	struct mac_words {
		__u64 dst_src;
		__u32 src;
	} __attribute__((packed, aligned(4)));
	struct mac_words *to = pkt->start;
	const struct mac_words *from = (const void *)record->mac_dst;

	to->dst_src = from->dst_src;
	to->src = from->src;
}

static __always_inline int rewrite(enum family family, struct packet *pkt,
				   const struct steer_record *record)
{
	int verdict;

	if (record->how != STEER_HOW(STEER_FORWARD_DSR, pkt->vlan))
		return refuse(STEER_HOW_FORWARD(record->how) == STEER_FORWARD_DSR
				      ? STEER_VERDICT_OTHER_VLAN
				      : STEER_VERDICT_BROKEN);
	verdict = decrement_ttl(family, pkt);
	if (verdict != STEER_NEXT)
		return verdict;
	rewrite_ethernet(pkt, record);
	return STEER_VERDICT_FORWARDED;
}

/* Does a packet that came by @ingress leave by @egress when it is sent back (XDP_TX)? */
static __always_inline int is_same_interface(__u32 ingress, __u32 egress)
{
	if (ingress == egress)
		return 1;
	for (int i = 0; i < STEER_MEMBERS && facts.member[i].member; i++)
		if (facts.member[i].member == ingress)
			return facts.member[i].master == egress;
	return 0;
}

static __always_inline int transmit(struct packet *pkt, const struct steer_record *record)
{
	if (is_same_interface(pkt->ctx->ingress_ifindex, record->ifindex))
		return XDP_TX;
	return (int)bpf_redirect(record->ifindex, 0);
}

#endif
