// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/own.h"
#include "base/share.h"
#include "base/time_text.h"
#include "core/policy_json.h"
#include "core/table.h"
#include "ctl/plan.h"
#include "ctl/status.h"

static json_t *build_backend(const struct backend *backend, uint32_t slots)
{
	char address[ADDRESS_TEXT];

	return json_pack("{s:s, s:I, s:s, s:s, s:n, s:I, s:I, s:I, s:I, s:I}", "name",
			 backend->name, "id", (json_int_t)backend->id, "address",
			 address_format(&backend->address, address), "state",
			 policy_state_names[backend->state], "health", "weight",
			 (json_int_t)backend->weight, "slots", (json_int_t)slots, "packets",
			 (json_int_t)0, "bytes", (json_int_t)0, "new_connections", (json_int_t)0);
}

static json_t *build_pool(const struct service *service, const struct pool *pool,
			  const struct steer_table *table)
{
	auto_free uint32_t *slots = calloc(pool->n_backends + 1, sizeof(*slots));
	uint32_t owned = service_pool_slots(service, pool);
	json_t *backends = json_array();
	char share[SHARE_TEXT];

	if (slots)
		plan_backend_slots(table, pool, slots);
	for (size_t i = 0; i < pool->n_backends; i++)
		json_add(backends, build_backend(&pool->backends[i], slots ? slots[i] : 0));
	return json_pack("{s:s, s:s, s:I, s:s, s:n, s:o}", "name", pool->name, "version",
			 pool->version, "share_slots", (json_int_t)owned, "share",
			 share_format(owned, share), "actual_share", "backends", backends);
}

static json_t *build_frontends(const struct service *service)
{
	json_t *list = json_array();

	for (size_t i = 0; i < service->n_frontends; i++) {
		const struct frontend *frontend = &service->frontends[i];
		bool is_ipv4 = address_is_ipv4(&frontend->address);
		char address[ADDRESS_TEXT], text[ADDRESS_TEXT + 24];

		(void)snprintf(text, sizeof(text), "%s%s%s:%u/%s", is_ipv4 ? "" : "[",
			       address_format(&frontend->address, address), is_ipv4 ? "" : "]",
			       frontend->port,
			       policy_protocol_names[frontend->protocol == IPPROTO_UDP]);
		json_add(list, json_string(text));
	}
	return list;
}

/* Where the rollback commands lead; without services where they would change nothing. */
struct ways_back {
	struct policy base; /* "rollback" */
	struct policy step; /* "rollback --step" */
};

/* @shares if @back, which a command would make live, restores them in @service; else null. */
static json_t *build_shares(const struct service *service, const struct shares *shares,
			    const struct policy *back)
{
	const struct service *then = policy_service(back, service->name);
	struct diag text = {0};

	if (!then || then->revision != back->revision)
		return json_null();
	say_remembered(&text, shares);
	return json_pack("{s:I, s:s}", "revision", (json_int_t)shares->revision, "shares",
			 text.text);
}

/* Who made @revision, from the journal; null where that is not known. */
static json_t *build_author(const struct journal *journal, uint64_t revision)
{
	const struct journal_entry *entries;
	char when[TIME_TEXT], who[NAME_TEXT];
	size_t count;

	if (!journal)
		return json_null();
	entries = journal_entries(journal, &count);
	for (size_t i = count; i > 0; i--) {
		const struct journal_entry *entry = &entries[i - 1];

		if (entry->revision == revision)
			return json_pack("{s:s, s:s, s:s, s:s}", "when",
					 time_format(entry->time, when), "who",
					 journal_who(entry->login, entry->uid, who), "command",
					 entry->command, "reason", entry->reason);
	}
	return json_null();
}

static json_t *build_service(const struct journal *journal, const struct service *service,
			     const struct ways_back *back)
{
	auto_free struct steer_table *table = calloc(1, sizeof(*table));
	json_t *pools;

	if (!table || table_compile(service, table))
		return NULL;
	pools = json_array();
	for (size_t p = 0; p < service->n_pools; p++)
		json_add(pools, build_pool(service, &service->pools[p], table));
	return json_pack("{s:s, s:I, s:s, s:n, s:o, s:o, s:o, s:o, s:o}", "name", service->name,
			 "revision", (json_int_t)service->revision, "active",
			 service->pools[service->active].name, "transition", "frontends",
			 build_frontends(service), "changed",
			 build_author(journal, service->revision), "before",
			 build_shares(service, &service->before, &back->step), "base",
			 build_shares(service, &service->base, &back->base), "pools", pools);
}

static json_t *build_interfaces(const struct steerer *steerer)
{
	struct diag lines = {0};
	char *rest = lines.text, *part;
	json_t *list = json_array();

	steerer_interfaces(steerer, &lines);
	while ((part = strsep(&rest, "\n")))
		if (part[0])
			json_add(list, json_string(part));
	return list;
}

static json_t *build_lock(const struct journal *journal)
{
	struct diag fact = {0};

	if (journal && rail_lock(journal_lock(journal, time(NULL)), &fact))
		return json_string(fact.text);
	return json_null();
}

static json_t *build_services(struct steerer *steerer, const struct service *only,
			      const struct ways_back *back)
{
	const struct policy *policy = steerer_policy(steerer);
	const struct journal *journal = steerer_journal(steerer);
	json_t *services = json_array();

	for (size_t i = 0; i < policy->n_services; i++)
		if (!only || only == &policy->services[i])
			json_add(services, build_service(journal, &policy->services[i], back));
	return services;
}

json_t *status_build(struct steerer *steerer, const struct service *only)
{
	struct ways_back back = {0};
	bool is_changed = false, ignored;
	char digest[20];
	json_t *services;

	(void)steerer_rollback_policy(steerer, false, &back.base, &is_changed, NULL);
	(void)steerer_rollback_policy(steerer, true, &back.step, &ignored, NULL);
	services = build_services(steerer, only, &back);
	policy_free(&back.base);
	policy_free(&back.step);
	(void)snprintf(digest, sizeof(digest), "%016" PRIx64, steerer_digest(steerer));
	return json_pack("{s:o, s:I, s:I, s:s, s:o, s:o, s:s?}", "services", services, "live",
			 (json_int_t)steerer_policy(steerer)->revision, "generation",
			 (json_int_t)steerer_generation(steerer), "digest", digest, "interfaces",
			 build_interfaces(steerer), "locked", build_lock(steerer_journal(steerer)),
			 "way_back", is_changed ? "rollback" : NULL);
}

/* ---- what changes by itself ---- */

/* Records of the pool's backends, noted with each of them. */
static json_int_t fill_records(json_t *pool, const struct steerer *steerer)
{
	json_t *backends = json_object_get(pool, "backends"), *backend;
	size_t count = json_array_size(backends), i;
	auto_free uint32_t *ids = calloc(count + 1, sizeof(*ids));
	auto_free struct steerer_bound *bounds = calloc(count + 1, sizeof(*bounds));
	json_int_t sum = 0;

	if (!ids || !bounds)
		return 0;
	json_array_foreach (backends, i, backend)
		ids[i] = (uint32_t)json_integer_value(json_object_get(backend, "id"));
	if (steerer_bounds(steerer, ids, count, bounds))
		return 0;
	json_array_foreach (backends, i, backend) {
		sum += bounds[i].recorded;
		(void)json_object_set_new(backend, "records",
					  json_integer((json_int_t)bounds[i].recorded));
	}
	(void)json_object_set_new(pool, "records", json_integer(sum));
	return sum;
}

static void fill_transition(json_t *service, const struct steerer *steerer, size_t index)
{
	struct steerer_transition transition = {0};
	json_int_t records = 0;
	json_t *pool;
	size_t p;

	(void)steerer_transition(steerer, index, &transition);
	if (!transition.touched) {
		(void)json_object_set_new(service, "transition", json_null());
		return;
	}
	json_array_foreach (json_object_get(service, "pools"), p, pool)
		records += fill_records(pool, steerer);
	(void)json_object_set_new(
		service, "transition",
		json_pack("{s:I, s:I, s:o}", "touched_slots", (json_int_t)transition.touched,
			  "records", records, "left_ms",
			  transition.left_ms == UINT64_MAX
				  ? json_null()
				  : json_integer((json_int_t)transition.left_ms)));
}

void status_fill(json_t *status, const struct steerer *steerer)
{
	const struct policy *policy = steerer_policy(steerer);
	struct steerer_window window;
	json_t *service;
	size_t i;

	json_array_foreach (json_object_get(status, "services"), i, service) {
		const char *name = json_string_value(json_object_get(service, "name"));

		for (size_t at = 0; name && at < policy->n_services; at++)
			if (strcmp(policy->services[at].name, name) == 0)
				fill_transition(service, steerer, at);
	}
	(void)steerer_window(steerer, &window);
	(void)json_object_set_new(status, "window", window_json(&window));
}
