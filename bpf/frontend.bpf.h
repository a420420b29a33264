/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * frontend: which service, if any, does the destination belong to?
 *
 * Two stages, each one perfect-hash probe into array memory: first the address, where traffic
 * that is not ours ends, then protocol and port. An exact port wins over port 0 (any).
 */
#ifndef STEER_BPF_FRONTEND_H
#define STEER_BPF_FRONTEND_H

#include "maps.bpf.h"
#include "packet.bpf.h"

/*
 * Find the generation: the only read of the word for this packet. Bank 0 is never filled, so that
 * "none installed" needs no check of its own.
 */
static __always_inline int enter_generation(struct packet *pkt)
{
	__u32 number = STEER_WORD_BANK(*(volatile __u64 *)&control.word) % STEER_BANKS;

	pkt->bank = &control.bank[number];
	keep(pkt->bank);
	pkt->frontends = object(&frontends_objects, &pkt->bank->frontends);
	if (pkt->frontends)
		return STEER_NEXT;
	return refuse(pkt->bank->frontends ? STEER_VERDICT_BROKEN : STEER_VERDICT_NO_GENERATION);
}

static __always_inline int match_address(enum family family, struct packet *pkt)
{
	const struct steer_frontends *fe = pkt->frontends;
	const struct steer_address *address;
	__be64 high, low;

	if (family == IPV4) {
		pkt->mixed = steer_mix4(pkt->bank->address_seed, pkt->ip4->daddr);
	} else {
		high = *(__be64 *)&pkt->ip6->daddr.in6_u.u6_addr32[0];
		low = *(__be64 *)&pkt->ip6->daddr.in6_u.u6_addr32[2];
		pkt->mixed = steer_mix6(pkt->bank->address_seed, high, low);
	}
	pkt->address = steer_cell(pkt->mixed, fe->address_displace[steer_bucket(pkt->mixed)]);
	address = &fe->address[pkt->address];
	if (family == IPV4 ? address->ipv4 != pkt->ip4->daddr
			   : address->ipv6[1] != low || address->ipv6[0] != high)
		return refuse(STEER_VERDICT_NOT_OURS);
	return STEER_NEXT;
}

static __always_inline int match_port(struct packet *pkt)
{
	const struct steer_frontends *fe = pkt->frontends;
	const struct steer_address *address = &fe->address[pkt->address];
	__u32 port = steer_port(pkt->protocol, pkt->port);
	__u64 key = steer_port_key(pkt->address, port);
	__u64 mixed = steer_mix_port(pkt->bank->port_seed, pkt->mixed, port);
	__u64 cell = fe->port[steer_cell(mixed, fe->port_displace[steer_bucket(mixed)])];

	if (STEER_PORT_KEY(cell) == key)
		pkt->service = STEER_PORT_SERVICE(cell);
	else
		pkt->service = pkt->protocol == IPPROTO_TCP ? address->any_tcp : address->any_udp;
	return pkt->service < STEER_SERVICES ? STEER_NEXT : refuse(STEER_VERDICT_NO_FRONTEND);
}

#endif
