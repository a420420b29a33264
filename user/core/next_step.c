// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/next_step.h"

#include <errno.h>
#include <stdlib.h>

#include "base/diag.h"
#include "base/own.h"
#include "core/cohort.h"

/* Slots that @pool takes, first one first, until it takes @rank; 0 if it never does. */
static uint32_t place_of_rank(const struct pool *pool, uint32_t rank)
{
	uint32_t taken = 0;

	for (size_t i = 0; i < pool->n_ranges; i++) {
		const struct range *range = &pool->ranges[i];

		if (rank - range->first < range->count)
			return taken + rank - range->first + 1;
		taken += range->count;
	}
	return 0;
}

/* The largest share that still is a step; from 100% there is only the way down. */
static uint32_t widest_step(const struct service *service, const struct pool *pool)
{
	uint32_t owned = service_pool_slots(service, pool);

	if (owned == STEER_SLOTS)
		return STEER_SLOTS - 1;
	return owned + service_pool_slots(service, &service->pools[service->active]);
}

int next_step_share(const struct service *service, const struct pool *pool, uint32_t slot,
		    const uint64_t key[2], uint32_t *ret_slots)
{
	const struct policy alone = {.services = (struct service *)service, .n_services = 1};
	const struct share_request request = {pool->name, widest_step(service, pool)};
	auto_free uint16_t *ranks = calloc(STEER_SLOTS, sizeof(*ranks));
	struct policy copy = {0};
	uint32_t place;
	bool is_changed;
	int error;

	*ret_slots = 0;
	if (pool == &service->pools[service->active])
		return 0;
	if (!ranks || policy_copy(&alone, &copy))
		return -ENOMEM;
	error = service_set(copy.services, &request, 1, 0, key, &is_changed, NULL);
	if (!error) {
		cohort_ranks(copy.services->seed, ranks);
		place = place_of_rank(service_pool(copy.services, pool->name), ranks[slot]);
		if (!place && service_pool_slots(service, pool) == STEER_SLOTS)
			place = STEER_SLOTS; /* the one that the widest step leaves out */
		*ret_slots = place;
	}
	policy_free(&copy);
	return error;
}
