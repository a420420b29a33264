/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * slot and backend: client key -> slot -> backend id -> record, all decided beforehand.
 */
#ifndef STEER_BPF_BACKEND_H
#define STEER_BPF_BACKEND_H

#include "maps.bpf.h"
#include "packet.bpf.h"

static __always_inline __u32 slot_of_ipv4(const struct packet *pkt,
					  const struct steer_service *service)
{
	__be32 mask = facts.one_prefix ? facts.client_mask4 : service->client_mask4;

	return steer_slot4(pkt->bank->hash_key, pkt->ip4->saddr & mask);
}

static __always_inline __u32 slot_of_ipv6(const struct packet *pkt,
					  const struct steer_service *service)
{
	__be64 mask_high, mask_low, high, low;

	mask_high = facts.one_prefix ? facts.client_mask6[0] : service->client_mask6[0];
	mask_low = facts.one_prefix ? facts.client_mask6[1] : service->client_mask6[1];
	high = *(__be64 *)&pkt->ip6->saddr.in6_u.u6_addr32[0] & mask_high;
	low = *(__be64 *)&pkt->ip6->saddr.in6_u.u6_addr32[2] & mask_low;
	return steer_slot6(pkt->bank->hash_key, high, low, mask_low != 0);
}

/* Choose the backend's id by the service's table of now. */
static __always_inline int choose_backend(enum family family, struct packet *pkt)
{
	const struct steer_service *service =
		&pkt->bank->service[pkt->service & (STEER_SERVICES - 1)];
	const struct steer_table *table = object(&table_objects, &service->now);
	__u32 slot;

	if (!table)
		return STEER_VERDICT_BROKEN;
	slot = family == IPV4 ? slot_of_ipv4(pkt, service) : slot_of_ipv6(pkt, service);
	pkt->backend = table->backend[slot & (STEER_SLOTS - 1)];
	return pkt->backend ? STEER_NEXT : STEER_VERDICT_NO_BACKEND;
}

/* Record of the chosen backend in this generation, or NULL. */
static __always_inline const struct steer_record *find_record(const struct packet *pkt)
{
	const __u32 *number =
		&pkt->bank->page[pkt->backend / STEER_PAGE_RECORDS & (STEER_PAGES - 1)];
	const struct steer_page *page = object(&page_objects, number);

	return page ? &page->record[pkt->backend & (STEER_PAGE_RECORDS - 1)] : NULL;
}

#endif
