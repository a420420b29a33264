// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Looking at open connections: records per backend, and what decides for one flow. The table of
 * records is read as it is while packets and the timer change it; each word is whole.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>

#include "base/own.h"
#include "core/steerer_private.h"
#include "core/table.h"
#include "steer/flow.h"

struct flow_table {
	const struct steer_bucket *buckets; /* mapped; NULL: there is none */
	uint32_t count;			    /* a power of two */
};

static void flow_table_close(struct flow_table *table)
{
	if (table->buckets)
		(void)munmap((void *)table->buckets, table->count * sizeof(*table->buckets));
}

#define auto_flow_table __attribute__((cleanup(flow_table_close)))

/* A table that is not pinned has no records. */
static int flow_table_open(const struct steerer *steerer, struct flow_table *ret_table)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);
	auto_close int fd = -1;
	char path[256];
	void *mapped;

	(void)snprintf(path, sizeof(path), "%s/maps/flows", steerer->dir);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
		return -errno;
	mapped = mmap(NULL, info.max_entries * sizeof(struct steer_bucket), PROT_READ, MAP_SHARED,
		      fd, 0);
	if (mapped == MAP_FAILED)
		return -errno;
	ret_table->buckets = mapped;
	ret_table->count = info.max_entries;
	return 0;
}

static bool is_live(const struct steerer *steerer, uint64_t flow)
{
	const struct steer_control *control = steerer->dp.control;

	return flow && !steer_flow_is_over(flow, control->epoch, control->age);
}

/* ---- records per backend ---- */

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
	auto_flow_table struct flow_table table = {0};
	int error = flow_table_open(steerer, &table);

	if (error)
		return error;
	for (uint32_t bucket = 0; bucket < table.count; bucket++) {
		for (size_t i = 0; i < STEER_BUCKET_FLOWS; i++) {
			uint64_t flow =
				__atomic_load_n(&table.buckets[bucket].flow[i], __ATOMIC_RELAXED);

			if (is_live(steerer, flow))
				ret_recorded[STEER_FLOW_BACKEND(flow) % STEER_BACKEND_IDS]++;
		}
	}
	forget_settled(steerer, ret_recorded);
	return 0;
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

static uint64_t hash_flow(const struct steerer *steerer, size_t service, uint32_t era,
			  const struct flow *flow)
{
	const struct frontend *to = flow->frontend;
	const __u64 *key = steerer->dp.control->hash_key;
	__u64 tail = steer_flow_tail(htons(flow->client_port), htons(to->port), to->protocol,
				     (__u8)service);
	__be64 from6[2], to6[2];
	__be32 from4, to4;

	if (address_is_ipv4(&to->address)) {
		memcpy(&from4, flow->client.bytes + 12, sizeof(from4));
		memcpy(&to4, to->address.bytes + 12, sizeof(to4));
		return steer_flow4(key, era, from4, to4, tail);
	}
	memcpy(from6, flow->client.bytes, sizeof(from6));
	memcpy(to6, to->address.bytes, sizeof(to6));
	return steer_flow6(key, era, from6, to6, tail);
}

/* Backend of the record with @hash, 0 if there is none. */
static uint32_t find_record(const struct steerer *steerer, const struct flow_table *table,
			    uint64_t hash)
{
	for (uint32_t which = 0; table->buckets && which < 2; which++) {
		const struct steer_bucket *bucket =
			&table->buckets[steer_flow_bucket(hash, which, table->count)];

		for (size_t i = 0; i < STEER_BUCKET_FLOWS; i++) {
			uint64_t flow = __atomic_load_n(&bucket->flow[i], __ATOMIC_RELAXED);

			if (STEER_FLOW_TAG(flow) == steer_flow_tag(hash) && is_live(steerer, flow))
				return STEER_FLOW_BACKEND(flow);
		}
	}
	return 0;
}

int steerer_flow_rule(const struct steerer *steerer, size_t service, const struct flow *flow,
		      struct flow_decision *ret_decision)
{
	const struct service *about = &steerer->policy.services[service];
	uint32_t slot = steerer_slot(steerer, about, &flow->client);
	auto_free struct steer_table *now = calloc(1, sizeof(*now));
	auto_free struct steer_table *origins = NULL;
	auto_flow_table struct flow_table table = {0};
	struct flow_decision decision = {.rule = FLOW_SLOT};
	int error = now ? table_compile(about, now) : -ENOMEM;

	if (!error)
		error = read_origins(steerer, service, &origins);
	if (!error)
		error = flow_table_open(steerer, &table);
	if (error)
		return error;
	decision.backend_id = now->backend[slot];
	if (origins && origins->backend[slot]) {
		uint64_t hash = hash_flow(steerer, service, origins->era, flow);
		uint32_t recorded = find_record(steerer, &table, hash);

		decision.rule = recorded ? FLOW_RECORD : FLOW_ORIGIN;
		decision.backend_id = recorded ? recorded : origins->backend[slot];
	}
	*ret_decision = decision;
	return 0;
}
