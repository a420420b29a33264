/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who owns which ranks: counted, looked up, remembered and compared. shares_change.c changes it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/policy.h"

static uint32_t ranges_slots(const struct range *ranges, size_t n)
{
	uint32_t slots = 0;

	for (size_t i = 0; i < n; i++)
		slots += ranges[i].count;
	return slots;
}

int ranges_copy(const struct range *from, size_t n, struct range **ret_ranges)
{
	struct range *copy = NULL;

	if (n) {
		copy = calloc(n, sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		memcpy(copy, from, n * sizeof(*copy));
	}
	*ret_ranges = copy;
	return 0;
}

uint32_t service_pool_slots(const struct service *service, const struct pool *pool)
{
	const struct pool *active = &service->pools[service->active];
	uint32_t slots = STEER_SLOTS;

	if (pool != active)
		return ranges_slots(pool->ranges, pool->n_ranges);
	for (size_t i = 0; i < service->n_pools; i++) {
		if (i != service->active)
			slots -= ranges_slots(service->pools[i].ranges, service->pools[i].n_ranges);
	}
	return slots;
}

struct pool *service_rank_owner(const struct service *service, uint32_t rank)
{
	for (size_t i = 0; i < service->n_pools; i++) {
		struct pool *pool = &service->pools[i];

		for (size_t r = 0; i != service->active && r < pool->n_ranges; r++) {
			if (rank - pool->ranges[r].first < pool->ranges[r].count)
				return pool;
		}
	}
	return &service->pools[service->active];
}

int service_shares(const struct service *service, uint64_t revision, struct shares *ret_shares)
{
	struct shares shares = {.revision = revision, .seed = service->seed};

	memcpy(shares.active, service->pools[service->active].name, NAME_TEXT);
	shares.pools = calloc(service->n_pools, sizeof(*shares.pools));
	if (!shares.pools)
		return -ENOMEM;
	for (size_t i = 0; i < service->n_pools; i++) {
		const struct pool *pool = &service->pools[i];
		struct shares_pool *copy = &shares.pools[shares.n_pools];

		if (i == service->active || !pool->n_ranges)
			continue;
		if (ranges_copy(pool->ranges, pool->n_ranges, &copy->ranges)) {
			shares_free(&shares);
			return -ENOMEM;
		}
		memcpy(copy->name, pool->name, NAME_TEXT);
		copy->n_ranges = pool->n_ranges;
		shares.n_pools++;
	}
	*ret_shares = shares;
	return 0;
}

/* Name of the owner of @rank; lowers *@end to the first rank that may have another one. */
static const char *shares_owner(const struct shares *shares, uint32_t rank, uint32_t *end)
{
	for (size_t i = 0; i < shares->n_pools; i++) {
		const struct shares_pool *pool = &shares->pools[i];

		for (size_t r = 0; r < pool->n_ranges; r++) {
			uint32_t first = pool->ranges[r].first;
			uint32_t past = first + pool->ranges[r].count;

			if (first > rank && first < *end)
				*end = first;
			if (first > rank || past <= rank)
				continue;
			if (past < *end)
				*end = past;
			return pool->name;
		}
	}
	return shares->active;
}

bool shares_equal(const struct shares *a, const struct shares *b)
{
	uint32_t rank = 0;

	if (a->seed != b->seed)
		return false;
	while (rank < STEER_SLOTS) {
		uint32_t end = STEER_SLOTS;
		const char *left = shares_owner(a, rank, &end);
		const char *right = shares_owner(b, rank, &end);

		if (strcmp(left, right) != 0)
			return false;
		rank = end;
	}
	return true;
}
