/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * slot and backend: client key -> slot -> backend id -> record, all decided beforehand.
 */
#ifndef STEER_BPF_BACKEND_H
#define STEER_BPF_BACKEND_H

#include "maps.bpf.h"
#include "packet.bpf.h"

static __always_inline __u32 slot_of_ipv4(const struct packet *pkt)
{
	__be32 mask = facts.one_prefix ? facts.client_mask4
				       : steer_mask(pkt->bank->prefix4[pkt->service], 0);

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

/* Choose the backend's id by the service's table of now. */
static __always_inline int choose_backend(enum family family, struct packet *pkt)
{
	__u32 slot = family == IPV4 ? slot_of_ipv4(pkt) : slot_of_ipv6(pkt);
	const struct steer_table *table;

	keep(slot);
	table = object(&table_objects, &pkt->bank->now[pkt->service]);
	if (!table)
		return refuse(STEER_VERDICT_BROKEN);
	pkt->backend = table->backend[slot];
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
