/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * SipHash-1-3, whole or block by block. Source: Aumasson and Bernstein, "SipHash: a fast
 * short-input PRF", 2012, section 2; 1-3 is the variant that hash tables of Linux and Rust use.
 */
#ifndef STEER_BASE_SIPHASH_H
#define STEER_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct sip {
	uint64_t a, b, c, d;
};

/* Hash @size bytes at @bytes. */
uint64_t siphash13(const uint64_t key[static 2], const void *bytes, size_t size);

static inline uint64_t sip_rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void sip_round(struct sip *s)
{
	s->a += s->b;
	s->b = sip_rotate(s->b, 13) ^ s->a;
	s->a = sip_rotate(s->a, 32);
	s->c += s->d;
	s->d = sip_rotate(s->d, 16) ^ s->c;
	s->a += s->d;
	s->d = sip_rotate(s->d, 21) ^ s->a;
	s->c += s->b;
	s->b = sip_rotate(s->b, 17) ^ s->c;
	s->c = sip_rotate(s->c, 32);
}

static inline void sip_begin(struct sip *s, const uint64_t key[static 2])
{
	s->a = key[0] ^ 0x736f6d6570736575ULL;
	s->b = key[1] ^ 0x646f72616e646f6dULL;
	s->c = key[0] ^ 0x6c7967656e657261ULL;
	s->d = key[1] ^ 0x7465646279746573ULL;
}

static inline void sip_block(struct sip *s, uint64_t block)
{
	s->d ^= block;
	sip_round(s);
	s->a ^= block;
}

static inline uint64_t sip_end(struct sip *s)
{
	s->c ^= 0xff;
	sip_round(s);
	sip_round(s);
	sip_round(s);
	return s->a ^ s->b ^ s->c ^ s->d;
}

#endif
