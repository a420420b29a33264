// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/inventory.h"

#include <errno.h>
#include <string.h>

#include "base/diag.h"

void ids_collect(const struct policy *policy, struct id_set *set)
{
	for (size_t s = 0; s < policy->n_services; s++)
		for (size_t p = 0; p < policy->services[s].n_pools; p++)
			for (size_t b = 0; b < policy->services[s].pools[p].n_backends; b++)
				set->is_taken[policy->services[s].pools[p].backends[b].id %
					      STEER_BACKEND_IDS] = true;
}

/* Ids are given out upwards; at the end, the lowest that nobody can mean any more. */
static uint32_t next_id(const struct policy *policy, const struct id_set *taken)
{
	if (policy->last_backend_id + 1 < STEER_BACKEND_IDS)
		return policy->last_backend_id + 1;
	for (uint32_t id = 1; taken && id < STEER_BACKEND_IDS; id++)
		if (!taken->is_taken[id])
			return id;
	return 0;
}

static int give_id(struct policy *policy, struct backend *backend, struct id_set *taken,
		   struct diag *why)
{
	uint32_t id = next_id(policy, taken);

	if (id == 0)
		return diag_fail(why, -ENOSPC,
				 "backend '%s': all %u backend ids are in use or still in a "
				 "resident generation; apply fewer new backends at once",
				 backend->name, STEER_BACKEND_IDS - 1);
	backend->id = id;
	if (id > policy->last_backend_id)
		policy->last_backend_id = id;
	if (taken)
		taken->is_taken[id] = true;
	return 0;
}

int inventory_number(struct policy *policy, struct id_set *taken, struct diag *why)
{
	int error = 0;

	if (taken)
		ids_collect(policy, taken);
	for (size_t s = 0; s < policy->n_services; s++)
		for (size_t p = 0; p < policy->services[s].n_pools; p++)
			for (size_t b = 0; b < policy->services[s].pools[p].n_backends; b++) {
				struct backend *backend = &policy->services[s].pools[p].backends[b];

				if (backend->id == 0 && !error)
					error = give_id(policy, backend, taken, why);
			}
	return error;
}

bool inventory_needs_reuse(const struct policy *policy)
{
	uint32_t missing = 0;

	for (size_t s = 0; s < policy->n_services; s++)
		for (size_t p = 0; p < policy->services[s].n_pools; p++)
			for (size_t b = 0; b < policy->services[s].pools[p].n_backends; b++)
				missing += policy->services[s].pools[p].backends[b].id == 0;
	return policy->last_backend_id + missing >= STEER_BACKEND_IDS;
}

static void keep_backends(const struct service *live, struct service *next)
{
	for (size_t p = 0; p < next->n_pools; p++) {
		const struct pool *was = service_pool(live, next->pools[p].name);

		for (size_t b = 0; was && b < next->pools[p].n_backends; b++) {
			struct backend *backend = &next->pools[p].backends[b];

			for (size_t i = 0; i < was->n_backends; i++) {
				const struct backend *old = &was->backends[i];

				if (strcmp(old->name, backend->name) != 0 ||
				    memcmp(&old->address, &backend->address,
					   sizeof(old->address)) != 0)
					continue;
				backend->id = old->id;
				backend->state = old->state;
				if (old->weight != old->weight_configured)
					backend->weight = old->weight;
			}
		}
	}
}

/* Give @next the shares of @live; a pool that owns slots must still exist. */
static int keep_shares(const struct service *live, struct service *next, struct diag *why)
{
	struct shares shares = {0}, base = {0};
	bool changed;
	int error;

	for (size_t p = 0; p < live->n_pools; p++) {
		const struct pool *pool = &live->pools[p];

		if (!service_pool(next, pool->name) && service_pool_slots(live, pool))
			return diag_fail(why, -EBUSY,
					 "service '%s': pool '%s' still owns %u slots; 'steerctl "
					 "-s %s set %s 0%%' or switch away before removing it",
					 live->name, pool->name, service_pool_slots(live, pool),
					 live->name, pool->name);
	}
	error = service_shares(live, live->revision, &shares);
	if (!error)
		error = service_restore(next, &shares, &changed, why);
	shares_free(&shares);
	if (error)
		return error;
	next->revision = live->revision;
	shares_free(&base);
	error = shares_copy(&live->base, &next->base);
	return error ? error : shares_copy(&live->before, &next->before);
}

int inventory_merge(const struct policy *live, const struct policy *config, struct policy *ret_next,
		    struct diag *why)
{
	struct policy next = {0};
	int error = policy_copy(config, &next);

	if (error)
		return diag_fail(why, error, "out of memory merging the configuration");
	next.revision = live->revision;
	next.last_backend_id = live->last_backend_id;
	for (size_t s = 0; s < next.n_services && !error; s++) {
		const struct service *was = policy_service(live, next.services[s].name);

		if (!was)
			continue;
		keep_backends(was, &next.services[s]);
		error = keep_shares(was, &next.services[s], why);
	}
	if (error)
		policy_free(&next);
	else
		*ret_next = next;
	return error;
}
