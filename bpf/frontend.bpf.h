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

#define IPV4_MAPPED ((__be64)bpf_htonl(0xffff)) /* ::ffff:0:0/96, RFC 4291 section 2.5.5.2 */

/*
 * Find the generation: the only read of the word for this packet. Bank 0 is never filled, so
 * that "none installed" needs no second read.
 */
static __always_inline int enter_generation(struct packet *pkt)
{
	pkt->bank = object(&bank_objects, (const __u32 *)&control.word);
	if (!pkt->bank)
		return STEER_VERDICT_NO_GENERATION;
	pkt->frontends = object(&frontends_objects, &pkt->bank->frontends);
	return pkt->frontends ? STEER_NEXT : STEER_VERDICT_BROKEN;
}

static __always_inline int match_address(enum family family, struct packet *pkt)
{
	const struct steer_frontends *fe = pkt->frontends;
	const struct steer_address *address;
	__be64 high, low;
	__u64 mixed;

	if (family == IPV4) {
		high = 0;
		low = IPV4_MAPPED | (__be64)pkt->ip4->daddr << 32;
	} else {
		high = *(__be64 *)&pkt->ip6->daddr.in6_u.u6_addr32[0];
		low = *(__be64 *)&pkt->ip6->daddr.in6_u.u6_addr32[2];
	}
	mixed = steer_mix(fe->address_seed, high, low);
	pkt->address = steer_cell(mixed, fe->address_displace[steer_bucket(mixed)]);
	address = &fe->address[pkt->address];
	if (address->addr[1] != low || address->addr[0] != high || !address->used)
		return STEER_VERDICT_NOT_OURS;
	return STEER_NEXT;
}

static __always_inline int match_port(struct packet *pkt)
{
	const struct steer_frontends *fe = pkt->frontends;
	const struct steer_address *address = &fe->address[pkt->address & (STEER_CELLS - 1)];
	const struct steer_port *port;
	__u64 mixed =
		steer_mix(fe->port_seed, 0, steer_port_key(pkt->address, pkt->protocol, pkt->port));

	port = &fe->port[steer_cell(mixed, fe->port_displace[steer_bucket(mixed)])];
	if (port->port == pkt->port && port->protocol == pkt->protocol &&
	    port->address == pkt->address)
		pkt->service = port->service;
	else
		pkt->service = pkt->protocol == IPPROTO_TCP ? address->any_tcp : address->any_udp;
	return pkt->service < STEER_SERVICES ? STEER_NEXT : STEER_VERDICT_NO_FRONTEND;
}

#endif
