// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "base/siphash.h"

/* Up to 8 bytes as a little-endian number. */
static uint64_t load_block(const uint8_t *bytes, size_t size)
{
	uint64_t block = 0;

	for (size_t i = 0; i < size; i++)
		block |= (uint64_t)bytes[i] << (8 * i);
	return block;
}

uint64_t siphash13(const uint64_t key[static 2], const void *bytes, size_t size)
{
	const __u64 words[2] = {key[0], key[1]};
	const uint8_t *next = bytes;
	size_t left = size;
	struct steer_sip sip;

	steer_sip_begin(&sip, words);
	for (; left >= 8; left -= 8, next += 8)
		steer_sip_block(&sip, load_block(next, 8));
	steer_sip_block(&sip, (uint64_t)size << 56 | load_block(next, left));
	return steer_sip_end(&sip);
}
