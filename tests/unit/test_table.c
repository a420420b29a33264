/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Pool tables and service tables over many random pools; the seed of the draws is fixed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/table.h"

#define MANY 100

static uint16_t before[STEER_SLOTS], after[STEER_SLOTS];
static struct backend backends[2][STEER_BACKENDS];
static uint64_t random_state;

static uint32_t draw(uint32_t below)
{
	random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)((random_state >> 33) % below);
}

static int begin(void **state)
{
	(void)state;
	random_state = 20240607;
	return 0;
}

static struct pool make_pool(uint32_t which, const char *name, uint32_t n)
{
	struct pool pool = {.backends = backends[which], .n_backends = n};

	snprintf(pool.name, sizeof(pool.name), "%s", name);
	for (uint32_t i = 0; i < n; i++) {
		struct backend *backend = &pool.backends[i];

		memset(backend, 0, sizeof(*backend));
		snprintf(backend->name, sizeof(backend->name), "%s-%u", name, i + 1);
		backend->weight = backend->weight_configured = 100;
		backend->id = which * STEER_BACKENDS + i + 1;
	}
	return pool;
}

static void count(const struct pool *pool, const uint16_t *index, uint32_t *ret_slots)
{
	memset(ret_slots, 0, pool->n_backends * sizeof(*ret_slots));
	for (uint32_t slot = 0; slot < STEER_SLOTS; slot++) {
		assert_true(index[slot] < pool->n_backends);
		ret_slots[index[slot]]++;
	}
}

static void equal_backends_get_equal_shares(void **state)
{
	uint32_t slots[MANY];

	(void)state;
	for (uint32_t n = 1; n <= MANY; n++) {
		struct pool pool = make_pool(0, "blue", n);

		assert_int_equal(pool_table(&pool, before), 0);
		count(&pool, before, slots);
		assert_true(table_imbalance(&pool, slots) <= 1.01);
	}
}

static void weights_are_met_to_the_slot(void **state)
{
	uint32_t slots[MANY];

	(void)state;
	for (int round = 0; round < 50; round++) {
		struct pool pool = make_pool(0, "blue", 1 + draw(MANY));
		uint64_t weights = 0;

		for (uint32_t i = 0; i < pool.n_backends; i++)
			weights += pool.backends[i].weight = draw(1001);
		if (!weights)
			continue;
		assert_int_equal(pool_table(&pool, before), 0);
		count(&pool, before, slots);
		for (uint32_t i = 0; i < pool.n_backends; i++) {
			uint64_t quota = (uint64_t)STEER_SLOTS * pool.backends[i].weight / weights;

			assert_in_range(slots[i], quota, quota + 1);
			assert_true(pool.backends[i].weight || !slots[i]);
		}
	}
}

static void failure_moves_only_the_failed_backends_clients(void **state)
{
	(void)state;
	for (int round = 0; round < 100; round++) {
		struct pool pool = make_pool(0, "blue", 2 + draw(40));
		uint32_t failed = draw((uint32_t)pool.n_backends);

		for (uint32_t i = 0; i < pool.n_backends; i++) {
			pool.backends[i].weight = 1 + draw(1000);
			pool.backends[i].state = draw(4) ? BACKEND_READY : BACKEND_MAINT;
		}
		pool.backends[failed].state = BACKEND_READY;
		pool.backends[(failed + 1) % pool.n_backends].state = BACKEND_READY;
		assert_int_equal(pool_table(&pool, before), 0);
		pool.backends[failed].state = draw(2) ? BACKEND_DRAIN : BACKEND_MAINT;
		assert_int_equal(pool_table(&pool, after), 0);
		for (uint32_t slot = 0; slot < STEER_SLOTS; slot++) {
			assert_true(after[slot] != failed);
			assert_int_equal(pool.backends[after[slot]].state, BACKEND_READY);
			assert_true(before[slot] == failed || before[slot] == after[slot]);
		}
		pool.backends[failed].state = BACKEND_READY;
		assert_int_equal(pool_table(&pool, after), 0);
		assert_memory_equal(before, after, sizeof(before));
	}
}

static void failed_backends_clients_spread_over_all_peers(void **state)
{
	struct pool pool = make_pool(0, "blue", 10);
	uint32_t slots[MANY];

	(void)state;
	pool.backends[3].state = BACKEND_MAINT;
	assert_int_equal(pool_table(&pool, after), 0);
	count(&pool, after, slots);
	assert_true(table_imbalance(&pool, slots) <= 1.02);
}

static void last_backend_standing_gets_every_slot(void **state)
{
	struct pool pool = make_pool(0, "blue", STEER_BACKENDS);

	(void)state;
	for (uint32_t i = 0; i < pool.n_backends; i++) {
		pool.backends[i].weight = i ? 1000 : 1;
		pool.backends[i].state = i ? BACKEND_MAINT : BACKEND_READY;
	}
	assert_true(pool_has_eligible(&pool));
	assert_int_equal(pool_table(&pool, after), 0);
	for (uint32_t slot = 0; slot < STEER_SLOTS; slot++)
		assert_int_equal(after[slot], 0);
}

static void pool_without_eligible_backend_has_no_owner(void **state)
{
	struct pool pool = make_pool(0, "blue", 3);

	(void)state;
	pool.backends[0].weight = 0;
	pool.backends[1].state = BACKEND_DRAIN;
	pool.backends[2].state = BACKEND_MAINT;
	for (int round = 0; round < 2; round++, pool.n_backends = 0) {
		assert_false(pool_has_eligible(&pool));
		assert_int_equal(pool_table(&pool, after), 0);
		for (uint32_t slot = 0; slot < STEER_SLOTS; slot++)
			assert_int_equal(after[slot], 0xffff);
	}
}

static void order_in_the_file_does_not_matter(void **state)
{
	struct pool pool = make_pool(0, "blue", 31), turned;

	(void)state;
	for (uint32_t i = 0; i < pool.n_backends; i++)
		pool.backends[i].weight = 1 + draw(5);
	pool.backends[7].state = BACKEND_MAINT;
	turned = make_pool(1, "blue", 31);
	for (uint32_t i = 0; i < pool.n_backends; i++)
		turned.backends[i] = pool.backends[30 - i];
	assert_int_equal(pool_table(&pool, before), 0);
	assert_int_equal(pool_table(&turned, after), 0);
	for (uint32_t slot = 0; slot < STEER_SLOTS; slot++)
		assert_int_equal(before[slot], 30 - after[slot]);
}

static void changing_backends_moves_no_client_between_pools(void **state)
{
	static struct steer_table former, latter;
	struct range ranges[2] = {{100, 3000}, {40000, 7000}};

	(void)state;
	for (uint32_t round = 0; round < 20; round++) {
		uint32_t n = 2 + draw(30), greens = 0;
		struct pool pools[2] = {make_pool(0, "blue", n), make_pool(1, "green", 5)};
		struct service service = {.pools = pools, .n_pools = 2, .seed = round};

		pools[1].ranges = ranges;
		pools[1].n_ranges = 2;
		assert_int_equal(table_compile(&service, &former), 0);
		pools[0].n_backends = n - 1 + 2 * draw(2);
		pools[0] = make_pool(0, "blue", (uint32_t)pools[0].n_backends);
		pools[1] = make_pool(1, "green", 4 + draw(3));
		pools[1].ranges = ranges;
		pools[1].n_ranges = 2;
		assert_int_equal(table_compile(&service, &latter), 0);
		for (uint32_t slot = 0; slot < STEER_SLOTS; slot++) {
			bool was_green = former.backend[slot] > STEER_BACKENDS;

			assert_true(former.backend[slot] && latter.backend[slot]);
			assert_int_equal(was_green, latter.backend[slot] > STEER_BACKENDS);
			greens += was_green;
		}
		assert_int_equal(greens, 10000);
	}
}

static void adding_a_backend_moves_few_clients_of_its_peers(void **state)
{
	struct pool pool = make_pool(0, "blue", 20);
	uint32_t moved = 0;

	(void)state;
	assert_int_equal(pool_table(&pool, before), 0);
	pool = make_pool(0, "blue", 21);
	assert_int_equal(pool_table(&pool, after), 0);
	for (uint32_t slot = 0; slot < STEER_SLOTS; slot++)
		moved += after[slot] != 20 && after[slot] != before[slot];
	print_message("moved among the 20 peers: %.2f%%\n", moved * 100.0 / STEER_SLOTS);
	assert_true(moved < STEER_SLOTS / 10);
}

static void compiling_a_hundred_backends_is_fast(void **state)
{
	static struct steer_table table;
	struct pool pool = make_pool(0, "blue", MANY);
	struct service service = {.pools = &pool, .n_pools = 1};
	clock_t start = clock();

	(void)state;
	for (int round = 0; round < 20; round++)
		assert_int_equal(table_compile(&service, &table), 0);
	print_message("%.2f ms per table\n",
		      (double)(clock() - start) * 1000.0 / CLOCKS_PER_SEC / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_backends_get_equal_shares),
		cmocka_unit_test(weights_are_met_to_the_slot),
		cmocka_unit_test(failure_moves_only_the_failed_backends_clients),
		cmocka_unit_test(failed_backends_clients_spread_over_all_peers),
		cmocka_unit_test(last_backend_standing_gets_every_slot),
		cmocka_unit_test(pool_without_eligible_backend_has_no_owner),
		cmocka_unit_test(order_in_the_file_does_not_matter),
		cmocka_unit_test(changing_backends_moves_no_client_between_pools),
		cmocka_unit_test(adding_a_backend_moves_few_clients_of_its_peers),
		cmocka_unit_test(compiling_a_hundred_backends_is_fast),
	};

	return cmocka_run_group_tests(tests, begin, NULL);
}
