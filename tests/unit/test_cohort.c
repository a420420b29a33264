/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The permutation that ranks slots: complete, keyed, and the one the header describes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/siphash.h"
#include "core/cohort.h"

static uint16_t rank_a[STEER_SLOTS], rank_b[STEER_SLOTS];

static void every_rank_is_given_once(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		static uint8_t seen[STEER_SLOTS];

		memset(seen, 0, sizeof(seen));
		cohort_ranks(seed * 0x9e3779b97f4a7c15ULL, rank_a);
		for (uint32_t slot = 0; slot < STEER_SLOTS; slot++)
			assert_int_equal(seen[rank_a[slot]]++, 0);
	}
}

static void ranks_follow_the_description(void **state)
{
	const uint64_t key[2] = {42, 0};
	static uint16_t slots[STEER_SLOTS];

	(void)state;
	for (uint32_t i = 0; i < STEER_SLOTS; i++)
		slots[i] = (uint16_t)i;
	for (uint32_t i = STEER_SLOTS - 1; i > 0; i--) {
		const uint8_t bytes[8] = {(uint8_t)i, (uint8_t)(i >> 8)};
		unsigned __int128 wide = siphash13(key, bytes, sizeof(bytes));
		uint32_t j = (uint32_t)(wide * (i + 1) >> 64);
		uint16_t slot = slots[i];

		slots[i] = slots[j];
		slots[j] = slot;
	}
	cohort_ranks(42, rank_a);
	for (uint32_t r = 0; r < STEER_SLOTS; r++)
		assert_int_equal(rank_a[slots[r]], r);
}

static void two_seeds_choose_independent_cohorts(void **state)
{
	uint32_t both = 0;

	(void)state;
	cohort_ranks(1, rank_a);
	cohort_ranks(2, rank_b);
	for (uint32_t slot = 0; slot < STEER_SLOTS; slot++)
		both += rank_a[slot] < STEER_SLOTS / 10 && rank_b[slot] < STEER_SLOTS / 10;
	/* 1% of all slots, give or take more than six standard deviations */
	assert_in_range(both, 500, 810);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rank_is_given_once),
		cmocka_unit_test(ranks_follow_the_description),
		cmocka_unit_test(two_seeds_choose_independent_cohorts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
