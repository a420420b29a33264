/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * slot and backend: client key -> slot -> backend id -> record, all decided beforehand.
 */
#ifndef STEER_BPF_BACKEND_H
#define STEER_BPF_BACKEND_H

#include "flow.bpf.h"
#include "maps.bpf.h"
#include "packet.bpf.h"

static __always_inline __u32 slot_of_ipv4(const struct packet *pkt)
{
	__u32 prefix = pkt->bank->prefix4[pkt->service] & STEER_PREFIX4;
	__be32 mask = facts.one_prefix ? facts.client_mask4 : steer_mask(prefix, 0);

	return steer_slot4(control.slot_hash, pkt->ip4->saddr & mask);
}

static __always_inline __u32 slot_of_ipv6(const struct packet *pkt)
{
	__u32 prefix = pkt->bank->prefix6[pkt->service];
	int wide = facts.one_prefix ? facts.client_mask6[2] != 0 : prefix > 64;
	__be32 client[4];

	for (int i = 0; i < 4; i++)
		client[i] = pkt->ip6->saddr.in6_u.u6_addr32[i] &
			    (facts.one_prefix ? facts.client_mask6[i] : steer_mask(prefix, i));
	return steer_slot6(control.slot_hash, client, wide);
}

/* A transition of the service is open: correct the choice where the slot is touched. */
static __always_inline void choose_in_transition(enum family family, struct packet *pkt, __u32 slot)
{
	const struct steer_table *origins =
		object(&table_objects, &pkt->bank->origin[pkt->service]);

	if (!origins || !origins->backend[slot])
		return;
	if (pkt->protocol != IPPROTO_TCP && !(pkt->bank->prefix4[pkt->service] & STEER_UDP_FLOW))
		return;
	pkt->backend = choose_flow(family, pkt, origins->era, pkt->backend, origins->backend[slot]);
}

/* Choose the backend's id by the service's tables. */
static __always_inline int choose_backend(enum family family, struct packet *pkt)
{
	__u32 slot = family == IPV4 ? slot_of_ipv4(pkt) : slot_of_ipv6(pkt);
	const struct steer_table *table;

	keep(slot);
	table = object(&table_objects, &pkt->bank->now[pkt->service]);
	if (!table)
		return refuse(STEER_VERDICT_BROKEN);
	pkt->backend = table->backend[slot];
	if (pkt->bank->origin[pkt->service])
		choose_in_transition(family, pkt, slot);
	return pkt->backend ? STEER_NEXT : refuse(STEER_VERDICT_NO_BACKEND);
}

/* Record of the chosen backend in this generation, or NULL. */
static __always_inline const struct steer_record *find_record(const struct packet *pkt)
{
	__u32 page_number = page_of(pkt->backend);
	const struct steer_page *page = object(&page_objects, &pkt->bank->page[page_number]);
	const struct steer_record *record;

	if (!page)
		return NULL;
	record = &page->record[pkt->backend % STEER_PAGE_RECORDS];
	keep(record);
	return record;
}

#endif
