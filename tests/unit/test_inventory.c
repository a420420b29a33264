// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Backend ids: upwards, kept, never a former one that somebody can still mean.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "base/diag.h"
#include "core/inventory.h"

/* One service with one pool of @n backends b0, b1, ... without ids. */
static struct policy make_policy(size_t n)
{
	struct policy policy = {.n_services = 1, .services = calloc(1, sizeof(struct service))};
	struct pool *pool = calloc(1, sizeof(*pool));

	assert_non_null(policy.services);
	assert_non_null(pool);
	(void)snprintf(policy.services->name, NAME_TEXT, "shop");
	(void)snprintf(pool->name, NAME_TEXT, "blue");
	policy.services->pools = pool;
	policy.services->n_pools = 1;
	pool->backends = calloc(n, sizeof(*pool->backends));
	pool->n_backends = n;
	assert_non_null(pool->backends);
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(pool->backends[i].name, NAME_TEXT, "b%zu", i);
		pool->backends[i].address.bytes[15] = (uint8_t)i;
		pool->backends[i].weight = pool->backends[i].weight_configured = 1;
	}
	return policy;
}

static struct backend *backend(const struct policy *policy, size_t i)
{
	return &policy->services->pools->backends[i];
}

static void how_transitions_go_is_what_the_configuration_says(void **state)
{
	struct policy live = make_policy(1), config = make_policy(1), next;
	struct diag why;

	(void)state;
	live.flows = 4096;
	live.services->deadline_ms = 1000;
	config.flows = 8192;
	config.services->deadline_ms = 2000;
	config.services->udp_flow = true;
	assert_int_equal(inventory_merge(&live, &config, &next, &why), 0);
	assert_int_equal(next.flows, 8192);
	assert_int_equal(next.services->deadline_ms, 2000);
	assert_true(next.services->udp_flow);
	policy_free(&live);
	policy_free(&config);
	policy_free(&next);
}

static void ids_go_upwards_and_stay(void **state)
{
	struct policy live = make_policy(2), config = make_policy(3), next;
	struct diag why;

	(void)state;
	assert_int_equal(inventory_number(&live, NULL, &why), 0);
	assert_int_equal(backend(&live, 1)->id, 2);
	backend(&config, 1)->address.bytes[15] = 77; /* another server under the same name */
	assert_int_equal(inventory_merge(&live, &config, &next, &why), 0);
	assert_int_equal(inventory_number(&next, NULL, &why), 0);
	assert_int_equal(backend(&next, 0)->id, 1);
	assert_int_equal(backend(&next, 1)->id, 3);
	assert_int_equal(backend(&next, 2)->id, 4);
	assert_int_equal(next.last_backend_id, 4);
	policy_free(&live);
	policy_free(&config);
	policy_free(&next);
}

static void a_former_id_is_taken_only_when_all_have_been(void **state)
{
	struct policy policy = make_policy(2);
	struct id_set *taken = calloc(1, sizeof(*taken));
	struct diag why;

	(void)state;
	assert_non_null(taken);
	policy.last_backend_id = STEER_BACKEND_IDS - 2;
	assert_true(inventory_needs_reuse(&policy));
	taken->is_taken[1] = true; /* resident */
	assert_int_equal(inventory_number(&policy, taken, &why), 0);
	assert_int_equal(backend(&policy, 0)->id, STEER_BACKEND_IDS - 1);
	assert_int_equal(backend(&policy, 1)->id, 2);
	assert_int_equal(policy.last_backend_id, STEER_BACKEND_IDS - 1);
	free(taken);
	policy_free(&policy);
}

static void a_policy_keeps_its_own_ids_from_being_taken(void **state)
{
	struct policy policy = make_policy(2);
	struct id_set *taken = calloc(1, sizeof(*taken));
	struct diag why;

	(void)state;
	assert_non_null(taken);
	policy.last_backend_id = STEER_BACKEND_IDS - 1;
	backend(&policy, 1)->id = 1;
	assert_int_equal(inventory_number(&policy, taken, &why), 0);
	assert_int_equal(backend(&policy, 0)->id, 2);
	free(taken);
	policy_free(&policy);
}

static void no_free_id_is_refused_by_name(void **state)
{
	struct policy policy = make_policy(1);
	struct id_set *taken = calloc(1, sizeof(*taken));
	struct diag why;

	(void)state;
	assert_non_null(taken);
	memset(taken->is_taken, true, sizeof(taken->is_taken));
	policy.last_backend_id = STEER_BACKEND_IDS - 1;
	assert_int_equal(inventory_number(&policy, taken, &why), -ENOSPC);
	assert_non_null(strstr(why.text, "'b0'"));
	assert_int_equal(inventory_number(&policy, NULL, &why), -ENOSPC);
	free(taken);
	policy_free(&policy);
}

static void plenty_of_ids_need_no_look_at_former_ones(void **state)
{
	struct policy policy = make_policy(2);

	(void)state;
	policy.last_backend_id = STEER_BACKEND_IDS - 3;
	assert_false(inventory_needs_reuse(&policy));
	policy_free(&policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(how_transitions_go_is_what_the_configuration_says),
		cmocka_unit_test(ids_go_upwards_and_stay),
		cmocka_unit_test(a_former_id_is_taken_only_when_all_have_been),
		cmocka_unit_test(a_policy_keeps_its_own_ids_from_being_taken),
		cmocka_unit_test(no_free_id_is_refused_by_name),
		cmocka_unit_test(plenty_of_ids_need_no_look_at_former_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
