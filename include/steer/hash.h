/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Client key -> slot and frontend -> cell: one source for the XDP program and user space.
 *
 * steer_slot*() is tabulation hashing (Zobrist 1970; Patrascu and Thorup, "The power of simple
 * tabulation hashing", 2012: Chernoff bounds on every share). Each byte of the client key, in
 * network order, selects one of 256 random values of its position; the slot is their XOR. User
 * space draws the values with SipHash-1-3 from the instance's secret 128-bit key, so nobody can
 * aim at a slot as with the fixed constants of peers, and the packet pays for four loads where
 * SipHash itself would take as long as everything else together.
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
#define STEER_BE64(x) __builtin_bswap64(x)
#define STEER_BE32(x) __builtin_bswap32(x)
#else
#define STEER_LE64(x) __builtin_bswap64(x)
#define STEER_LE32(x) __builtin_bswap32(x)
#define STEER_BE64(x) ((__u64)(x))
#define STEER_BE32(x) ((__u32)(x))
#endif

/* The share of four bytes in a slot, from @position on. @hash: control.slot_hash */
STEER_INLINE __u32 steer_slot_bytes(const __u16 hash[][256], __u32 position, __be32 key)
{
	key = STEER_LE32(key);
	return hash[position][key & 0xff] ^ hash[position + 1][key >> 8 & 0xff] ^
	       hash[position + 2][key >> 16 & 0xff] ^ hash[position + 3][key >> 24];
}

/* Slot of an IPv4 client key: the masked source address. */
STEER_INLINE __u32 steer_slot4(const __u16 hash[][256], __be32 client)
{
	return steer_slot_bytes(hash, 0, client);
}

/* Slot of an IPv6 client key: the masked source address; @wide when the prefix exceeds /64. */
STEER_INLINE __u32 steer_slot6(const __u16 hash[][256], const __be32 client[4], int wide)
{
	__u32 slot = steer_slot_bytes(hash, 0, client[0]) ^ steer_slot_bytes(hash, 4, client[1]);

	if (wide)
		slot ^= steer_slot_bytes(hash, 8, client[2]) ^
			steer_slot_bytes(hash, 12, client[3]);
	return slot;
}

/*
 * Mask of the @word-th 32 bits of an address, for a client prefix of 0..128 bits (IPv4: word 0,
 * 0..32).
 */
STEER_INLINE __be32 steer_mask(__u32 prefix, __u32 word)
{
	__u32 before = 32 * word;
	__u32 bits = prefix < before ? 0 : prefix - before;

	return bits >= 32 ? ~0U : STEER_BE32((__u32)(0xffffffff00000000ULL >> bits));
}

/*
 * Mix a frontend key; the upper half of the product counts. The seeds are odd and chosen at
 * commit so that steer_cell() has no collision: one multiplication is enough for that, and the
 * address or port that varies must stand in the low bits, whence the byte order.
 */
STEER_INLINE __u64 steer_mix4(const __u64 seed[2], __be32 address)
{
	return STEER_BE32(address) * seed[0];
}

STEER_INLINE __u64 steer_mix6(const __u64 seed[2], __be64 high, __be64 low)
{
	__u64 x = STEER_BE64(high) * seed[0] + STEER_BE64(low) * seed[1];

	return x ^ x >> 16;
}

/* A port with its protocol, never 0. */
STEER_INLINE __u32 steer_port(__u8 protocol, __be16 port)
{
	return (__u32)protocol << 16 | port;
}

/* @address: steer_mix4() or steer_mix6() of the port's address */
STEER_INLINE __u64 steer_mix_port(__u64 seed, __u64 address, __u32 port)
{
	return (address + port) * seed;
}

STEER_INLINE __u32 steer_bucket(__u64 mixed)
{
	return (__u32)(mixed >> 53);
}
_Static_assert(STEER_BUCKETS == 1 << (64 - 53), "steer_bucket");

/* Cell of a mixed key in a table whose bucket of that key is displaced by @displace. */
STEER_INLINE __u32 steer_cell(__u64 mixed, __u16 displace)
{
	return ((__u32)(mixed >> 32) + displace) & (STEER_CELLS - 1);
}

/* Key of the second table: a port of the address in cell @address; below 2^48, never 0. */
STEER_INLINE __u64 steer_port_key(__u32 address, __u32 port)
{
	return (__u64)address << 24 | port;
}

#endif
