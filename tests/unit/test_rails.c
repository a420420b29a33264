// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "base/time_text.h"
#include "core/rails.h"

#define HALF (STEER_SLOTS / 2)

/* Service shop: blue (active) with blue-1, canary with canary-1 and @canary_slots slots. */
struct shop {
	struct backend backends[2];
	struct pool pools[2];
	struct range range;
	struct service service;
	struct policy policy;
};

static void make_shop(struct shop *shop, uint32_t canary_slots, uint32_t canary_weight)
{
	memset(shop, 0, sizeof(*shop));
	shop->range = (struct range){0, canary_slots};
	for (size_t i = 0; i < 2; i++) {
		shop->backends[i].weight = i ? canary_weight : 1;
		(void)snprintf(shop->backends[i].name, NAME_TEXT, "%s-1", i ? "canary" : "blue");
		(void)snprintf(shop->pools[i].name, NAME_TEXT, "%s", i ? "canary" : "blue");
		shop->pools[i].backends = &shop->backends[i];
		shop->pools[i].n_backends = 1;
	}
	shop->pools[1].ranges = &shop->range;
	shop->pools[1].n_ranges = canary_slots ? 1 : 0;
	(void)snprintf(shop->service.name, NAME_TEXT, "shop");
	shop->service.pools = shop->pools;
	shop->service.n_pools = 2;
	shop->policy.services = &shop->service;
	shop->policy.n_services = 1;
}

static bool is_refused(uint32_t slots_before, uint32_t weight_before, uint32_t slots_after,
		       uint32_t weight_after, struct diag *ret_fact)
{
	struct shop before, after;

	make_shop(&before, slots_before, weight_before);
	make_shop(&after, slots_after, weight_after);
	ret_fact->text[0] = '\0';
	return rail_health(&before.policy, &after.policy, ret_fact);
}

static void clients_for_a_pool_without_backends_are_refused_by_name(void **state)
{
	struct diag fact;

	(void)state;
	assert_true(is_refused(0, 0, HALF, 0, &fact));
	assert_non_null(strstr(fact.text, "'canary' of shop would have 50%"));
	assert_non_null(strstr(fact.text, "canary-1: ready, weight 0"));
	assert_true(is_refused(HALF, 1, HALF, 0, &fact));
}

static void a_dead_pool_may_lose_clients_or_keep_them(void **state)
{
	struct diag fact;

	(void)state;
	assert_false(is_refused(HALF, 0, HALF, 0, &fact));
	assert_false(is_refused(HALF, 0, HALF / 2, 0, &fact));
	assert_true(is_refused(HALF, 0, HALF + 1, 0, &fact));
	assert_false(is_refused(0, 0, 0, 0, &fact));
	assert_false(is_refused(0, 1, HALF, 1, &fact));
}

static void a_lock_names_who_when_until_and_why(void **state)
{
	struct journal_lock lock = {.is_set = true,
				    .since = 0,
				    .until = 3600,
				    .login = "anna",
				    .reason = "release freeze"};
	struct diag fact = {0};

	(void)state;
	assert_false(rail_lock(NULL, &fact));
	assert_true(rail_lock(&lock, &fact));
	assert_string_equal(fact.text, "anna locked it on 1970-01-01T00:00:00Z until "
				       "1970-01-01T01:00:00Z: release freeze");
	lock.until = 0;
	assert_true(rail_lock(&lock, &fact));
	assert_null(strstr(fact.text, "until"));
}

static void durations_have_a_unit_and_an_end(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {{"0s", 0}, {"500ms", 500}, {"5s", 5000}, {"2m", 120000}, {"24h", 86400000}};
	static const char *const bad[] = {"",	 "5",	"s",	"-5s", "+5s",
					  " 5s", "5 s", "1.5s", "25h", "99999999999999999999s"};
	struct diag why;
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(duration_parse(good[i].text, 86400000, &ms, &why), 0);
		assert_int_equal(ms, good[i].ms);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(duration_parse(bad[i], 86400000, &ms, &why), -EINVAL);
}

static void an_armed_window_refuses_with_the_time_left_and_where_it_ends(void **state)
{
	const struct steerer_window none = {0};
	const struct steerer_window armed = {
		.is_armed = true, .left_ms = 272000, .revision = 7, .fallback_revision = 8};
	struct diag fact = {0};

	(void)state;
	assert_false(rail_window(&none, &fact));
	assert_string_equal(fact.text, "");
	assert_true(rail_window(&armed, &fact));
	assert_non_null(strstr(fact.text, "revision 7 "));
	assert_non_null(strstr(fact.text, "in 4m32s"));
	assert_non_null(strstr(fact.text, "to revision 8"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_for_a_pool_without_backends_are_refused_by_name),
		cmocka_unit_test(a_dead_pool_may_lose_clients_or_keep_them),
		cmocka_unit_test(a_lock_names_who_when_until_and_why),
		cmocka_unit_test(durations_have_a_unit_and_an_end),
		cmocka_unit_test(an_armed_window_refuses_with_the_time_left_and_where_it_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
