// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The packet path: one stage after the other, each in its own header.
 *
 *   parse_ethernet    VLAN tags, IPv4 or IPv6
 *   parse_network     where does the packet want to go?
 *   enter_generation  the one word, read once; everything behind it is immutable
 *   match_address     not one of ours: the end for most traffic of a host
 *   parse_transport   extension headers, TCP, UDP
 *   match_port        which service
 *   choose_backend    client key -> slot -> backend id, from a prepared table
 *   rewrite           new MAC addresses, one hop less
 *
 * Mechanism only: no stage knows of pools, shares, weights or health. No stage changes the
 * packet before every check has passed, so what is not forwarded leaves as it came.
 */
#include "backend.bpf.h"
#include "count.bpf.h"
#include "forward.bpf.h"
#include "frontend.bpf.h"
#include "maps.bpf.h"
#include "packet.bpf.h"
#include "parse.bpf.h"
#include "timer.bpf.h"

#define STAGE(call)                                                                                \
	do {                                                                                       \
		int stage_verdict = (call);                                                        \
		if (stage_verdict != STEER_NEXT)                                                   \
			return stage_verdict;                                                      \
	} while (0)

/* Returns a verdict; FORWARDED sets @ret_record. */
static __always_inline int steer_ip(enum family family, struct packet *pkt,
				    const struct steer_record **ret_record)
{
	const struct steer_record *record;

	STAGE(parse_network(family, pkt));
	STAGE(enter_generation(pkt));
	STAGE(match_address(family, pkt));
	STAGE(parse_transport(family, pkt));
	STAGE(match_port(pkt));
	STAGE(choose_backend(family, pkt));
	record = find_record(pkt);
	if (!record)
		return refuse(STEER_VERDICT_BROKEN);
	*ret_record = record;
	return rewrite(family, pkt, record);
}

static __always_inline int steer_packet(struct packet *pkt, const struct steer_record **ret_record)
{
	__be16 ether_type = parse_ethernet(pkt);

	if (ether_type == bpf_htons(ETH_P_IP))
		return facts.ipv4 ? steer_ip(IPV4, pkt, ret_record) : STEER_VERDICT_NOT_OURS;
	if (ether_type == bpf_htons(ETH_P_IPV6))
		return facts.ipv6 ? steer_ip(IPV6, pkt, ret_record) : STEER_VERDICT_NOT_OURS;
	return STEER_VERDICT_NOT_IP;
}

/* What the interface is to do with a packet that was not forwarded. */
static __always_inline int action_of(int verdict)
{
	switch (verdict) {
#define STEER_VERDICT_ACTION(name, action, help)                                                   \
	case STEER_VERDICT_##name:                                                                 \
		return action;
		STEER_VERDICTS(STEER_VERDICT_ACTION)
#undef STEER_VERDICT_ACTION
	}
	return XDP_ABORTED;
}

SEC("xdp")
int steer(struct xdp_md *ctx)
{
	struct packet pkt = {
		.ctx = ctx,
		.start = (void *)(long)ctx->data,
		.cursor = (void *)(long)ctx->data,
		.end = (void *)(long)ctx->data_end,
	};
	const struct steer_record *record = NULL;
	int verdict = steer_packet(&pkt, &record);

	if (verdict != STEER_VERDICT_FORWARDED || !record) {
		count_verdict(&pkt, verdict);
		return action_of(verdict);
	}
	count_forwarded(&pkt);
	return transmit(&pkt, record);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
