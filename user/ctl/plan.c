// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "ctl/plan.h"

#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "core/cohort.h"

struct side {
	const struct service *service;
	struct steer_table table;
	uint16_t owner[STEER_SLOTS]; /* slot -> index into pools */
};

/* Index of the pool that owns each slot. Errors: -ENOMEM. */
static int find_owners(const struct service *service, uint16_t ret_owner[static STEER_SLOTS])
{
	auto_free uint16_t *rank = calloc(STEER_SLOTS, sizeof(*rank));
	auto_free uint16_t *rank_owner = calloc(STEER_SLOTS, sizeof(*rank_owner));

	if (!rank || !rank_owner)
		return -ENOMEM;
	cohort_ranks(service->seed, rank);
	for (size_t r = 0; r < STEER_SLOTS; r++)
		rank_owner[r] = (uint16_t)service->active;
	for (size_t p = 0; p < service->n_pools; p++) {
		const struct pool *pool = &service->pools[p];

		for (size_t i = 0; i < pool->n_ranges; i++)
			for (uint32_t r = 0; r < pool->ranges[i].count; r++)
				rank_owner[(pool->ranges[i].first + r) % STEER_SLOTS] = (uint16_t)p;
	}
	for (size_t slot = 0; slot < STEER_SLOTS; slot++)
		ret_owner[slot] = rank_owner[rank[slot]];
	return 0;
}

static int side_build(const struct service *service, struct side *side)
{
	int result = find_owners(service, side->owner);

	side->service = service;
	return result ? result : table_compile(service, &side->table);
}

/* Does @pool own more slots in @after than in @before? */
static bool pool_grew(const struct service *before, const struct pool *pool,
		      const struct service *after)
{
	const struct pool *old = service_pool(before, pool->name);

	return service_pool_slots(after, pool) > (old ? service_pool_slots(before, old) : 0);
}

static const char *home_of(const struct service *before, const struct service *after)
{
	return after->base.revision ? after->base.active : before->pools[before->active].name;
}

int plan_compare(const struct service *before, const struct service *after,
		 struct plan_moves *ret_moves)
{
	auto_free struct side *old = calloc(1, sizeof(*old));
	auto_free struct side *new = calloc(1, sizeof(*new));
	const char *home = home_of(before, after);
	struct plan_moves moves = {0};

	if (!old || !new || side_build(before, old) || side_build(after, new))
		return -ENOMEM;
	for (size_t slot = 0; slot < STEER_SLOTS; slot++) {
		const struct pool *from = &before->pools[old->owner[slot]];
		const struct pool *to = &after->pools[new->owner[slot]];

		if (strcmp(from->name, to->name) == 0)
			moves.within += old->table.backend[slot] != new->table.backend[slot];
		else if (strcmp(to->name, home) == 0)
			moves.back++;
		else if (strcmp(from->name, home) == 0 || pool_grew(before, to, after))
			moves.forward++;
		else
			moves.back++;
	}
	*ret_moves = moves;
	return 0;
}

void plan_backend_slots(const struct steer_table *table, const struct pool *pool,
			uint32_t *ret_slots)
{
	auto_free uint32_t *count = calloc(STEER_BACKEND_IDS, sizeof(*count));

	memset(ret_slots, 0, pool->n_backends * sizeof(*ret_slots));
	if (!count)
		return;
	for (size_t slot = 0; slot < STEER_SLOTS; slot++)
		count[table->backend[slot]]++;
	for (size_t i = 0; i < pool->n_backends; i++)
		ret_slots[i] = count[pool->backends[i].id];
}
