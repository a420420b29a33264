/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One service's policy -> slot to backend id. Joins the ranks of the slots, the pools that own
 * the ranks and the tables of the pools; each is made elsewhere and is pure.
 */
#include "core/table.h"

#include <errno.h>
#include <stdlib.h>

#include "base/own.h"
#include "core/cohort.h"

static void fill_owners(const struct service *service, uint16_t owner[static STEER_SLOTS])
{
	for (uint32_t rank = 0; rank < STEER_SLOTS; rank++)
		owner[rank] = (uint16_t)service->active;
	for (size_t i = 0; i < service->n_pools; i++) {
		const struct pool *pool = &service->pools[i];

		for (size_t r = 0; i != service->active && r < pool->n_ranges; r++) {
			uint32_t rank = pool->ranges[r].first;
			uint32_t end = rank + pool->ranges[r].count;

			for (; rank < end && rank < STEER_SLOTS; rank++)
				owner[rank] = (uint16_t)i;
		}
	}
}

int table_compile(const struct service *service, struct steer_table *ret_table)
{
	auto_free uint16_t *scratch = calloc(4 * STEER_SLOTS, sizeof(*scratch));
	uint16_t *rank = scratch, *owner, *index, *id;

	if (!scratch)
		return -ENOMEM;
	owner = scratch + STEER_SLOTS;
	index = owner + STEER_SLOTS;
	id = index + STEER_SLOTS;
	cohort_ranks(service->seed, rank);
	fill_owners(service, owner);
	for (size_t i = 0; i < service->n_pools; i++) {
		const struct pool *pool = &service->pools[i];
		int error;

		if (!service_pool_slots(service, pool))
			continue;
		error = pool_table(pool, index);
		if (error)
			return error;
		for (uint32_t slot = 0; slot < STEER_SLOTS; slot++) {
			if (owner[rank[slot]] == i && index[slot] < pool->n_backends)
				id[slot] = (uint16_t)pool->backends[index[slot]].id;
		}
	}
	for (uint32_t slot = 0; slot < STEER_SLOTS; slot++)
		ret_table->backend[slot] = id[slot];
	return 0;
}

double table_imbalance(const struct pool *pool, const uint32_t *slots)
{
	double owned = 0, weights = 0, most = 0;

	for (size_t i = 0; i < pool->n_backends; i++) {
		const struct backend *backend = &pool->backends[i];

		/* Backends that are to own nothing would make every pool look uneven. */
		if (backend->state != BACKEND_READY || !backend->weight)
			continue;
		owned += slots[i];
		weights += backend->weight;
		if ((double)slots[i] / backend->weight > most)
			most = (double)slots[i] / backend->weight;
	}
	return owned > 0 ? most / (owned / weights) : 0;
}
