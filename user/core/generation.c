// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/generation.h"

#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "base/diag.h"
#include "base/own.h"
#include "core/frontends.h"
#include "core/loader.h"
#include "core/policy_json.h"
#include "core/table.h"

#define NEIGHBOUR_WAIT_MS 2000
#define OBJECT_NUMBERS	  STEER_TABLE_OBJECTS /* the largest number space of all kinds */

/* One build: what is taken, what has been written and waits for being published. */
struct build {
	struct dataplane *dp;
	const uint64_t *key;
	const struct policy *inventory; /* whose backends have records */
	struct diag *why;
	uint64_t generation;
	bool used[OBJECT_KIND_COUNT][OBJECT_NUMBERS];
	uint32_t fresh[OBJECT_KIND_COUNT][OBJECT_NUMBERS];
	size_t n_fresh[OBJECT_KIND_COUNT];
	uint32_t frontends;
	uint32_t page[STEER_PAGES];
};

static const uint32_t number_limit[OBJECT_KIND_COUNT] = {
	[OBJECT_BANK] = STEER_BANK_OBJECTS,   [OBJECT_FRONTENDS] = STEER_FRONTEND_OBJECTS,
	[OBJECT_TABLE] = STEER_TABLE_OBJECTS, [OBJECT_PAGE] = STEER_PAGE_OBJECTS,
	[OBJECT_POLICY] = STEER_BANK_OBJECTS,
};

int generation_bank(const struct dataplane *dp, uint32_t bank, struct steer_bank **ret_bank,
		    struct diag *why)
{
	void *value;
	size_t size;
	int error = object_read(dp, OBJECT_BANK, bank, &value, &size, why);

	if (error)
		return error;
	if (size != sizeof(**ret_bank)) {
		free(value);
		return diag_fail(why, -EPROTO, "bank %u has %zu bytes, expected %zu", bank, size,
				 sizeof(**ret_bank));
	}
	*ret_bank = value;
	return 0;
}

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

static uint32_t take_number(struct build *build, enum object_kind kind)
{
	for (uint32_t number = 1; number < number_limit[kind]; number++) {
		if (!build->used[kind][number]) {
			build->used[kind][number] = true;
			return number;
		}
	}
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

/* Write @value as an object, or find it among the resident ones. Reads back what it wrote. */
static int put_object(struct build *build, enum object_kind kind, const void *value,
		      uint32_t *ret_number)
{
	uint32_t number;
	int error;

	for (number = 1; number < number_limit[kind]; number++) {
		if (build->used[kind][number] && is_same_object(build, kind, number, value)) {
			*ret_number = number;
			return 0;
		}
	}
	number = take_number(build, kind);
	if (number == 0)
		return diag_fail(build->why, -ENOSPC, "all %u %s objects are in use",
				 number_limit[kind] - 1, object_name(kind));
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

static int put_frontends(struct build *build)
{
	auto_free struct steer_frontends *frontends = calloc(1, sizeof(*frontends));
	int error;

	if (!frontends)
		return diag_fail(build->why, -ENOMEM, "out of memory building the frontends");
	error = frontends_build(build->inventory, frontends, build->why);
	return error ? error : put_object(build, OBJECT_FRONTENDS, frontends, &build->frontends);
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
	record->vlan = hop.vlan;
	record->forward = STEER_FORWARD_DSR;
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

static int put_tables(struct build *build, const struct policy *policy, struct steer_bank *bank)
{
	auto_free struct steer_table *table = calloc(1, sizeof(*table));

	if (!table)
		return diag_fail(build->why, -ENOMEM, "out of memory compiling the tables");
	for (size_t i = 0; i < policy->n_services; i++) {
		int error = table_compile(&policy->services[i], table);

		if (error)
			return diag_fail(build->why, error, "cannot compile the table of '%s': %s",
					 policy->services[i].name, strerror(-error));
		error = put_object(build, OBJECT_TABLE, table, &bank->service[i].now);
		if (error)
			return error;
		prefix_masks(policy->services[i].prefix4, policy->services[i].prefix6,
			     &bank->service[i]);
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

static int put_bank(struct build *build, const struct policy *policy, uint32_t *ret_number)
{
	auto_free struct steer_bank *bank = calloc(1, sizeof(*bank));
	int error;

	if (!bank)
		return diag_fail(build->why, -ENOMEM, "out of memory building a bank");
	bank->generation = build->generation++;
	bank->revision = policy->revision;
	bank->parent = policy->revision ? policy->revision - 1 : 0;
	memcpy(bank->hash_key, build->key, sizeof(bank->hash_key));
	bank->frontends = build->frontends;
	bank->services = (uint32_t)policy->n_services;
	memcpy(bank->page, build->page, sizeof(bank->page));
	error = put_tables(build, policy, bank);
	if (!error)
		error = put_object(build, OBJECT_BANK, bank, ret_number);
	return error ? error : put_policy(build, *ret_number, policy);
}

static void mark_bank(struct build *build, const struct steer_bank *bank)
{
	build->used[OBJECT_FRONTENDS][bank->frontends % STEER_FRONTEND_OBJECTS] = true;
	for (uint32_t i = 0; i < STEER_PAGES; i++)
		build->used[OBJECT_PAGE][bank->page[i] % STEER_PAGE_OBJECTS] = true;
	for (uint32_t i = 0; i < STEER_SERVICES; i++) {
		build->used[OBJECT_TABLE][bank->service[i].now % STEER_TABLE_OBJECTS] = true;
		build->used[OBJECT_TABLE][bank->service[i].origin % STEER_TABLE_OBJECTS] = true;
	}
}

/* Is @number the live bank or one of its prepared ways on? */
static bool is_prepared(const struct dataplane *dp, uint32_t number)
{
	uint32_t live = STEER_WORD_BANK(dataplane_word(dp)) % STEER_BANK_OBJECTS;
	const struct steer_links *links = &dp->control->links[live];

	return number == live || number == links->rollback || number == links->undo ||
	       number == links->settled;
}

/* Keep the newest banks, find what they refer to, unpin the rest. */
static int survey(struct build *build)
{
	static uint64_t generation[STEER_BANK_OBJECTS];
	bool pinned[OBJECT_NUMBERS];
	uint64_t newest = 0;
	int error;

	error = object_list(build->dp, OBJECT_BANK, pinned, STEER_BANK_OBJECTS, build->why);
	for (uint32_t n = 1; !error && n < STEER_BANK_OBJECTS; n++) {
		auto_free struct steer_bank *bank = NULL;

		generation[n] = 0;
		if (pinned[n] && !object_is_published(build->dp, OBJECT_BANK, n)) {
			/* Killed before publish(), which does banks last: what it refers to may
			 * be pinned and in no outer map, so that nothing must be shared with it.
			 */
			object_unpin(build->dp, OBJECT_BANK, n);
			object_unpin(build->dp, OBJECT_POLICY, n);
			pinned[n] = false;
		}
		if (!pinned[n] || generation_bank(build->dp, n, &bank, NULL) != 0)
			continue;
		generation[n] = bank->generation;
		if (bank->generation > newest)
			newest = bank->generation;
	}
	for (uint32_t n = 1; !error && n < STEER_BANK_OBJECTS; n++) {
		auto_free struct steer_bank *bank = NULL;

		if (!pinned[n])
			continue;
		if (!is_prepared(build->dp, n) && generation[n] + 3 * GENERATIONS_KEPT < newest) {
			object_unpin(build->dp, OBJECT_BANK, n);
			object_unpin(build->dp, OBJECT_POLICY, n);
			continue;
		}
		build->used[OBJECT_BANK][n] = true;
		if (generation_bank(build->dp, n, &bank, NULL) == 0)
			mark_bank(build, bank);
	}
	build->generation = newest + 1;
	return error;
}

/* Unpin objects that no resident bank refers to, left by what was retired or killed. */
static int sweep(struct build *build, enum object_kind kind)
{
	bool pinned[OBJECT_NUMBERS];
	int error = object_list(build->dp, kind, pinned, number_limit[kind], build->why);

	for (uint32_t n = 0; !error && n < number_limit[kind]; n++)
		if (pinned[n] && !build->used[kind][n])
			object_unpin(build->dp, kind, n);
	return error;
}

static int publish(struct build *build)
{
	static const enum object_kind order[] = {OBJECT_PAGE, OBJECT_FRONTENDS, OBJECT_TABLE,
						 OBJECT_BANK};

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		int error = object_publish(build->dp, order[i], build->fresh[order[i]],
					   build->n_fresh[order[i]], build->why);

		if (error)
			return error;
	}
	return 0;
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
	error = put_bank(build, &back, ret_number);
	policy_free(&back);
	return error;
}

static int build_banks(struct build *build, const struct policy *live, uint32_t *ret_bank)
{
	struct steer_links links = {0};
	uint32_t bank;
	int error;

	error = survey(build);
	for (int kind = OBJECT_FRONTENDS; kind <= OBJECT_PAGE && !error; kind++)
		error = sweep(build, (enum object_kind)kind);
	if (!error)
		error = put_frontends(build);
	if (!error)
		error = put_pages(build);
	if (!error)
		error = put_bank(build, live, &bank);
	if (!error)
		error = put_way_back(build, live, false, bank, &links.rollback);
	if (!error)
		error = put_way_back(build, live, true, bank, &links.undo);
	if (!error)
		error = publish(build);
	if (error)
		return error;
	links.settled = bank;
	build->dp->control->links[bank] = links;
	if (links.rollback != bank)
		build->dp->control->links[links.rollback] =
			(struct steer_links){.rollback = links.rollback, .settled = links.rollback};
	if (links.undo)
		build->dp->control->links[links.undo] =
			(struct steer_links){.rollback = links.rollback, .settled = links.undo};
	*ret_bank = bank;
	return 0;
}

int generation_install(struct dataplane *dp, const struct policy *live, const uint64_t key[2],
		       uint32_t *ret_bank, struct diag *why)
{
	auto_free struct build *build = calloc(1, sizeof(*build));

	if (!build)
		return diag_fail(why, -ENOMEM, "out of memory building a generation");
	build->dp = dp;
	build->key = key;
	build->inventory = live;
	build->why = why;
	return build_banks(build, live, ret_bank);
}
