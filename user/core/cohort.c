/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The permutation that ranks slots. Called when a table is compiled; who owns which ranks is
 * decided in shares.c.
 */
#include "core/cohort.h"

#include "base/siphash.h"

void cohort_ranks(uint64_t seed, uint16_t ret_rank[static STEER_SLOTS])
{
	const __u64 key[2] = {seed, 0};
	uint16_t slot_at[STEER_SLOTS];
	uint32_t i;

	for (i = 0; i < STEER_SLOTS; i++)
		slot_at[i] = (uint16_t)i;
	for (i = STEER_SLOTS - 1; i > 0; i--) {
		struct steer_sip sip;
		uint16_t slot = slot_at[i];
		uint32_t j;

		steer_sip_begin(&sip, key);
		steer_sip_block(&sip, i);
		steer_sip_block(&sip, 8ULL << 56);
		j = (uint32_t)((unsigned __int128)steer_sip_end(&sip) * (i + 1) >> 64);
		slot_at[i] = slot_at[j];
		slot_at[j] = slot;
	}
	for (i = 0; i < STEER_SLOTS; i++)
		ret_rank[slot_at[i]] = (uint16_t)i;
}
