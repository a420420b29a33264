// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Looking at open connections: what is bound to a backend, and what decides for one flow.
 */
#include <errno.h>
#include <netinet/in.h>

#include "base/own.h"
#include "core/flows.h"
#include "core/steerer_private.h"
#include "core/table.h"

/* What a settled service left in the table is nobody's record: nothing looks it up. */
static void forget_settled(const struct steerer *steerer, uint32_t recorded[STEER_BACKEND_IDS])
{
	for (size_t i = 0; i < steerer->policy.n_services; i++) {
		const struct service *service = &steerer->policy.services[i];

		for (size_t p = 0; !steerer->bank.origin[i] && p < service->n_pools; p++)
			for (size_t b = 0; b < service->pools[p].n_backends; b++)
				recorded[service->pools[p].backends[b].id % STEER_BACKEND_IDS] = 0;
	}
}

static int count_records(const struct steerer *steerer,
			 uint32_t ret_recorded[static STEER_BACKEND_IDS])
{
	int error = flows_count(&steerer->dp, ret_recorded, NULL);

	if (!error)
		forget_settled(steerer, ret_recorded);
	return error;
}

/* The origins of a service that is in transition, NULL of a settled one. */
static int read_origins(const struct steerer *steerer, size_t service,
			struct steer_table **ret_origins)
{
	size_t size;

	*ret_origins = NULL;
	if (!steerer->bank.origin[service])
		return 0;
	return object_read(&steerer->dp, OBJECT_TABLE, steerer->bank.origin[service],
			   (void **)ret_origins, &size, NULL);
}

/* Add to @ret_slots how many slots have each backend as their origin. */
static int count_origins(const struct steerer *steerer,
			 uint32_t ret_slots[static STEER_BACKEND_IDS])
{
	for (size_t i = 0; i < steerer->policy.n_services; i++) {
		auto_free struct steer_table *origins = NULL;
		int error = read_origins(steerer, i, &origins);

		if (error)
			return error;
		for (size_t slot = 0; origins && slot < STEER_SLOTS; slot++)
			ret_slots[origins->backend[slot] % STEER_BACKEND_IDS]++;
	}
	return 0;
}

static bool is_known(const struct steerer *steerer, uint32_t id)
{
	for (size_t i = 0; i < steerer->policy.n_services; i++) {
		const struct service *service = &steerer->policy.services[i];

		for (size_t p = 0; p < service->n_pools; p++)
			for (size_t b = 0; b < service->pools[p].n_backends; b++)
				if (service->pools[p].backends[b].id == id)
					return true;
	}
	return false;
}

int steerer_bounds(const struct steerer *steerer, const uint32_t *ids, size_t count,
		   struct steerer_bound *ret_bounds)
{
	auto_free uint32_t *recorded = calloc(2 * STEER_BACKEND_IDS, sizeof(*recorded));
	uint32_t *slots = recorded + STEER_BACKEND_IDS;
	int error = recorded ? count_records(steerer, recorded) : -ENOMEM;

	if (!error)
		error = count_origins(steerer, slots);
	for (size_t i = 0; !error && i < count; i++) {
		bool is_bound = is_known(steerer, ids[i]);
		struct counter counter = {0};

		(void)steerer_count_backend(steerer, ids[i], &counter);
		ret_bounds[i] = (struct steerer_bound){
			.recorded = is_bound ? recorded[ids[i] % STEER_BACKEND_IDS] : 0,
			.unrecorded_seen = counter.packets,
			.last_packet_ms_ago = UINT64_MAX,
			.slots_origin = is_bound ? slots[ids[i] % STEER_BACKEND_IDS] : 0,
		};
	}
	return error;
}

int steerer_bound(const struct steerer *steerer, uint32_t backend_id,
		  struct steerer_bound *ret_bound)
{
	return steerer_bounds(steerer, &backend_id, 1, ret_bound);
}

/* ---- one flow ---- */

int steerer_flow_rule(const struct steerer *steerer, size_t service, const struct flow *flow,
		      struct flow_decision *ret_decision)
{
	const struct service *about = &steerer->policy.services[service];
	uint32_t slot = steerer_slot(steerer, about, &flow->client);
	auto_free struct steer_table *now = calloc(1, sizeof(*now));
	auto_free struct steer_table *origins = NULL;
	const struct flow_tuple tuple = {.from = flow->client,
					 .to = flow->frontend->address,
					 .from_port = flow->client_port,
					 .to_port = flow->frontend->port,
					 .protocol = flow->frontend->protocol,
					 .service = (uint8_t)service};
	struct flow_decision decision = {.rule = FLOW_SLOT};
	bool follows_now = flow->frontend->protocol == IPPROTO_UDP && !about->udp_flow;
	uint32_t recorded = 0;
	int error = now ? table_compile(about, now) : -ENOMEM;

	if (!error && !follows_now)
		error = read_origins(steerer, service, &origins);
	if (!error && origins && origins->backend[slot])
		error = flows_find(&steerer->dp, &tuple, origins->era, &recorded, NULL);
	if (error)
		return error;
	decision.backend_id = now->backend[slot];
	if (origins && origins->backend[slot]) {
		decision.rule = recorded ? FLOW_RECORD : FLOW_ORIGIN;
		decision.backend_id = recorded ? recorded : origins->backend[slot];
	}
	*ret_decision = decision;
	return 0;
}
