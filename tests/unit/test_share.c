// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Shares: what is accepted, how it rounds, what is refused with which hint. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "base/share.h"
#include "steer/abi.h"

static void shares_round_to_the_nearest_slot(void **state)
{
	static const struct {
		const char *text;
		uint32_t slots;
	} rows[] = {{"5%", 3277},	{"0.25%", 164},	 {"1/400", 164},
		    {"0%", 0},		{"100%", 65536}, {"1/1", 65536},
		    {"33.333%", 21845}, {".5%", 328},	 {"1/65536", 1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t slots = UINT32_MAX;

		assert_int_equal(share_parse(rows[i].text, &slots, NULL), 0);
		assert_int_equal(slots, rows[i].slots);
	}
}

static void anything_else_is_refused_and_leaves_the_output_alone(void **state)
{
	static const struct {
		const char *text;
		int error;
	} rows[] = {{"", -EINVAL},
		    {"%", -EINVAL},
		    {"5", -EINVAL},
		    {"0.05", -EINVAL},
		    {"5%%", -EINVAL},
		    {"1/0", -EINVAL},
		    {"1/", -EINVAL},
		    {"1.5/4", -EINVAL},
		    {"five%", -EINVAL},
		    {"5 %", -EINVAL},
		    {".%", -EINVAL},
		    {"1e1%", -EINVAL},
		    {"-5%", -ERANGE},
		    {"101%", -ERANGE},
		    {"2/1", -ERANGE},
		    {"0.0001%", -ERANGE},
		    {"+5%", -EINVAL},
		    {"1..5%", -EINVAL},
		    {"99999999999%", -EINVAL}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t slots = 12345;
		struct diag why = {0};

		assert_int_equal(share_parse(rows[i].text, &slots, &why), rows[i].error);
		assert_int_equal(slots, 12345);
		assert_true(why.text[0] != '\0');
	}
}

static void a_bare_number_is_met_with_the_share_meant(void **state)
{
	struct diag why = {0};
	uint32_t slots;

	(void)state;
	(void)share_parse("5", &slots, &why);
	assert_non_null(strstr(why.text, "write 5%"));
	(void)share_parse("0.05", &slots, &why);
	assert_non_null(strstr(why.text, "write 5%"));
}

static void every_share_printed_is_read_as_the_same_slots(void **state)
{
	(void)state;
	for (uint32_t slots = 0; slots <= STEER_SLOTS; slots++) {
		char text[SHARE_TEXT];
		uint32_t again;

		assert_int_equal(share_parse(share_format(slots, text), &again, NULL), 0);
		assert_int_equal(again, slots);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_round_to_the_nearest_slot),
		cmocka_unit_test(anything_else_is_refused_and_leaves_the_output_alone),
		cmocka_unit_test(a_bare_number_is_met_with_the_share_meant),
		cmocka_unit_test(every_share_printed_is_read_as_the_same_slots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
