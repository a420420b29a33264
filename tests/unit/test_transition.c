// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Transitions: which slots are touched, whose their flows are, until when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "core/transition.h"

#define HOLD  600000
#define START 1000000

enum { NOBODY, A, B, C, D };

/* One service under test: @now is its running table. Both are too large for the stack. */
static struct transition running;
static uint16_t now[STEER_SLOTS];

static int start_settled_on_a(void **state)
{
	(void)state;
	memset(&running, 0, sizeof(running));
	for (uint32_t slot = 0; slot < STEER_SLOTS; slot++)
		now[slot] = A;
	return 0;
}

/* Commit tables in which slots @first .. @first + @n - 1 have @backend. */
static void commit_range(uint32_t first, uint32_t n, uint16_t backend, uint64_t at_ms,
			 uint64_t hold_ms)
{
	static struct transition next;
	static uint16_t table[STEER_SLOTS];

	memcpy(table, now, sizeof(table));
	for (uint32_t slot = first; slot < first + n; slot++)
		table[slot] = backend;
	memset(&next, 0xa5, sizeof(next));
	transition_step(&running, now, table, at_ms, hold_ms, &next);
	running = next;
	memcpy(now, table, sizeof(table));
}

static void commit(uint32_t slot, uint16_t backend, uint64_t at_ms)
{
	commit_range(slot, 1, backend, at_ms, HOLD);
}

/* A commit that changes no slot only carries out what is due. */
static void pass_until(uint64_t at_ms)
{
	commit_range(0, 0, A, at_ms, HOLD);
}

static uint64_t pending_until(uint32_t slot)
{
	return running.class[slot] ? running.class_ms[running.class[slot]] : 0;
}

static void assert_settled(uint32_t era)
{
	static struct transition settled;

	settled.era = era;
	assert_memory_equal(&running, &settled, sizeof(running));
}

static void a_settled_service_touches_only_the_slots_that_change(void **state)
{
	(void)state;
	commit_range(100, 50, B, START, HOLD);
	assert_int_equal(running.touched, 50);
	assert_int_equal(running.until_ms, START + HOLD);
	for (uint32_t slot = 0; slot < STEER_SLOTS; slot++) {
		bool is_changed = slot >= 100 && slot < 150;

		assert_int_equal(running.origin[slot], is_changed ? A : 0);
		assert_int_equal(pending_until(slot), is_changed ? START + HOLD : 0);
	}
}

static void a_commit_that_changes_nothing_touches_nothing(void **state)
{
	(void)state;
	pass_until(START);
	assert_settled(0);
}

static void origin_is_kept_through_any_number_of_changes(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 50; i++) {
		commit(7, B + i % 3, START + i * 10);
		assert_int_equal(running.origin[7], A);
		assert_int_equal(pending_until(7), START + HOLD);
	}
	assert_int_equal(running.touched, 1);
}

static void there_and_back_keeps_the_origin_and_stays_touched(void **state)
{
	(void)state;
	commit(7, B, START);
	commit(7, A, START + 1000);
	assert_int_equal(running.touched, 1);
	assert_int_equal(running.origin[7], A);
	assert_int_equal(pending_until(7), START + HOLD);
	assert_int_equal(running.until_ms, START + 1000 + HOLD);
}

static void at_the_deadline_the_origin_becomes_what_now_was(void **state)
{
	(void)state;
	commit(7, B, START);
	commit(7, C, START + 1000);
	pass_until(START + HOLD - 1);
	assert_int_equal(running.origin[7], A);
	pass_until(START + HOLD);
	assert_int_equal(running.origin[7], C);
	assert_int_equal(pending_until(7), 0);
	assert_int_equal(running.touched, 1);

	commit(7, D, START + HOLD + 500);
	assert_int_equal(running.origin[7], C);
	assert_int_equal(pending_until(7), START + 2 * HOLD + 500);
}

static void a_commit_at_the_deadline_carries_it_out_before_its_own_changes(void **state)
{
	(void)state;
	commit(7, B, START);
	commit(8, B, START + 1000);
	commit(7, C, START + HOLD);
	assert_int_equal(running.origin[7], B);
	assert_int_equal(pending_until(7), START + 2 * HOLD);
}

static void the_end_is_the_newest_former_now_and_its_hold(void **state)
{
	(void)state;
	commit(7, B, START);
	commit_range(7, 1, C, START + 2000, 1000);
	assert_int_equal(running.until_ms, START + HOLD); /* never before a pending deadline */
	commit(7, D, START + 3000);
	assert_int_equal(running.until_ms, START + 3000 + HOLD);
	commit(9, B, START + 4000);
	assert_int_equal(running.until_ms, START + 4000 + HOLD);
}

static void the_end_does_not_wait_for_who_followed_nobody(void **state)
{
	(void)state;
	commit(7, NOBODY, START);
	commit(7, B, START + 5000);
	assert_int_equal(running.until_ms, START + HOLD);
	assert_int_equal(running.origin[7], A);
}

static void a_slot_that_had_nobody_is_not_touched(void **state)
{
	(void)state;
	now[7] = NOBODY;
	commit(7, B, START);
	assert_settled(0);
}

static void flows_do_not_move_to_nobody_at_the_deadline(void **state)
{
	(void)state;
	commit(7, B, START);
	commit(7, NOBODY, START + 1000);
	pass_until(START + HOLD);
	assert_int_equal(running.origin[7], A);
	assert_int_equal(pending_until(7), 0);
	commit(7, C, START + HOLD + 500);
	assert_int_equal(running.origin[7], A);
	assert_int_equal(running.until_ms, START + 2 * HOLD + 500);
}

static void a_steady_stream_of_commits_still_settles_each_origin(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 3000; i++) {
		uint64_t at_ms = START + i * 1000;

		commit(i % 100, B + i / 100 % 2, at_ms);
		/* now differs from the origin for at most one hold and what merging adds */
		assert_true(pending_until(i % 100) <= at_ms + HOLD);
		if (i >= 1000)
			assert_int_not_equal(running.origin[i % 100], A);
	}
	assert_int_equal(running.touched, 100);
	assert_int_equal(running.era, 1);
}

static void cut_moves_untouched_slots_without_a_trace(void **state)
{
	(void)state;
	commit_range(0, STEER_SLOTS, B, START, 0);
	assert_settled(0);
}

static void cut_moves_the_origin_of_touched_slots_and_keeps_them_for_their_records(void **state)
{
	(void)state;
	commit_range(7, 2, B, START, HOLD);
	commit_range(7, 1, C, START + 1000, 0);
	assert_int_equal(running.origin[7], C);
	assert_int_equal(pending_until(7), 0);
	assert_int_equal(running.origin[8], A); /* it did not change */
	assert_int_equal(pending_until(8), START + HOLD);
	assert_int_equal(running.touched, 2);
	assert_int_equal(running.until_ms, START + HOLD);
}

static void cut_to_nobody_leaves_nothing(void **state)
{
	(void)state;
	commit(7, B, START);
	commit_range(7, 1, NOBODY, START + 1000, 0);
	assert_settled(1);
}

static void without_a_deadline_nothing_ever_ends(void **state)
{
	(void)state;
	commit_range(7, 1, B, START, TRANSITION_NEVER);
	commit(7, C, START + 1000);
	assert_true(pending_until(7) == TRANSITION_NEVER);
	pass_until(TRANSITION_NEVER - 1);
	assert_int_equal(running.origin[7], A);
	assert_true(running.until_ms == TRANSITION_NEVER);
	assert_true(transition_origins_until(&running) == TRANSITION_NEVER);
}

static void a_hold_beyond_the_end_of_time_is_never(void **state)
{
	(void)state;
	commit_range(7, 1, B, START, TRANSITION_NEVER - 5);
	assert_true(running.until_ms == TRANSITION_NEVER);
}

static void era_counts_transitions(void **state)
{
	(void)state;
	commit(7, B, START);
	assert_int_equal(running.era, 1);
	commit(8, B, START + 1000);
	assert_int_equal(running.era, 1);
	pass_until(START + 1000 + HOLD);
	assert_settled(1);
	commit(8, A, START + 2000 + HOLD);
	assert_int_equal(running.era, 2);
	commit(9, B, START + 2000 + 2 * HOLD); /* ends one, begins the next */
	assert_int_equal(running.era, 3);
	assert_int_equal(running.touched, 1);
	assert_int_equal(running.origin[8], 0);
}

static void deadlines_beyond_the_classes_join_later_ones_and_not_much_later(void **state)
{
	static uint64_t wanted_ms[1000];

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(wanted_ms); i++) {
		uint64_t at_ms = START + i * 1000;

		commit(i, B, at_ms);
		wanted_ms[i] = at_ms + HOLD;
		for (uint32_t slot = 0; slot <= i; slot++) {
			uint64_t until_ms = pending_until(slot);

			if (!until_ms)
				assert_true(wanted_ms[slot] <= at_ms);
			else
				assert_in_range(until_ms, wanted_ms[slot],
						wanted_ms[slot] + HOLD / 25);
		}
	}
	assert_int_equal(running.origin[300], B);
	assert_int_equal(running.origin[999], A);
}

static void a_deadline_before_all_others_keeps_its_time_when_the_classes_are_full(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < TRANSITION_CLASSES - 1; i++)
		commit(i, B, START + i * 1000);
	commit_range(100, 1, B, START + 70000, 10);
	assert_int_equal(pending_until(100), START + 70010);
	for (uint32_t i = 0; i < TRANSITION_CLASSES - 1; i++)
		assert_in_range(pending_until(i), START + i * 1000 + HOLD,
				START + (i + 1) * 1000 + HOLD);
	commit_range(101, 1, B, START + 70000, TRANSITION_NEVER);
	assert_true(pending_until(101) == TRANSITION_NEVER);
	assert_int_equal(pending_until(TRANSITION_CLASSES - 2), START + 62000 + HOLD);
}

static void a_deadline_between_two_joins_the_later_when_the_classes_are_full(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < TRANSITION_CLASSES - 1; i++)
		commit(i, B, START + i * 1000);
	commit_range(100, 1, B, START + 70000, HOLD - 70000 + 30500);
	assert_int_equal(pending_until(100), START + 31000 + HOLD);
	for (uint32_t i = 0; i < TRANSITION_CLASSES - 1; i++)
		assert_int_equal(pending_until(i), START + i * 1000 + HOLD);
	assert_int_equal(pending_until(101), 0);
}

static void extended_there_is_no_deadline_and_no_end_before(void **state)
{
	(void)state;
	commit(7, B, START);
	commit(8, B, START + 5000);
	transition_extend(&running, START + HOLD + 2000);
	assert_int_equal(pending_until(7), START + HOLD + 2000);
	assert_int_equal(pending_until(8), START + HOLD + 5000);
	assert_int_equal(running.until_ms, START + HOLD + 5000);
	transition_extend(&running, START + HOLD + 9000);
	assert_int_equal(pending_until(8), START + HOLD + 9000);
	assert_int_equal(running.until_ms, START + HOLD + 9000);
}

static void a_settled_service_is_not_extended(void **state)
{
	(void)state;
	transition_extend(&running, START);
	assert_settled(0);
}

static void finished_origins_are_now_and_the_slots_stay_touched(void **state)
{
	(void)state;
	commit_range(7, 2, B, START, HOLD);
	commit(8, NOBODY, START + 1000);
	transition_finish_origins(&running, now);
	assert_int_equal(running.origin[7], B);
	assert_int_equal(running.origin[8], A); /* not to nobody */
	assert_int_equal(running.touched, 2);
	assert_int_equal(running.until_ms, START + 1000 + HOLD);
	assert_int_equal(transition_origins_until(&running), 0);
	assert_int_equal(pending_until(7), 0);
}

static void origins_are_pending_until_the_last_deadline(void **state)
{
	(void)state;
	assert_int_equal(transition_origins_until(&running), 0);
	commit(7, B, START);
	commit(8, B, START + 1000);
	commit(7, C, START + 2000);
	assert_int_equal(transition_origins_until(&running), START + HOLD + 1000);
	commit_range(8, 1, C, START + 3000, 0);
	assert_int_equal(transition_origins_until(&running), START + HOLD);
	pass_until(START + HOLD);
	assert_int_equal(transition_origins_until(&running), 0);
	assert_int_equal(running.touched, 2);
}

static void flows_of_a_forgotten_backend_follow_now(void **state)
{
	(void)state;
	now[9] = D;
	commit_range(7, 3, B, START, HOLD);
	transition_forget(&running, A, now);
	assert_int_equal(running.origin[7], B);
	assert_int_equal(pending_until(7), 0);
	assert_int_equal(running.origin[9], D);
	assert_int_equal(pending_until(9), START + HOLD);
	assert_int_equal(running.touched, 3);
	assert_int_equal(running.until_ms, START + HOLD);
}

static void forgotten_where_nobody_follows_the_slot_is_untouched(void **state)
{
	(void)state;
	commit(7, NOBODY, START);
	transition_forget(&running, A, now);
	assert_settled(1);
	commit(8, B, START + 1000);
	assert_int_equal(running.era, 2);
}

static void forgetting_nobody_changes_nothing(void **state)
{
	(void)state;
	commit(7, B, START);
	transition_forget(&running, NOBODY, now);
	assert_int_equal(running.touched, 1);
	assert_int_equal(running.origin[8], 0);
}

static void the_result_may_replace_what_was_running(void **state)
{
	static struct transition copy;
	static uint16_t next[STEER_SLOTS];

	(void)state;
	commit(7, B, START);
	copy = running;
	memcpy(next, now, sizeof(next));
	next[8] = C;
	transition_step(&copy, now, next, START + 1000, HOLD, &copy);
	commit(8, C, START + 1000);
	assert_memory_equal(&copy, &running, sizeof(copy));
}

int main(void)
{
#define CLAIM(test) cmocka_unit_test_setup(test, start_settled_on_a)
	const struct CMUnitTest tests[] = {
		CLAIM(a_settled_service_touches_only_the_slots_that_change),
		CLAIM(a_commit_that_changes_nothing_touches_nothing),
		CLAIM(origin_is_kept_through_any_number_of_changes),
		CLAIM(there_and_back_keeps_the_origin_and_stays_touched),
		CLAIM(at_the_deadline_the_origin_becomes_what_now_was),
		CLAIM(a_commit_at_the_deadline_carries_it_out_before_its_own_changes),
		CLAIM(the_end_is_the_newest_former_now_and_its_hold),
		CLAIM(the_end_does_not_wait_for_who_followed_nobody),
		CLAIM(a_slot_that_had_nobody_is_not_touched),
		CLAIM(flows_do_not_move_to_nobody_at_the_deadline),
		CLAIM(a_steady_stream_of_commits_still_settles_each_origin),
		CLAIM(cut_moves_untouched_slots_without_a_trace),
		CLAIM(cut_moves_the_origin_of_touched_slots_and_keeps_them_for_their_records),
		CLAIM(cut_to_nobody_leaves_nothing),
		CLAIM(without_a_deadline_nothing_ever_ends),
		CLAIM(a_hold_beyond_the_end_of_time_is_never),
		CLAIM(era_counts_transitions),
		CLAIM(deadlines_beyond_the_classes_join_later_ones_and_not_much_later),
		CLAIM(a_deadline_before_all_others_keeps_its_time_when_the_classes_are_full),
		CLAIM(a_deadline_between_two_joins_the_later_when_the_classes_are_full),
		CLAIM(extended_there_is_no_deadline_and_no_end_before),
		CLAIM(a_settled_service_is_not_extended),
		CLAIM(finished_origins_are_now_and_the_slots_stay_touched),
		CLAIM(origins_are_pending_until_the_last_deadline),
		CLAIM(flows_of_a_forgotten_backend_follow_now),
		CLAIM(forgotten_where_nobody_follows_the_slot_is_untouched),
		CLAIM(forgetting_nobody_changes_nothing),
		CLAIM(the_result_may_replace_what_was_running),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
