// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/build.h"

#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "base/diag.h"
#include "base/own.h"
#include "core/frontends.h"
#include "core/nexthop.h"
#include "core/policy_json.h"

#define NEIGHBOUR_WAIT_MS 2000

static bool is_same_object(struct build *build, enum object_kind kind, uint32_t number,
			   const void *value)
{
	auto_free void *resident = NULL;
	size_t size;

	return object_read(build->dp, kind, number, &resident, &size, NULL) == 0 &&
	       size == object_size(kind) && memcmp(resident, value, size) == 0;
}

/* Write @value as a new object and read it back. */
static int put_fresh(struct build *build, enum object_kind kind, const void *value,
		     uint32_t *ret_number)
{
	uint32_t number = resident_take(&build->resident, kind);
	int error;

	if (number == 0)
		return diag_fail(build->why, -ENOSPC, "all %u %s objects are in use",
				 resident_limit(kind) - 1, object_name(kind));
	error = object_write(build->dp, kind, number, value, object_size(kind), build->why);
	if (error)
		return error;
	if (!is_same_object(build, kind, number, value))
		return diag_fail(build->why, -EIO, "%s object %u reads back differently",
				 object_name(kind), number);
	build->fresh[kind][build->n_fresh[kind]++] = number;
	*ret_number = number;
	return 0;
}

/* Find @value among the resident objects, or write it. */
static int put_object(struct build *build, enum object_kind kind, const void *value,
		      uint32_t *ret_number)
{
	for (uint32_t number = 1; number < resident_limit(kind); number++) {
		if (build->resident.object[kind][number] &&
		    is_same_object(build, kind, number, value)) {
			*ret_number = number;
			return 0;
		}
	}
	return put_fresh(build, kind, value, ret_number);
}

int build_frontends(struct build *build)
{
	auto_free struct steer_frontends *frontends = calloc(1, sizeof(*frontends));
	int error;

	if (!frontends)
		return diag_fail(build->why, -ENOMEM, "out of memory building the frontends");
	error = frontends_build(build->inventory, frontends, build->why);
	if (error)
		return error;
	memcpy(build->address_seed, frontends->address_seed, sizeof(build->address_seed));
	build->port_seed = frontends->port_seed;
	return put_object(build, OBJECT_FRONTENDS, frontends, &build->frontends);
}

/* Silent, but its next hop is known from before, or it is given no clients anyway. */
static bool is_bearable(const struct backend *backend, const struct steer_record *former)
{
	return backend->state != BACKEND_READY || backend->weight == 0 ||
	       (STEER_HOW_FORWARD(former->how) != STEER_FORWARD_NONE &&
		memcmp(former->addr, backend->address.bytes, sizeof(former->addr)) == 0);
}

static int fill_record(struct build *build, const struct backend *backend,
		       struct steer_record *record)
{
	struct nexthop hop = {0};
	int error = nexthop_resolve(&backend->address, backend->has_mac ? backend->mac : NULL,
				    backend->name, NEIGHBOUR_WAIT_MS, &hop, build->why);

	/* A dead server must not hold up the command that takes it out. */
	if (error == -EHOSTUNREACH && is_bearable(backend, record))
		return 0;
	if (error)
		return error;
	memcpy(record->mac_dst, hop.mac_dst, sizeof(record->mac_dst));
	memcpy(record->mac_src, hop.mac_src, sizeof(record->mac_src));
	memcpy(record->addr, backend->address.bytes, sizeof(record->addr));
	record->ifindex = hop.ifindex;
	record->how = STEER_HOW(STEER_FORWARD_DSR, hop.vlan);
	return 0;
}

/*
 * What the running bank has: flows of a transition may still be on their way to a backend that
 * the new policy does not know any more. Returns whether there is anything.
 */
static bool keep_records(struct build *build, uint32_t page_number, struct steer_page *page)
{
	const struct steer_bank *running = &build->dp->control->bank[build->running];
	auto_free void *former = NULL;
	size_t size;

	memset(page, 0, sizeof(*page));
	if (!running->page[page_number] ||
	    object_read(build->dp, OBJECT_PAGE, running->page[page_number], &former, &size, NULL))
		return false;
	memcpy(page, former, sizeof(*page));
	return true;
}

static int fill_page(struct build *build, uint32_t page_number, struct steer_page *page,
		     bool *ret_any)
{
	const struct policy *policy = build->inventory;

	*ret_any = keep_records(build, page_number, page);
	for (size_t s = 0; s < policy->n_services; s++) {
		for (size_t p = 0; p < policy->services[s].n_pools; p++) {
			const struct pool *pool = &policy->services[s].pools[p];

			for (size_t b = 0; b < pool->n_backends; b++) {
				uint32_t id = pool->backends[b].id;
				int error;

				if (id / STEER_PAGE_RECORDS != page_number)
					continue;
				*ret_any = true;
				error = fill_record(build, &pool->backends[b],
						    &page->record[id % STEER_PAGE_RECORDS]);
				if (error)
					return error;
			}
		}
	}
	return 0;
}

int build_pages(struct build *build)
{
	auto_free struct steer_page *page = calloc(1, sizeof(*page));
	uint32_t last = build->inventory->last_backend_id / STEER_PAGE_RECORDS;

	if (!page)
		return diag_fail(build->why, -ENOMEM, "out of memory building the records");
	for (uint32_t number = 0; number <= last && number < STEER_PAGES; number++) {
		bool any;
		int error = fill_page(build, number, page, &any);

		if (!error && any)
			error = dataplane_counters(build->dp, number, build->why);
		if (!error && any)
			error = put_object(build, OBJECT_PAGE, page, &build->page[number]);
		if (error)
			return error;
	}
	return 0;
}

static bool is_tried(bool tried[], uint32_t number)
{
	bool was = tried[number % RESIDENT_NUMBERS];

	tried[number % RESIDENT_NUMBERS] = true;
	return was;
}

int build_table(struct build *build, size_t index, const struct steer_table *table,
		uint32_t *ret_number)
{
	bool tried[RESIDENT_NUMBERS] = {true}; /* number 0 is none */

	for (size_t i = 1; i < STEER_BANKS + ROLE_COUNT; i++) {
		const struct steer_bank *bank = i < STEER_BANKS
							? &build->dp->control->bank[i]
							: &build->planned[i - STEER_BANKS].bank;
		const uint32_t numbers[] = {bank->now[index], bank->origin[index]};

		if (i < STEER_BANKS && !build->resident.bank[i])
			continue;
		for (size_t k = 0; k < ARRAY_SIZE(numbers); k++) {
			if (is_tried(tried, numbers[k]) ||
			    !is_same_object(build, OBJECT_TABLE, numbers[k], table))
				continue;
			*ret_number = numbers[k];
			return 0;
		}
	}
	return put_fresh(build, OBJECT_TABLE, table, ret_number);
}

int build_policy(struct build *build, uint32_t number, const struct policy *policy)
{
	auto_free char *text = NULL;
	json_t *json = policy_to_json(policy);

	if (json)
		text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(json);
	if (!text)
		return diag_fail(build->why, -ENOMEM, "out of memory writing the policy");
	return object_write(build->dp, OBJECT_POLICY, number, text, strlen(text) + 1, build->why);
}

int build_times(struct build *build, const struct planned_bank *planned)
{
	return planned->n_times
		       ? object_write(build->dp, OBJECT_TIMES, planned->number, planned->times,
				      planned->n_times * sizeof(*planned->times), build->why)
		       : 0;
}

int build_publish(struct build *build)
{
	static const enum object_kind order[] = {OBJECT_PAGE, OBJECT_FRONTENDS, OBJECT_TABLE};
	size_t published = 0;

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		int error = object_publish(build->dp, order[i], build->fresh[order[i]],
					   build->n_fresh[order[i]], build->why);

		if (error)
			return error;
		published += build->n_fresh[order[i]];
	}
	return published ? 0
			 : dataplane_barrier(build->dp, build->planned[ROLE_LIVE].bank.now[0],
					     build->why);
}
