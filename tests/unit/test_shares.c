/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who owns which slots, over long random walks of set, switch and restore; fixed draws. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/diag.h"
#include "core/table.h"

#define POOLS 4
#define STEPS 60

static const uint64_t key[2] = {1, 2};
static const char *const names[POOLS] = {"blue", "canary", "green", "red"};
static struct diag why;
static uint64_t random_state = 20240607;

static uint32_t draw(uint32_t below)
{
	random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)((random_state >> 33) % below);
}

/* A policy of one service with four pools; pool n has backends with ids 100 n + 1 and up. */
static struct policy make_policy(void)
{
	struct service *service = calloc(1, sizeof(*service));
	struct policy policy = {.services = service, .n_services = 1};

	assert_non_null(service);
	snprintf(service->name, sizeof(service->name), "web");
	service->pools = calloc(POOLS, sizeof(*service->pools));
	service->n_pools = POOLS;
	for (uint32_t p = 0; p < POOLS; p++) {
		struct pool *pool = &service->pools[p];

		snprintf(pool->name, sizeof(pool->name), "%s", names[p]);
		pool->backends = calloc(3, sizeof(*pool->backends));
		pool->n_backends = 3;
		for (uint32_t b = 0; b < 3; b++) {
			snprintf(pool->backends[b].name, NAME_TEXT, "%s-%u", names[p], b + 1);
			pool->backends[b].weight = 1 + b;
			pool->backends[b].id = 100 * p + b + 1;
		}
	}
	return policy;
}

static uint32_t slots_of(const struct service *service, uint32_t pool)
{
	return service_pool_slots(service, &service->pools[pool]);
}

static void set(struct service *service, const char *pool, uint32_t slots, uint64_t revision)
{
	struct share_request request = {pool, slots};
	bool is_changed;

	assert_int_equal(service_set(service, &request, 1, revision, key, &is_changed, &why), 0);
}

static void switch_to(struct service *service, const char *pool, uint64_t revision)
{
	bool is_changed;

	assert_int_equal(service_switch(service, pool, revision, key, &is_changed, &why), 0);
}

/* Compare two tables with the counts: exact shares, and crossings only where allowed. */
static void check_step(const struct service *former, const struct service *latter)
{
	static struct steer_table from, to;
	uint32_t counted[POOLS] = {0};

	assert_int_equal(table_compile(former, &from), 0);
	assert_int_equal(table_compile(latter, &to), 0);
	for (uint32_t slot = 0; slot < STEER_SLOTS; slot++) {
		uint32_t out_of = from.backend[slot] / 100, into = to.backend[slot] / 100;

		counted[into]++;
		if (former->seed != latter->seed)
			continue; /* one pool owned everything: any pool may gain */
		if (out_of == into) {
			assert_int_equal(from.backend[slot], to.backend[slot]);
			continue;
		}
		assert_true(into == former->active || into == latter->active ||
			    slots_of(latter, into) > slots_of(former, into));
		assert_true(out_of == former->active ||
			    slots_of(latter, out_of) < slots_of(former, out_of));
		assert_true(out_of == former->active || into == former->active);
	}
	for (uint32_t p = 0; p < POOLS; p++)
		assert_int_equal(counted[p], slots_of(latter, p));
}

/* A change that one operator may make: one share, as far as the active pool can give. */
static void set_random(struct service *service, uint64_t revision)
{
	uint32_t pool = draw(POOLS), most;
	uint32_t slots;

	if (pool == service->active)
		return;
	most = slots_of(service, pool) + slots_of(service, (uint32_t)service->active);
	slots = draw(8) ? draw(most + 1) : draw(2) * most;
	set(service, names[pool], slots, revision);
	assert_int_equal(slots_of(service, pool), slots);
}

static void clients_move_only_where_a_share_changed(void **state)
{
	(void)state;
	for (int walk = 0; walk < 10; walk++) {
		struct policy policy = make_policy(), copy;
		struct service *service = policy.services;

		for (uint64_t step = 1; step <= STEPS; step++) {
			assert_int_equal(policy_copy(&policy, &copy), 0);
			if (draw(10))
				set_random(service, step);
			else
				switch_to(service, names[draw(POOLS)], step);
			check_step(copy.services, service);
			policy_free(&copy);
		}
		policy_free(&policy);
	}
}

static void several_shares_at_once_cross_only_through_the_active_pool(void **state)
{
	(void)state;
	for (int round = 0; round < 30; round++) {
		struct policy policy = make_policy(), copy;
		struct share_request requests[3];
		bool is_changed;

		set(policy.services, "canary", 1 + draw(9000), 1);
		set(policy.services, "green", draw(9000), 2);
		assert_int_equal(policy_copy(&policy, &copy), 0);
		for (int i = 0; i < 3; i++)
			requests[i] = (struct share_request){names[i + 1], draw(9000)};
		assert_int_equal(
			service_set(policy.services, requests, 3, 3, key, &is_changed, &why), 0);
		check_step(copy.services, policy.services);
		policy_free(&copy);
		policy_free(&policy);
	}
}

static void lowering_and_raising_again_is_the_same_cohort(void **state)
{
	static struct steer_table first, second;
	struct policy policy = make_policy();
	struct service *service = policy.services;

	(void)state;
	set(service, "green", 6554, 1);
	assert_int_equal(table_compile(service, &first), 0);
	set(service, "green", 655, 2);
	set(service, "green", 6554, 3);
	assert_int_equal(table_compile(service, &second), 0);
	assert_memory_equal(&first, &second, sizeof(first));
	set(service, "green", 0, 4); /* a retry of the same version */
	set(service, "green", 6554, 5);
	assert_int_equal(table_compile(service, &second), 0);
	assert_memory_equal(&first, &second, sizeof(first));
	policy_free(&policy);
}

static void another_version_draws_another_cohort_once_the_field_is_clear(void **state)
{
	struct policy policy = make_policy();
	struct service *service = policy.services;
	uint64_t seed;

	(void)state;
	set(service, "green", 100, 1);
	seed = service->seed;
	snprintf(service->pools[2].version, NAME_TEXT, "2.0");
	set(service, "green", 200, 2);
	set(service, "red", 200, 3);
	set(service, "green", 0, 4);
	set(service, "green", 100, 5);
	assert_true(service->seed == seed);
	set(service, "green", 0, 6);
	set(service, "red", 0, 7);
	set(service, "green", 100, 8);
	assert_true(service->seed != seed);
	policy_free(&policy);
}

static void base_is_the_last_revision_with_one_owner(void **state)
{
	struct policy policy = make_policy();
	struct service *service = policy.services;
	bool is_changed;

	(void)state;
	set(service, "green", 3277, 7);
	assert_int_equal(service->base.revision, 7);
	assert_int_equal(service->base.n_pools, 0);
	assert_string_equal(service->base.active, "blue");
	set(service, "green", 32768, 8);
	set(service, "green", STEER_SLOTS, 9);
	assert_int_equal(service->base.revision, 7);
	assert_int_equal(service->before.revision, 9);
	assert_int_equal(service->before.n_pools, 1);
	switch_to(service, "green", 10); /* moves nobody: still the same release */
	assert_int_equal(service->base.revision, 7);
	assert_int_equal(slots_of(service, 2), STEER_SLOTS);
	assert_int_equal(service_restore(service, &service->base, &is_changed, &why), 0);
	assert_true(is_changed);
	assert_int_equal(slots_of(service, 0), STEER_SLOTS);
	switch_to(service, "red", 12);
	assert_int_equal(service->base.revision, 12);
	policy_free(&policy);
}

static void restore_gives_identical_tables(void **state)
{
	static struct steer_table first, second;

	(void)state;
	for (int walk = 0; walk < 10; walk++) {
		struct policy policy = make_policy();
		struct service *service = policy.services;
		struct shares shares, now;
		bool is_changed;

		for (uint64_t step = 1; step < 20; step++)
			set_random(service, step);
		assert_int_equal(service_shares(service, 20, &shares), 0);
		assert_int_equal(table_compile(service, &first), 0);
		for (uint64_t step = 21; step < 40; step++)
			set_random(service, step);
		switch_to(service, names[draw(POOLS)], 40);
		assert_int_equal(service_restore(service, &shares, &is_changed, &why), 0);
		assert_int_equal(table_compile(service, &second), 0);
		assert_memory_equal(&first, &second, sizeof(first));
		assert_int_equal(service_shares(service, 41, &now), 0);
		assert_true(shares_equal(&shares, &now));
		assert_int_equal(service_restore(service, &shares, &is_changed, &why), 0);
		assert_false(is_changed);
		set(service, names[service->active ? 0 : 1], 77, 42);
		shares_free(&now);
		shares_free(&shares);
		policy_free(&policy);
	}
}

static void restore_copes_with_pools_that_are_gone(void **state)
{
	struct policy policy = make_policy();
	struct service *service = policy.services;
	struct shares shares;
	bool is_changed;

	(void)state;
	set(service, "green", 1000, 1);
	set(service, "red", 500, 2);
	assert_int_equal(service_shares(service, 3, &shares), 0);
	snprintf(service->pools[2].name, NAME_TEXT, "mint");
	assert_int_equal(service_restore(service, &shares, &is_changed, &why), 0);
	assert_true(is_changed);
	assert_int_equal(slots_of(service, 2), 0);
	assert_int_equal(slots_of(service, 3), 500);
	assert_int_equal(slots_of(service, 0), STEER_SLOTS - 500);
	snprintf(service->pools[0].name, NAME_TEXT, "navy");
	assert_int_equal(service_restore(service, &shares, &is_changed, &why), -ENOENT);
	shares_free(&shares);
	policy_free(&policy);
}

static void rank_owner_agrees_with_the_shares(void **state)
{
	struct policy policy = make_policy();
	uint32_t counted[POOLS] = {0};

	(void)state;
	for (uint64_t step = 1; step < 20; step++)
		set_random(policy.services, step);
	for (uint32_t rank = 0; rank < STEER_SLOTS; rank++)
		counted[service_rank_owner(policy.services, rank) - policy.services->pools]++;
	for (uint32_t p = 0; p < POOLS; p++)
		assert_int_equal(counted[p], slots_of(policy.services, p));
	policy_free(&policy);
}

static void expect_refusal(struct service *service, const struct share_request *requests, size_t n,
			   int error)
{
	struct shares former, latter;
	bool is_changed = true;

	assert_int_equal(service_shares(service, 1, &former), 0);
	assert_int_equal(service_set(service, requests, n, 9, key, &is_changed, &why), error);
	assert_int_equal(service_shares(service, 1, &latter), 0);
	assert_true(is_changed);
	assert_true(shares_equal(&former, &latter));
	shares_free(&former);
	shares_free(&latter);
}

static void requests_that_do_not_add_up_are_refused(void **state)
{
	const struct share_request unknown[] = {{"green", 5}, {"pink", 5}};
	const struct share_request too_much[] = {{"green", 40000}, {"red", 25537}};
	const struct share_request odd_active[] = {{"blue", 40000}, {"green", 20000}};
	const struct share_request twice[] = {{"green", 5}, {"green", 6}};
	const struct share_request good[] = {{"blue", 45536}, {"green", 20000}};
	struct policy policy = make_policy();
	bool is_changed;

	(void)state;
	expect_refusal(policy.services, unknown, 2, -ENOENT);
	expect_refusal(policy.services, too_much, 2, -ERANGE);
	expect_refusal(policy.services, odd_active, 2, -EINVAL);
	expect_refusal(policy.services, twice, 2, -EINVAL);
	assert_int_equal(service_set(policy.services, good, 2, 9, key, &is_changed, &why), 0);
	assert_true(is_changed);
	assert_int_equal(service_set(policy.services, good, 2, 10, key, &is_changed, &why), 0);
	assert_false(is_changed);
	assert_int_equal(policy.services->before.revision, 9);
	policy_free(&policy);
}

static void look_ups_find_by_name(void **state)
{
	struct policy policy = make_policy();
	struct pool *pool = NULL;

	(void)state;
	assert_ptr_equal(policy_service(&policy, "web"), policy.services);
	assert_null(policy_service(&policy, "shop"));
	assert_null(service_pool(policy.services, "pink"));
	assert_int_equal(service_backend(policy.services, "red-2", &pool)->id, 302);
	assert_string_equal(pool->name, "red");
	assert_null(service_backend(policy.services, "red-4", &pool));
	policy_free(&policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_move_only_where_a_share_changed),
		cmocka_unit_test(several_shares_at_once_cross_only_through_the_active_pool),
		cmocka_unit_test(lowering_and_raising_again_is_the_same_cohort),
		cmocka_unit_test(another_version_draws_another_cohort_once_the_field_is_clear),
		cmocka_unit_test(base_is_the_last_revision_with_one_owner),
		cmocka_unit_test(restore_gives_identical_tables),
		cmocka_unit_test(restore_copes_with_pools_that_are_gone),
		cmocka_unit_test(rank_owner_agrees_with_the_shares),
		cmocka_unit_test(requests_that_do_not_add_up_are_refused),
		cmocka_unit_test(look_ups_find_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
