// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/own.h"
#include "base/time_text.h"
#include "core/drain.h"

/* A look of a backend that gets no new connections. */
static void look(struct drain_watch *watch, uint64_t at_ms, uint32_t origins, uint32_t recorded,
		 uint64_t packets, uint64_t left_ms)
{
	const struct drain_look one = {.at_ms = at_ms,
				       .slots_origin = origins,
				       .recorded = recorded,
				       .packets = packets,
				       .left_ms = left_ms};

	drain_add(watch, &one);
}

static void a_record_or_an_origin_keeps_a_backend_from_being_empty(void **state)
{
	struct drain_watch watch = {0};

	(void)state;
	look(&watch, 0, 1, 0, 0, 1000);
	assert_int_equal(drain_judge(&watch, 0), DRAIN_BOUND);
	look(&watch, 500, 0, 1, 0, 500);
	assert_int_equal(drain_judge(&watch, 0), DRAIN_BOUND);
	look(&watch, 1000, 0, 0, 0, 0);
	assert_int_equal(drain_judge(&watch, 0), DRAIN_EMPTY);
}

static void a_backend_with_slots_is_open_however_silent(void **state)
{
	const struct drain_look now = {.at_ms = 90000, .slots_now = 1};
	struct drain_watch watch = {0};

	(void)state;
	look(&watch, 0, 0, 0, 7, 0);
	drain_add(&watch, &now);
	assert_int_equal(drain_judge(&watch, 1000), DRAIN_OPEN);
}

static void silence_counts_only_where_it_was_asked_for_and_from_the_last_packet(void **state)
{
	struct drain_watch watch = {0};

	(void)state;
	look(&watch, 0, 9, 2, 100, UINT64_MAX);
	look(&watch, 4000, 9, 2, 101, UINT64_MAX);
	look(&watch, 8999, 9, 2, 101, UINT64_MAX);
	assert_int_equal(drain_silent_ms(&watch), 4999);
	assert_int_equal(drain_judge(&watch, 5000), DRAIN_BOUND);
	look(&watch, 9000, 9, 2, 101, UINT64_MAX);
	assert_int_equal(drain_judge(&watch, 5000), DRAIN_IDLE);
	assert_int_equal(drain_judge(&watch, 0), DRAIN_BOUND);
}

static void recent_packets_are_those_of_the_last_seconds(void **state)
{
	struct drain_watch watch = {0};
	uint64_t of_ms;

	(void)state;
	look(&watch, 0, 9, 0, 1000, 60000);
	assert_int_equal(drain_recent(&watch, &of_ms), 0);
	for (uint64_t at = 250; at <= 60000; at += 250)
		look(&watch, at, 9, 0, 1000 + at / 250, 60000 - at);
	assert_int_equal(drain_recent(&watch, &of_ms), 20);
	assert_int_equal(of_ms, DRAIN_RECENT_MS);
	look(&watch, 60250, 9, 0, 3, 0); /* counters began anew */
	assert_int_equal(drain_recent(&watch, &of_ms), 0);
}

static void progress_is_of_time_to_the_deadline_then_of_records(void **state)
{
	struct drain_watch watch = {0}, endless = {0};

	(void)state;
	look(&watch, 0, 9, 4, 0, 1000);
	assert_int_equal(drain_percent(&watch), 0);
	look(&watch, 250, 9, 8, 0, 750);
	assert_int_equal(drain_percent(&watch), 25);
	look(&watch, 1000, 0, 2, 0, 0);
	assert_int_equal(drain_percent(&watch), 75);
	look(&watch, 1250, 0, 0, 0, 0);
	assert_int_equal(drain_percent(&watch), 100);
	look(&endless, 0, 9, 4, 0, UINT64_MAX);
	look(&endless, 1, 9, 1, 0, UINT64_MAX);
	assert_int_equal(drain_percent(&endless), 75);
}

static void durations_read_as_people_say_them(void **state)
{
	static const struct {
		uint64_t ms;
		const char *text;
	} cases[] = {{0, "0s"},	       {99, "0s"},	  {400, "0.4s"},     {9990, "9.9s"},
		     {12300, "12s"},   {60000, "1m"},	  {272000, "4m32s"}, {3900000, "1h5m"},
		     {86400000, "1d"}, {90000000, "1d1h"}};
	char text[DURATION_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(duration_format(cases[i].ms, text), cases[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_or_an_origin_keeps_a_backend_from_being_empty),
		cmocka_unit_test(a_backend_with_slots_is_open_however_silent),
		cmocka_unit_test(
			silence_counts_only_where_it_was_asked_for_and_from_the_last_packet),
		cmocka_unit_test(recent_packets_are_those_of_the_last_seconds),
		cmocka_unit_test(progress_is_of_time_to_the_deadline_then_of_records),
		cmocka_unit_test(durations_read_as_people_say_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
