// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* explain: which backend a client meets, why, and what the next step would change. */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/share.h"
#include "core/cohort.h"
#include "core/next_step.h"
#include "core/policy_json.h"
#include "core/table.h"
#include "ctl/commands.h"

/* @ret_port 0: none is given. */
static int parse_client(const char *text, struct address *ret_client, uint16_t *ret_port,
			struct diag *why)
{
	char copy[128];
	char *start = copy, *colon, *end;
	unsigned long port;

	(void)snprintf(copy, sizeof(copy), "%s", text);
	colon = strrchr(copy, ':');
	if (copy[0] == '[') {
		end = strchr(copy, ']');
		if (!end || (end[1] != '\0' && colon != end + 1))
			return diag_fail(why, STATUS_USAGE, "'%s' is not [ADDRESS]:PORT", text);
		colon = end[1] ? end + 1 : NULL;
		*end = '\0';
		start++;
	} else if (colon && strchr(copy, ':') != colon) {
		colon = NULL; /* bare IPv6 */
	}
	if (colon) {
		*colon = '\0';
		port = strtoul(colon + 1, &end, 10);
		if (end == colon + 1 || *end || port > 65535)
			return diag_fail(why, STATUS_USAGE, "'%s' is not a port (0 to 65535)",
					 colon + 1);
		*ret_port = (uint16_t)port;
	}
	return address_parse(start, ret_client, why);
}

static const struct backend *backend_of(const struct service *service, uint32_t id)
{
	for (size_t p = 0; p < service->n_pools; p++)
		for (size_t i = 0; i < service->pools[p].n_backends; i++)
			if (id && service->pools[p].backends[i].id == id)
				return &service->pools[p].backends[i];
	return NULL;
}

/* Where a slot leads under one policy of a service. */
struct route {
	const struct pool *pool;
	const struct backend *backend; /* NULL: none may take it */
	uint32_t rank;
};

static int find_route(const struct service *service, uint32_t slot, struct route *ret_route)
{
	auto_free struct steer_table *table = calloc(1, sizeof(*table));
	auto_free uint16_t *ranks = calloc(STEER_SLOTS, sizeof(*ranks));

	if (!table || !ranks || table_compile(service, table))
		return -ENOMEM;
	cohort_ranks(service->seed, ranks);
	ret_route->rank = ranks[slot];
	ret_route->pool = service_rank_owner(service, ranks[slot]);
	ret_route->backend = backend_of(service, table->backend[slot]);
	return 0;
}

/* What is being explained. */
struct question {
	struct run *run;
	struct steerer *steerer;
	const struct service *service;
	struct address client;
	uint16_t port; /* 0: no connection is asked about */
	uint32_t slot;
};

static const char *backend_name(const struct route *route)
{
	return route->backend ? route->backend->name : "no backend";
}

/* Shares at which the client would change its pool: at most one "leaves", any number of "joins". */
static int explain_steps(const struct question *q, const struct route *route, json_t *next,
			 struct diag *ret_text)
{
	for (size_t p = 0; p < q->service->n_pools; p++) {
		const struct pool *pool = &q->service->pools[p];
		bool is_own = pool == route->pool;
		char share[SHARE_TEXT];
		uint32_t slots;

		if (next_step_share(q->service, pool, q->slot, steerer_hash_key(q->steerer),
				    &slots))
			return -ENOMEM;
		if (!slots)
			continue;
		share_format(slots, share);
		diag_add(ret_text, "%s%s %s %s %s", ret_text->text[0] ? ", " : "",
			 is_own ? "leaves" : "joins", pool->name, is_own ? "below" : "at", share);
		json_add(next, json_pack("{s:s, s:s, s:I, s:s}", "step",
					 is_own ? "leaves" : "joins", "pool", pool->name,
					 "share_slots", (json_int_t)slots, "share", share));
	}
	return 0;
}

/* Where "rollback" would take the client; NULL text where there is nothing to roll back. */
static int explain_rollback(const struct question *q, const struct route *route, json_t *next,
			    struct diag *ret_text)
{
	auto_policy struct policy back = {0};
	const struct service *service = NULL;
	bool is_changed = false;
	struct route then;
	int result = steerer_rollback_policy(q->steerer, false, &back, &is_changed, &q->run->why);

	if (!result && is_changed)
		service = policy_service(&back, q->service->name);
	if (result || !service)
		return result;
	result = find_route(service, q->slot, &then);
	if (result)
		return result;
	diag_add(ret_text, "%srollback %s %s of %s", ret_text->text[0] ? "; " : "",
		 strcmp(then.pool->name, route->pool->name) == 0 ? "leaves it with" : "takes it to",
		 backend_name(&then), then.pool->name);
	json_add(next, json_pack("{s:s, s:s, s:s?}", "step", "rollback", "pool", then.pool->name,
				 "backend", then.backend ? then.backend->name : NULL));
	return 0;
}

static void say_why(const struct question *q, const struct route *route, bool is_active,
		    struct diag *text)
{
	char share[SHARE_TEXT];

	share_format(service_pool_slots(q->service, route->pool), share);
	if (is_active)
		diag_add(text,
			 "\n  why:  no other pool's share covers its rank %u of %u; %s is active",
			 route->rank, STEER_SLOTS, route->pool->name);
	else
		diag_add(text, "\n  why:  its rank %u of %u is in the share of %s, %s", route->rank,
			 STEER_SLOTS, route->pool->name, share);
	diag_add(text, " (slot %u)", q->slot);
}

/* What decides for the packets of one open connection to each frontend it could be to. */
static json_t *explain_flows(const struct question *q, struct diag *text)
{
	static const char *const names[] = {
		[FLOW_SLOT] = "slot", [FLOW_ORIGIN] = "origin", [FLOW_RECORD] = "record"};
	static const char *const meanings[] = {
		[FLOW_SLOT] = "its slot, which is not in transition",
		[FLOW_ORIGIN] =
			"the slot's origin: it has no record, so it began before the change",
		[FLOW_RECORD] = "its record: it began in the transition"};
	size_t index = (size_t)(q->service - steerer_policy(q->steerer)->services);
	json_t *list = json_array();

	for (size_t i = 0; q->port && i < q->service->n_frontends; i++) {
		const struct frontend *frontend = &q->service->frontends[i];
		const struct flow flow = {q->client, q->port, frontend};
		struct flow_decision decision;
		const struct backend *backend;
		char address[ADDRESS_TEXT];

		if (frontend->port == 0 ||
		    address_is_ipv4(&frontend->address) != address_is_ipv4(&q->client) ||
		    steerer_flow_rule(q->steerer, index, &flow, &decision))
			continue;
		backend = backend_of(q->service, decision.backend_id);
		address_format(&frontend->address, address);
		diag_add(text, "\n  from port %u to %s port %u %s: %s, by %s", q->port, address,
			 frontend->port, policy_protocol_names[frontend->protocol == IPPROTO_UDP],
			 backend ? backend->name : "no backend", meanings[decision.rule]);
		json_add(list, json_pack("{s:s, s:i, s:s, s:s, s:s?}", "frontend", address, "port",
					 frontend->port, "protocol",
					 policy_protocol_names[frontend->protocol == IPPROTO_UDP],
					 "rule", names[decision.rule], "backend",
					 backend ? backend->name : NULL));
	}
	return list;
}

static json_t *explain_service(const struct question *q)
{
	struct diag *text = &q->run->line, steps = {0};
	char client[ADDRESS_TEXT], address[ADDRESS_TEXT] = "";
	json_t *next = json_array(), *flows;
	struct route route;
	const char *rule;

	if (find_route(q->service, q->slot, &route) || explain_steps(q, &route, next, &steps) ||
	    explain_rollback(q, &route, next, &steps)) {
		json_decref(next);
		return NULL;
	}
	rule = route.pool == &q->service->pools[q->service->active] ? "active" : "share";
	address_format(&q->client, client);
	if (route.backend)
		address_format(&route.backend->address, address);
	diag_add(text, "%s%s: %s meets %s%s%s%s of pool %s", text->text[0] ? "\n" : "",
		 q->service->name, client, backend_name(&route), address[0] ? " (" : "", address,
		 address[0] ? ")" : "", route.pool->name);
	if (route.pool->version[0])
		diag_add(text, ", version %s", route.pool->version);
	say_why(q, &route, rule[0] == 'a', text);
	flows = explain_flows(q, text);
	if (steps.text[0])
		diag_add(text, "\n  next: %.1500s", steps.text);
	return json_pack("{s:s, s:s, s:I, s:I, s:s, s:s, s:s?, s:s, s:I, s:o, s:o}", "client",
			 client, "service", q->service->name, "slot", (json_int_t)q->slot, "rank",
			 (json_int_t)route.rank, "pool", route.pool->name, "version",
			 route.pool->version, "backend", route.backend ? route.backend->name : NULL,
			 "rule", rule, "generation", (json_int_t)steerer_generation(q->steerer),
			 "next", next, "flows", flows);
}

int cmd_explain(struct run *run)
{
	auto_steerer struct steerer *steerer = NULL;
	struct question q = {.run = run};
	const struct policy *policy;
	const struct service *only;
	json_t *list;
	int result = parse_client(run->arguments[0], &q.client, &q.port, &run->why);

	if (!result)
		result = run_read(run, &steerer, &only);
	if (result)
		return result;
	q.steerer = steerer;
	policy = steerer_policy(steerer);
	list = json_array();
	for (size_t i = 0; !result && i < policy->n_services; i++) {
		json_t *one;

		if (only && only != &policy->services[i])
			continue;
		q.service = &policy->services[i];
		q.slot = steerer_slot(steerer, q.service, &q.client);
		one = explain_service(&q);
		if (one)
			json_add(list, one);
		else
			result = diag_fail(&run->why, -ENOMEM, "memory is short");
	}
	if (json_array_size(list) == 1) { /* one service: its keys are the answer's */
		json_t *one = json_array_get(list, 0);
		const char *name = json_string_value(json_object_get(one, "service"));

		(void)snprintf(run->service, sizeof(run->service), "%s", name);
		(void)json_object_update(run->json, one);
	}
	(void)json_object_set_new(run->json, "services", list);
	return result;
}
