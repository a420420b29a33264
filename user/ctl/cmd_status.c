// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* status: what every pool should get, what every backend has, and the way back. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/share.h"
#include "ctl/commands.h"
#include "ctl/plan.h"
#include "ctl/table.h"

static const struct column columns[] = {
	{"SERVICE", false}, {"POOL", false},  {"WANT", true},	{"SLOTS", true},
	{"VERSION", false}, {"WEIGHT", true}, {"STATE", false}, {"PACKETS", true},
};

static const char *const state_names[BACKEND_STATE_COUNT] = {
	[BACKEND_READY] = "ready",
	[BACKEND_DRAIN] = "drain",
	[BACKEND_MAINT] = "maint",
};

struct view {
	struct libscols_table *table; /* NULL when JSON is wanted */
	const struct steerer *steerer;
};

static json_t *show_backend(struct view *view, const struct backend *backend, uint32_t slots)
{
	struct counter counter = {0};
	char address[ADDRESS_TEXT], name[NAME_TEXT + 8], slots_text[16], weight[16], packets[24];
	const char *cells[] = {
		"", name, "", slots_text, "", weight, state_names[backend->state], packets};

	(void)steerer_count_backend(view->steerer, backend->id, &counter);
	(void)snprintf(name, sizeof(name), "  %s", backend->name);
	(void)snprintf(slots_text, sizeof(slots_text), "%u", slots);
	(void)snprintf(weight, sizeof(weight), "%u", backend->weight);
	(void)snprintf(packets, sizeof(packets), "%" PRIu64, counter.packets);
	table_row(view->table, cells, ARRAY_SIZE(cells));
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "name", backend->name,
			 "address", address_format(&backend->address, address), "state",
			 state_names[backend->state], "health", "unknown", "weight",
			 (json_int_t)backend->weight, "slots", (json_int_t)slots, "packets",
			 (json_int_t)counter.packets, "bytes", (json_int_t)counter.bytes,
			 "new_connections", (json_int_t)counter.connections);
}

static json_t *show_pool(struct view *view, const struct service *service, const struct pool *pool,
			 const struct steer_table *table)
{
	auto_free uint32_t *slots = calloc(pool->n_backends + 1, sizeof(*slots));
	bool is_active = pool == &service->pools[service->active];
	uint32_t owned = service_pool_slots(service, pool);
	char share[SHARE_TEXT], owned_text[16], name[NAME_TEXT + 16];
	const char *cells[] = {pool == service->pools ? service->name : "",
			       name,
			       share_format(owned, share),
			       owned_text,
			       pool->version,
			       "",
			       "",
			       ""};
	json_t *backends = json_array();

	(void)snprintf(name, sizeof(name), "%s%s", pool->name, is_active ? " (active)" : "");
	(void)snprintf(owned_text, sizeof(owned_text), "%u", owned);
	table_row(view->table, cells, ARRAY_SIZE(cells));
	if (slots)
		plan_backend_slots(table, pool, slots);
	for (size_t i = 0; i < pool->n_backends; i++)
		(void)json_array_append_new(
			backends, show_backend(view, &pool->backends[i], slots ? slots[i] : 0));
	return json_pack("{s:s, s:s, s:I, s:s, s:n, s:o}", "name", pool->name, "version",
			 pool->version, "share_slots", (json_int_t)owned, "share", share,
			 "actual_share", "backends", backends);
}

static json_t *show_service(struct view *view, const struct service *service)
{
	auto_free struct steer_table *table = calloc(1, sizeof(*table));
	json_t *pools = json_array();

	if (!table || table_compile(service, table)) {
		json_decref(pools);
		return NULL;
	}
	for (size_t p = 0; p < service->n_pools; p++)
		(void)json_array_append_new(pools,
					    show_pool(view, service, &service->pools[p], table));
	return json_pack("{s:s, s:I, s:s, s:n, s:o}", "name", service->name, "revision",
			 (json_int_t)service->revision, "active",
			 service->pools[service->active].name, "transition", "pools", pools);
}

static void show_end(struct run *run, struct steerer *steerer)
{
	auto_policy struct policy back = {0};
	struct diag interfaces = {0}, why = {0};
	bool is_changed = false;

	diag_add(&run->line, "revision %" PRIu64 ", generation %" PRIu64 ", digest %016" PRIx64,
		 run->after, steerer_generation(steerer), steerer_digest(steerer));
	if (!steerer_interfaces(steerer, &interfaces, &why) && interfaces.text[0]) {
		char *rest = interfaces.text, *part;

		diag_add(&run->line, "; interfaces:");
		while ((part = strsep(&rest, "\n")))
			if (part[0])
				diag_add(&run->line, " %s,", part);
		run->line.text[strlen(run->line.text) - 1] = '\0';
	}
	if (!steerer_rollback_policy(steerer, false, &back, &is_changed, &why) && is_changed)
		diag_add(&run->undo, "steerctl rollback");
}

int cmd_status(struct run *run)
{
	auto_steerer struct steerer *steerer = NULL;
	const struct policy *policy;
	struct view view = {0};
	struct service *only;
	char digest[20];
	json_t *services;
	int result = run_open(run, STEERER_READ, &steerer);

	if (!result)
		result = run_service(run, steerer_policy(steerer), &only);
	if (result)
		return result;
	policy = steerer_policy(steerer);
	view.steerer = steerer;
	view.table = run_prints(run) ? table_new(columns, ARRAY_SIZE(columns)) : NULL;
	services = json_array();
	for (size_t i = 0; i < policy->n_services; i++) {
		json_t *shown;

		if (only && only != &policy->services[i])
			continue;
		shown = show_service(&view, &policy->services[i]);
		if (shown)
			(void)json_array_append_new(services, shown);
		else
			result = diag_fail(&run->why, -ENOMEM, "memory is short");
	}
	table_show(view.table);
	(void)snprintf(digest, sizeof(digest), "%016" PRIx64, steerer_digest(steerer));
	(void)json_object_set_new(run->json, "services", services);
	(void)json_object_set_new(run->json, "generation",
				  json_integer((json_int_t)steerer_generation(steerer)));
	(void)json_object_set_new(run->json, "digest", json_string(digest));
	show_end(run, steerer);
	return result;
}
