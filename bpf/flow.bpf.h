/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow: who gets a packet of a touched slot. Never run for others, so that the steady path costs
 * one comparison.
 *
 *   birth (SYN, QUIC Initial) without a record   now; recorded if that is not the origin
 *   any packet of a recorded flow                its record
 *   anything else                                the slot's origin
 *
 * What cannot be recorded (bucket full, budget spent) goes to the origin: a flood delays a change
 * for newcomers and breaks no connection. FIN and RST never delete a record, since anybody can
 * forge one and with direct server return half of them pass elsewhere.
 */
#ifndef STEER_BPF_FLOW_H
#define STEER_BPF_FLOW_H

#include "maps.bpf.h"
#include "packet.bpf.h"
#include "steer/flow.h"

enum flow_event {
	FLOW_BIRTH,
	FLOW_MORE,
	FLOW_END,
};

#define TRIES 2 /* for a free word that another CPU takes first */

#define compare_and_swap(place, expected, value) __sync_val_compare_and_swap(place, expected, value)

/* Packed so that the choice below is a function of four numbers, out of the steady path. */
#define FLOW_CHOICE(event, now, origin)                                                            \
	((__u64)(event) << 32 | (__u64)(now) << 16 | (__u64)(origin))
#define CHOICE_EVENT(choice)  ((enum flow_event)((choice) >> 32))
#define CHOICE_NOW(choice)    ((__u32)(choice) >> 16)
#define CHOICE_ORIGIN(choice) ((__u32)(choice)&0xffff)

static __always_inline struct steer_flow_counters *flow_counts(void)
{
	__u32 first = 0;

	return bpf_map_lookup_elem(&flow_counters, &first);
}

static __always_inline struct steer_bucket *bucket_of(__u64 hash, __u32 which)
{
	__u32 number = steer_flow_bucket(hash, which, facts.buckets);

	return bpf_map_lookup_elem(&flows, &number);
}

/* The flow's record among a bucket's words; its value then in @ret_flow. */
static __always_inline __u64 *find_record_in(struct steer_bucket *bucket, __u64 tag,
					     __u64 *ret_flow)
{
#pragma unroll
	for (int i = 0; i < STEER_BUCKET_FLOWS; i++) {
		__u64 flow = *(volatile __u64 *)&bucket->flow[i];

		if (STEER_FLOW_TAG(flow) == tag) {
			*ret_flow = flow;
			return &bucket->flow[i];
		}
	}
	return NULL;
}

/* What a packet makes of its record. */
static __always_inline __u64 heard_of(__u64 flow, enum flow_event event)
{
	__u64 tag = STEER_FLOW_TAG(flow);
	__u32 backend = STEER_FLOW_BACKEND(flow);

	if (event == FLOW_BIRTH)
		return flow; /* sent again */
	if (event == FLOW_END)
		return STEER_FLOW(tag, backend, STEER_FLOW_CLOSING, control.epoch);
	if (STEER_FLOW_STATE(flow) == STEER_FLOW_CLOSING)
		return STEER_FLOW(tag, backend, STEER_FLOW_REVIVING, control.epoch);
	return STEER_FLOW(tag, backend, STEER_FLOW_CONFIRMED, control.age);
}

/* Returns the backend of a recorded flow. */
static __always_inline __u32 follow(__u64 *place, __u64 flow, __u64 choice,
				    struct steer_flow_counters *counters)
{
	enum flow_event event = CHOICE_EVENT(choice);
	__u64 next = heard_of(flow, event);

	if (event == FLOW_BIRTH && (STEER_FLOW_STATE(flow) >= STEER_FLOW_CLOSING ||
				    steer_flow_is_over(flow, control.epoch, control.age))) {
		/* The four-tuple is used again: a new flow, which needs no record at its origin. */
		next = CHOICE_NOW(choice) == CHOICE_ORIGIN(choice)
			       ? 0
			       : STEER_FLOW(STEER_FLOW_TAG(flow), CHOICE_NOW(choice),
					    STEER_FLOW_BORN, control.epoch);
		if (compare_and_swap(place, flow, next) == flow) {
			counters->births++;
			return CHOICE_NOW(choice);
		}
	} else if (next != flow) {
		/* Lost to another CPU: that packet's word is as true as this one's. */
		(void)compare_and_swap(place, flow, next);
	}
	counters->hits++;
	return STEER_FLOW_BACKEND(flow);
}

static __always_inline __u64 *find_room_in(struct steer_bucket *bucket, __u64 *ret_flow)
{
	__u32 epoch = control.epoch, age = control.age;

#pragma unroll
	for (int i = 0; i < STEER_BUCKET_FLOWS; i++) {
		__u64 flow = *(volatile __u64 *)&bucket->flow[i];

		if (!flow || steer_flow_is_over(flow, epoch, age)) {
			*ret_flow = flow;
			return &bucket->flow[i];
		}
	}
	return NULL;
}

static __always_inline bool is_within_budget(struct steer_flow_counters *counters)
{
	if (counters->budget_epoch != control.epoch) {
		counters->budget_epoch = control.epoch;
		counters->budget_births = 0;
	}
	return counters->budget_births < control.births;
}

/* Record a newborn flow of @now. False when there is no room. */
static __always_inline bool record_birth(struct steer_bucket *first, struct steer_bucket *second,
					 __u64 tag, __u32 now)
{
	__u64 newborn = STEER_FLOW(tag, now, STEER_FLOW_BORN, control.epoch);
	__u64 *place, flow = 0;

	for (int i = 0; i < TRIES; i++) {
		place = find_room_in(i ? second : first, &flow);
		if (place && compare_and_swap(place, flow, newborn) == flow)
			return true;
	}
	return false;
}

/* Not static: the verifier proves it once, by itself, and not for every way that leads to it. */
__noinline __u32 choose_of_touched(__u64 hash, __u64 choice)
{
	struct steer_flow_counters *counters = flow_counts();
	struct steer_bucket *first = bucket_of(hash, 0);
	struct steer_bucket *second = bucket_of(hash, 1);
	__u64 tag = steer_flow_tag(hash), flow = 0, *place;

	if (!first || !second || !counters)
		return CHOICE_ORIGIN(choice);
	place = find_record_in(first, tag, &flow);
	if (place)
		return follow(place, flow, choice, counters);
	place = find_record_in(second, tag, &flow);
	if (place)
		return follow(place, flow, choice, counters);
	if (CHOICE_EVENT(choice) != FLOW_BIRTH || CHOICE_NOW(choice) == CHOICE_ORIGIN(choice)) {
		counters->origin++;
		return CHOICE_ORIGIN(choice);
	}
	if (!is_within_budget(counters)) {
		counters->over_budget++;
		return CHOICE_ORIGIN(choice);
	}
	if (!record_birth(first, second, tag, CHOICE_NOW(choice))) {
		counters->full++;
		return CHOICE_ORIGIN(choice);
	}
	counters->births++;
	counters->budget_births++;
	return CHOICE_NOW(choice);
}

/*
 * RFC 9000 section 17.2.2: long header, fixed bit, type Initial; version 2 (RFC 9369) numbers
 * that type 1.
 */
static __always_inline bool is_quic_initial(const struct packet *pkt, const __u8 *payload)
{
	if ((void *)payload + 1 > pkt->end)
		return false;
	return (payload[0] & 0xf0) == 0xc0 || (payload[0] & 0xf0) == 0xd0;
}

/* parse_transport() has checked the lengths; the verifier has lost sight of it by now. */
static __always_inline enum flow_event event_of(const struct packet *pkt, __be16 *ret_from_port)
{
	const struct tcphdr *tcp = pkt->transport;
	const struct udphdr *udp = pkt->transport;

	*ret_from_port = 0;
	if ((void *)(udp + 1) > pkt->end)
		return FLOW_MORE;
	*ret_from_port = udp->source;
	if (pkt->protocol != IPPROTO_TCP)
		return is_quic_initial(pkt, (void *)(udp + 1)) ? FLOW_BIRTH : FLOW_MORE;
	if ((void *)(tcp + 1) > pkt->end)
		return FLOW_MORE;
	if (pkt->is_connection)
		return FLOW_BIRTH;
	return tcp->fin || tcp->rst ? FLOW_END : FLOW_MORE;
}

/* Backend of a packet in a slot that is touched. */
static __always_inline __u32 choose_flow(enum family family, const struct packet *pkt, __u32 era,
					 __u32 now, __u32 origin)
{
	__be16 from_port;
	enum flow_event event = event_of(pkt, &from_port);
	__u64 tail = steer_flow_tail(from_port, pkt->port, pkt->protocol, (__u8)pkt->service);
	const __u64 key[2] = {control.hash_key[0], control.hash_key[1]};
	__u64 hash;

	if (family == IPV4) {
		hash = steer_flow4(key, era, pkt->ip4->saddr, pkt->ip4->daddr, tail);
	} else {
		__be64 from[2], to[2];

		__builtin_memcpy(from, &pkt->ip6->saddr, sizeof(from));
		__builtin_memcpy(to, &pkt->ip6->daddr, sizeof(to));
		hash = steer_flow6(key, era, from, to, tail);
	}
	return choose_of_touched(hash, FLOW_CHOICE(event, now, origin));
}

#endif
