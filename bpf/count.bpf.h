/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * count: one counter per packet. What was forwarded counts for its backend, everything else for
 * its verdict; user space adds the backends up to services, pools and the verdict FORWARDED.
 */
#ifndef STEER_BPF_COUNT_H
#define STEER_BPF_COUNT_H

#include "maps.bpf.h"
#include "packet.bpf.h"

static __always_inline void add(struct steer_counter *counter, const struct packet *pkt)
{
	if (!counter)
		return;
	counter->packets++;
	counter->bytes += pkt->end - pkt->start;
	if (pkt->is_connection)
		counter->connections++;
}

static __always_inline void count_verdict(const struct packet *pkt, __u32 verdict)
{
	add(bpf_map_lookup_elem(&verdict_counters, &verdict), pkt);
}

static __always_inline void count_forwarded(const struct packet *pkt)
{
	__u32 page_number = page_of(pkt->backend);
	__u32 in_page = pkt->backend & (STEER_PAGE_RECORDS - 1);
	void *page = bpf_map_lookup_elem(&backend_counters, &page_number);

	if (page)
		add(bpf_map_lookup_elem(page, &in_page), pkt);
}

#endif
