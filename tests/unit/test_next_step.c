// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What "explain" foretells is what "set" then does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "core/cohort.h"
#include "core/next_step.h"

static const uint64_t key[2] = {7, 9};

enum { BLUE, GREEN, CANARY, POOLS };
static const char *const names[POOLS] = {"blue", "green", "canary"};

static struct policy make_shop(void)
{
	struct policy policy = {.n_services = 1};
	struct service *service = calloc(1, sizeof(*service));

	assert_non_null(service);
	policy.services = service;
	service->pools = calloc(POOLS, sizeof(*service->pools));
	service->n_pools = POOLS;
	assert_non_null(service->pools);
	for (size_t i = 0; i < POOLS; i++)
		(void)snprintf(service->pools[i].name, NAME_TEXT, "%s", names[i]);
	return policy;
}

static void set(struct service *service, const char *pool, uint32_t slots)
{
	const struct share_request request = {pool, slots};
	bool is_changed;

	assert_int_equal(service_set(service, &request, 1, 1, key, &is_changed, NULL), 0);
}

/* Pool of @slot after "set POOL SLOTS" on a copy. */
static const char *owner_after(const struct policy *policy, const char *pool, uint32_t slots,
			       uint32_t slot)
{
	static uint16_t ranks[STEER_SLOTS];
	static char name[NAME_TEXT];
	struct policy copy = {0};

	assert_int_equal(policy_copy(policy, &copy), 0);
	set(copy.services, pool, slots);
	cohort_ranks(copy.services->seed, ranks);
	(void)snprintf(name, sizeof(name), "%s",
		       service_rank_owner(copy.services, ranks[slot])->name);
	policy_free(&copy);
	return name;
}

static void check_slots(const struct policy *policy, size_t pool, const char *otherwise)
{
	const struct service *service = policy->services;

	for (uint32_t slot = 11; slot < STEER_SLOTS; slot += 9973) {
		uint32_t share;

		assert_int_equal(next_step_share(service, &service->pools[pool], slot, key, &share),
				 0);
		if (share == 0)
			continue;
		assert_string_equal(owner_after(policy, names[pool], share, slot), names[pool]);
		if (otherwise)
			assert_string_equal(owner_after(policy, names[pool], share - 1, slot),
					    otherwise);
	}
}

static void a_client_joins_at_the_share_foretold_and_not_below(void **state)
{
	struct policy policy = make_shop();

	(void)state;
	check_slots(&policy, CANARY, "blue");
	set(policy.services, "canary", 3277);
	check_slots(&policy, CANARY, "blue");
	check_slots(&policy, GREEN, NULL);
	policy_free(&policy);
}

static void a_client_leaves_below_the_share_foretold_even_from_all(void **state)
{
	struct policy policy = make_shop();

	(void)state;
	set(policy.services, "canary", 40000);
	check_slots(&policy, CANARY, "blue");
	set(policy.services, "canary", STEER_SLOTS);
	check_slots(&policy, CANARY, "blue");
	policy_free(&policy);
}

static void no_share_moves_a_client_out_of_a_third_pool(void **state)
{
	struct policy policy = make_shop();
	static uint16_t ranks[STEER_SLOTS];
	uint32_t share;

	(void)state;
	set(policy.services, "green", 1);
	cohort_ranks(policy.services->seed, ranks);
	for (uint32_t slot = 0; slot < STEER_SLOTS; slot++) {
		if (ranks[slot] != 0)
			continue;
		assert_int_equal(next_step_share(policy.services, &policy.services->pools[CANARY],
						 slot, key, &share),
				 0);
		assert_int_equal(share, 0);
	}
	policy_free(&policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_joins_at_the_share_foretold_and_not_below),
		cmocka_unit_test(a_client_leaves_below_the_share_foretold_even_from_all),
		cmocka_unit_test(no_share_moves_a_client_out_of_a_third_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
