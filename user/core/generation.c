// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/generation.h"

#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "base/diag.h"
#include "base/own.h"
#include "core/frontends.h"
#include "core/policy_json.h"
#include "core/resident.h"
#include "core/table.h"

#define NEIGHBOUR_WAIT_MS 2000

/* One build: what is taken, what has been written and waits for being published. */
struct build {
	struct dataplane *dp;
	const struct policy *inventory; /* whose backends have records */
	struct diag *why;
	struct resident resident;
	uint32_t fresh[OBJECT_KIND_COUNT][RESIDENT_NUMBERS];
	size_t n_fresh[OBJECT_KIND_COUNT];
	/* What all banks of this build share. */
	uint32_t frontends;
	__u64 address_seed[2];
	__u64 port_seed;
	uint32_t page[STEER_PAGES];
	/* Banks wait here until what they refer to is published. */
	struct planned_bank {
		uint32_t number;
		struct steer_bank bank;
	} planned[3];
	size_t n_planned;
};

int generation_policy(const struct dataplane *dp, uint32_t bank, struct policy *ret_policy,
		      struct diag *why)
{
	auto_free void *text = NULL;
	json_error_t where;
	json_t *json;
	int error = object_read(dp, OBJECT_POLICY, bank, &text, NULL, why);

	if (error)
		return error;
	json = json_loads(text, 0, &where);
	if (!json)
		return diag_fail(why, -EPROTO, "the policy pinned with bank %u is damaged: %s",
				 bank, where.text);
	error = policy_from_json(json, ret_policy, why);
	json_decref(json);
	return error;
}

/* Services that @live's rollback concerns: those of the release that changed last. */
static bool is_in_release(const struct policy *live, const struct service *service, bool step)
{
	uint64_t newest = 0, base = 0;

	for (size_t i = 0; i < live->n_services; i++) {
		const struct service *other = &live->services[i];

		if (other->before.revision >= newest && other->before.revision) {
			newest = other->before.revision;
			base = other->base.revision;
		}
	}
	return step ? service->before.revision == newest && newest
		    : service->base.revision == base && base;
}

static int service_way_back(const struct policy *live, struct service *service, bool step,
			    bool *changed, struct diag *why)
{
	const struct shares *to = step ? &service->before : &service->base;
	bool service_changed = false;
	int error;

	if (!is_in_release(live, service, step) || to->active[0] == '\0')
		return 0;
	error = service_restore(service, to, &service_changed, why);
	if (!error && service_changed) {
		service->revision = live->revision + 1;
		/* Names the release that was last changed, but no shares: a step leads nowhere. */
		shares_free(&service->before);
		memset(&service->before, 0, sizeof(service->before));
		service->before.revision = live->revision;
		*changed = true;
	}
	return error;
}

int generation_way_back(const struct policy *live, bool step, struct policy *ret_policy,
			bool *ret_changed, struct diag *why)
{
	struct policy back = {0};
	bool changed = false;
	int error = policy_copy(live, &back);

	if (error)
		return diag_fail(why, error, "out of memory preparing the way back");
	for (size_t i = 0; i < back.n_services && !error; i++)
		error = service_way_back(live, &back.services[i], step, &changed, why);
	if (error || !changed) {
		policy_free(&back);
		*ret_changed = false;
		return error == -ENOENT ? 0 : error;
	}
	back.revision = live->revision + 1;
	*ret_policy = back;
	*ret_changed = true;
	return 0;
}

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

static int put_frontends(struct build *build)
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

static int fill_record(struct build *build, const struct backend *backend,
		       struct steer_record *record)
{
	struct nexthop hop = {0};
	int error = nexthop_resolve(&backend->address, backend->has_mac ? backend->mac : NULL,
				    backend->name, NEIGHBOUR_WAIT_MS, &hop, build->why);

	if (error)
		return error;
	memcpy(record->mac_dst, hop.mac_dst, sizeof(record->mac_dst));
	memcpy(record->mac_src, hop.mac_src, sizeof(record->mac_src));
	memcpy(record->addr, backend->address.bytes, sizeof(record->addr));
	record->ifindex = hop.ifindex;
	record->how = STEER_HOW(STEER_FORWARD_DSR, hop.vlan);
	return 0;
}

static int fill_page(struct build *build, uint32_t page_number, struct steer_page *page,
		     bool *ret_any)
{
	const struct policy *policy = build->inventory;

	*ret_any = false;
	memset(page, 0, sizeof(*page));
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

static int put_pages(struct build *build)
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

/*
 * The table of service number @index: one that a resident or a planned bank has for that number,
 * if equal, so that a commit compares its own service's tables and not those of all services.
 */
static int put_table(struct build *build, size_t index, const struct steer_table *table,
		     uint32_t *ret_number)
{
	bool tried[RESIDENT_NUMBERS] = {true}; /* number 0 is none */
	const struct steer_bank *bank = build->dp->control->bank;

	for (size_t i = 1; i < STEER_BANKS + build->n_planned; i++) {
		uint32_t number = i < STEER_BANKS
					  ? (build->resident.bank[i] ? bank[i].now[index] : 0)
					  : build->planned[i - STEER_BANKS].bank.now[index];

		if (tried[number % RESIDENT_NUMBERS])
			continue;
		tried[number % RESIDENT_NUMBERS] = true;
		if (is_same_object(build, OBJECT_TABLE, number, table)) {
			*ret_number = number;
			return 0;
		}
	}
	return put_fresh(build, OBJECT_TABLE, table, ret_number);
}

/* @live: the policy of build->planned[0], or NULL while that is being built. */
static int put_tables(struct build *build, const struct policy *policy, const struct policy *live,
		      struct steer_bank *bank)
{
	auto_free struct steer_table *table = calloc(1, sizeof(*table));

	if (!table)
		return diag_fail(build->why, -ENOMEM, "out of memory compiling the tables");
	for (size_t i = 0; i < policy->n_services; i++) {
		const struct service *service = &policy->services[i];
		int error;

		bank->prefix4[i] = service->prefix4;
		bank->prefix6[i] = service->prefix6;
		if (live && service_equal(service, &live->services[i]) == 1) {
			bank->now[i] = build->planned[0].bank.now[i];
			continue;
		}
		error = table_compile(service, table);
		if (error)
			return diag_fail(build->why, error, "cannot compile the table of '%s': %s",
					 service->name, strerror(-error));
		error = put_table(build, i, table, &bank->now[i]);
		if (error)
			return error;
	}
	return 0;
}

static int put_policy(struct build *build, uint32_t number, const struct policy *policy)
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

static int put_bank(struct build *build, const struct policy *policy, const struct policy *live,
		    uint32_t *ret_number)
{
	struct planned_bank *planned = &build->planned[build->n_planned];
	struct steer_bank *bank = &planned->bank;
	int error;

	planned->number = resident_take_bank(&build->resident);
	if (planned->number == 0)
		return diag_fail(build->why, -ENOSPC, "all %d banks are in use", STEER_BANKS - 1);
	bank->generation = ++build->resident.newest;
	bank->revision = policy->revision;
	bank->parent = policy->revision ? policy->revision - 1 : 0;
	memcpy(bank->address_seed, build->address_seed, sizeof(bank->address_seed));
	bank->port_seed = build->port_seed;
	bank->frontends = build->frontends;
	bank->services = (uint32_t)policy->n_services;
	memcpy(bank->page, build->page, sizeof(bank->page));
	error = put_tables(build, policy, live, bank);
	if (!error)
		error = put_policy(build, planned->number, policy);
	if (error)
		return error;
	build->n_planned++;
	*ret_number = planned->number;
	return 0;
}

/* Put what is fresh where the program finds it. Waits for a grace period, in any case. */
static int publish(struct build *build)
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
			 : dataplane_barrier(build->dp, build->planned[0].bank.now[0], build->why);
}

static int put_way_back(struct build *build, const struct policy *live, bool step, uint32_t self,
			uint32_t *ret_number)
{
	struct policy back = {0};
	bool changed;
	int error = generation_way_back(live, step, &back, &changed, build->why);

	if (error)
		return error;
	if (!changed) {
		*ret_number = step ? 0 : self;
		return 0;
	}
	error = put_bank(build, &back, live, ret_number);
	policy_free(&back);
	return error;
}

static void write_banks(struct build *build, uint32_t bank, uint32_t rollback, uint32_t undo)
{
	struct steer_links *links = build->dp->control->links;

	for (size_t i = 0; i < build->n_planned; i++)
		dataplane_write_bank(build->dp, build->planned[i].number, &build->planned[i].bank);
	links[bank] = (struct steer_links){.rollback = rollback, .undo = undo, .settled = bank};
	if (rollback != bank)
		links[rollback] = (struct steer_links){.rollback = rollback, .settled = rollback};
	if (undo)
		links[undo] = (struct steer_links){.rollback = rollback, .settled = undo};
}

static int build_banks(struct build *build, const struct policy *live, uint32_t *ret_bank)
{
	uint32_t bank = 0, rollback = 0, undo = 0;
	int error;

	error = resident_survey(build->dp, &build->resident, build->why);
	if (!error)
		error = put_frontends(build);
	if (!error)
		error = put_pages(build);
	if (!error)
		error = put_bank(build, live, NULL, &bank);
	if (!error)
		error = put_way_back(build, live, false, bank, &rollback);
	if (!error)
		error = put_way_back(build, live, true, bank, &undo);
	if (!error)
		error = publish(build);
	if (error)
		return error;
	write_banks(build, bank, rollback, undo);
	*ret_bank = bank;
	return 0;
}

int generation_install(struct dataplane *dp, const struct policy *live, uint32_t *ret_bank,
		       struct diag *why)
{
	auto_free struct build *build = calloc(1, sizeof(*build));

	if (!build)
		return diag_fail(why, -ENOMEM, "out of memory building a generation");
	build->dp = dp;
	build->inventory = live;
	build->why = why;
	return build_banks(build, live, ret_bank);
}
