/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Flow -> buckets and tag: one source for the XDP program and user space.
 *
 * A flow is hashed with SipHash-1-3 under the instance's secret key, so that nobody can fill a
 * bucket or meet another flow's tag on purpose. The era of the service's transition is part of
 * the key: what a former transition left in the table is nobody's record any more.
 * Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012.
 */
#ifndef STEER_FLOW_H
#define STEER_FLOW_H

#include "steer/hash.h"

struct steer_sip {
	__u64 a, b, c, d;
};

STEER_INLINE __u64 steer_sip_rotate(__u64 x, int bits)
{
	return x << bits | x >> (64 - bits);
}

STEER_INLINE void steer_sip_round(struct steer_sip *s)
{
	s->a += s->b;
	s->b = steer_sip_rotate(s->b, 13) ^ s->a;
	s->a = steer_sip_rotate(s->a, 32);
	s->c += s->d;
	s->d = steer_sip_rotate(s->d, 16) ^ s->c;
	s->a += s->d;
	s->d = steer_sip_rotate(s->d, 21) ^ s->a;
	s->c += s->b;
	s->b = steer_sip_rotate(s->b, 17) ^ s->c;
	s->c = steer_sip_rotate(s->c, 32);
}

STEER_INLINE void steer_sip_begin(struct steer_sip *s, const __u64 key[2])
{
	s->a = key[0] ^ 0x736f6d6570736575ULL;
	s->b = key[1] ^ 0x646f72616e646f6dULL;
	s->c = key[0] ^ 0x6c7967656e657261ULL;
	s->d = key[1] ^ 0x7465646279746573ULL;
}

STEER_INLINE void steer_sip_block(struct steer_sip *s, __u64 block)
{
	s->d ^= block;
	steer_sip_round(s);
	s->a ^= block;
}

STEER_INLINE __u64 steer_sip_end(struct steer_sip *s)
{
	s->c ^= 0xff;
	steer_sip_round(s);
	steer_sip_round(s);
	steer_sip_round(s);
	return s->a ^ s->b ^ s->c ^ s->d;
}

/* The end of a flow's key: ports in network order, the protocol, the service's number. */
STEER_INLINE __u64 steer_flow_tail(__be16 from_port, __be16 to_port, __u8 protocol, __u8 service)
{
	return (__u64)from_port << 48 | (__u64)to_port << 32 | (__u32)service << 8 | protocol;
}

STEER_INLINE void steer_flow_begin(struct steer_sip *s, const __u64 key[2], __u32 era)
{
	const __u64 era_key[2] = {key[0] ^ era, key[1]};

	steer_sip_begin(s, era_key);
}

STEER_INLINE __u64 steer_flow4(const __u64 key[2], __u32 era, __be32 from, __be32 to, __u64 tail)
{
	struct steer_sip s;

	steer_flow_begin(&s, key, era);
	steer_sip_block(&s, (__u64)from << 32 | to);
	steer_sip_block(&s, tail);
	return steer_sip_end(&s);
}

/* @from, @to: the two halves of an IPv6 address each */
STEER_INLINE __u64 steer_flow6(const __u64 key[2], __u32 era, const __be64 from[2],
			       const __be64 to[2], __u64 tail)
{
	struct steer_sip s;

	steer_flow_begin(&s, key, era);
	steer_sip_block(&s, from[0]);
	steer_sip_block(&s, from[1]);
	steer_sip_block(&s, to[0]);
	steer_sip_block(&s, to[1]);
	steer_sip_block(&s, tail);
	return steer_sip_end(&s);
}

/* The parts of a flow's hash. */
STEER_INLINE __u64 steer_flow_tag(__u64 hash)
{
	__u64 tag = hash >> 24;

	return tag ? tag : 1;
}

STEER_INLINE __u32 steer_flow_bucket(__u64 hash, __u32 which, __u32 buckets)
{
	return (__u32)(which ? hash >> 40 : hash) & (buckets - 1);
}

/* Has nothing been heard of a record for as long as its state lives? @epoch, @age: control's */
STEER_INLINE int steer_flow_is_over(__u64 flow, __u32 epoch, __u32 age)
{
	__u32 stamp = STEER_FLOW_STAMP(flow);

	switch (STEER_FLOW_STATE(flow)) {
	case STEER_FLOW_BORN:
		return ((epoch - stamp) & 63) >= STEER_BORN_EPOCHS;
	case STEER_FLOW_CONFIRMED:
		return ((age - stamp) & 63) >= STEER_CONFIRMED_AGES;
	default:
		return ((epoch - stamp) & 63) >= STEER_CLOSING_EPOCHS;
	}
}

#endif
