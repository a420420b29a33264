/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which clients a share means: a keyed permutation that ranks the slots.
 *
 * Fisher-Yates driven by SipHash-1-3: for i = 65535 down to 1, j = high 64 bits of
 * siphash13(key = {seed, 0}, i as 8 bytes little-endian) * (i + 1), swap slots i and j of the
 * list that began as 0, 1, 2, ... The slot at index r has rank r.
 */
#ifndef STEER_CORE_COHORT_H
#define STEER_CORE_COHORT_H

#include <stddef.h>
#include <stdint.h>

#include "steer/abi.h"

/* SipHash-1-3 of @size bytes. */
uint64_t cohort_hash(const uint64_t key[2], const void *bytes, size_t size);

/* Fill @ret_rank: slot -> rank. */
void cohort_ranks(uint64_t seed, uint16_t ret_rank[static STEER_SLOTS]);

#endif
