/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Client key -> slot and frontend -> cell: one source for the XDP program and user space.
 *
 * steer_slot*() is SipHash-1-3 of the client key's bytes in network order, with their number as
 * its length (4 for IPv4, 8 for an IPv6 prefix up to /64, 16 beyond), so any SipHash library
 * gives the same slot. The key is secret: peers use fixed constants and can be aimed at.
 * Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012; 1-3 is the variant
 * that hash tables of Linux and Rust use.
 *
 * steer_cell() is a hash-and-displace perfect hash (Belazzougui, Botelho, Dietzfelbinger, "Hash,
 * displace, and compress", 2009, with additive displacement). It needs no secret: the keys are
 * the operator's frontends and a look-up is one comparison whatever the packet says.
 */
#ifndef STEER_HASH_H
#define STEER_HASH_H

#include "steer/abi.h"

#define STEER_INLINE static inline __attribute__((always_inline, unused))

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define STEER_LE64(x) ((__u64)(x))
#define STEER_LE32(x) ((__u32)(x))
#else
#define STEER_LE64(x) __builtin_bswap64(x)
#define STEER_LE32(x) __builtin_bswap32(x)
#endif

struct steer_sip {
	__u64 a, b, c, d;
};

STEER_INLINE __u64 steer_rotate(__u64 x, int bits)
{
	return x << bits | x >> (64 - bits);
}

STEER_INLINE void steer_sip_round(struct steer_sip *s)
{
	s->a += s->b;
	s->b = steer_rotate(s->b, 13) ^ s->a;
	s->a = steer_rotate(s->a, 32);
	s->c += s->d;
	s->d = steer_rotate(s->d, 16) ^ s->c;
	s->a += s->d;
	s->d = steer_rotate(s->d, 21) ^ s->a;
	s->c += s->b;
	s->b = steer_rotate(s->b, 17) ^ s->c;
	s->c = steer_rotate(s->c, 32);
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

/* Slot of an IPv4 client key: the masked source address. */
STEER_INLINE __u32 steer_slot4(const __u64 key[2], __be32 client)
{
	struct steer_sip s;

	steer_sip_begin(&s, key);
	steer_sip_block(&s, 4ULL << 56 | STEER_LE32(client));
	return (__u32)steer_sip_end(&s) & (STEER_SLOTS - 1);
}

/* Slot of an IPv6 client key: the masked source address; @wide when the prefix exceeds /64. */
STEER_INLINE __u32 steer_slot6(const __u64 key[2], __be64 high, __be64 low, int wide)
{
	struct steer_sip s;

	steer_sip_begin(&s, key);
	steer_sip_block(&s, STEER_LE64(high));
	if (wide)
		steer_sip_block(&s, STEER_LE64(low));
	steer_sip_block(&s, wide ? 16ULL << 56 : 8ULL << 56);
	return (__u32)steer_sip_end(&s) & (STEER_SLOTS - 1);
}

/*
 * Mix a 128-bit key; the seed is chosen at commit so that steer_cell() has no collision. Hosts of
 * one network differ in the top bits of @low, which a product alone never carries down; and a sum
 * instead of XOR keeps two keys from meeting under every seed.
 */
STEER_INLINE __u64 steer_mix(__u64 seed, __u64 high, __u64 low)
{
	__u64 x = (high ^ seed) * 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 32) + (low ^ seed);
	x = (x ^ x >> 29) * 0xd6e8feb86659fd93ULL;
	return x ^ x >> 32;
}

STEER_INLINE __u32 steer_bucket(__u64 mixed)
{
	return (__u32)(mixed >> 20) & (STEER_BUCKETS - 1);
}

/* Cell of a mixed key in a table whose bucket of that key is displaced by @displace. */
STEER_INLINE __u32 steer_cell(__u64 mixed, __u16 displace)
{
	return ((__u32)mixed + displace) & (STEER_CELLS - 1);
}

/* Key of the second table: a port of the address in cell @address. */
STEER_INLINE __u64 steer_port_key(__u32 address, __u8 protocol, __be16 port)
{
	return (__u64)address << 32 | (__u32)protocol << 16 | port;
}

#endif
