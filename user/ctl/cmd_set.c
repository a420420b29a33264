// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* set, switch, get: who gets which clients. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/share.h"
#include "ctl/commands.h"
#include "ctl/plan.h"

/* ---- set ---- */

static int parse_requests(struct run *run, struct share_request *requests, const char **pools)
{
	if (run->n_arguments % 2)
		return diag_fail(&run->why, STATUS_USAGE,
				 "set takes pairs: POOL SHARE [POOL SHARE ...]; '%s' has no share",
				 run->arguments[run->n_arguments - 1]);
	for (int i = 0; i < run->n_arguments / 2; i++) {
		int result = share_parse(run->arguments[2 * i + 1], &requests[i].slots, &run->why);

		if (result)
			return result;
		pools[i] = requests[i].pool = run->arguments[2 * i];
	}
	return 0;
}

/* How evenly the backends of each pool carry its slots after the change. */
static void say_imbalance(struct run *run, const struct service *service)
{
	auto_free struct steer_table *table = calloc(1, sizeof(*table));
	json_t *list = json_object_get(run->json, "imbalance");
	bool is_only = run->service[0] != '\0';

	if (!table || table_compile(service, table))
		return;
	if (!list) {
		list = json_object();
		(void)json_object_set_new(run->json, "imbalance", list);
	}
	for (size_t p = 0; p < service->n_pools; p++) {
		const struct pool *pool = &service->pools[p];
		auto_free uint32_t *slots = calloc(pool->n_backends + 1, sizeof(*slots));
		char name[2 * NAME_TEXT];
		double imbalance;

		if (!slots || service_pool_slots(service, pool) == 0)
			continue;
		plan_backend_slots(table, pool, slots);
		imbalance = table_imbalance(pool, slots);
		(void)snprintf(name, sizeof(name), "%s%s%s", is_only ? "" : service->name,
			       is_only ? "" : "/", pool->name);
		diag_add(&run->more, "%s%s %.3f", run->more.text[0] ? ", " : "imbalance: ", name,
			 imbalance);
		(void)json_object_set_new(list, name, json_real(imbalance));
	}
}

typedef int (*change_service)(struct service *service, const void *what, uint64_t revision,
			      const uint64_t key[2], bool *ret_changed, struct diag *why);

/* Change a copy of the live policy in the services chosen by @pools, and commit it. */
static int change_shares(struct run *run, const char *const *pools, size_t n_pools,
			 change_service change, const void *what)
{
	auto_steerer struct steerer *steerer = NULL;
	auto_policy struct policy next = {0};
	bool chosen[STEER_SERVICES] = {0};
	bool is_changed = false, is_step = true;
	int result = run_write(run, &steerer, &next);

	if (!result)
		result = run_choose(run, &next, pools, n_pools, chosen);
	for (size_t i = 0; !result && i < next.n_services; i++) {
		bool is_this = false;

		if (!chosen[i])
			continue;
		result = change(&next.services[i], what, run->before, steerer_hash_key(steerer),
				&is_this, &run->why);
		is_changed |= is_this;
		/* A switch that moves nobody is no step of a release. */
		is_step &= !is_this || next.services[i].before.revision == run->before;
		if (!result) {
			say_shares(&run->line, &next.services[i]);
			say_imbalance(run, &next.services[i]);
		}
	}
	if (result)
		return result;
	if (!is_changed) {
		run->more.text[0] = '\0';
		diag_add(&run->line, ": already so (revision %" PRIu64 ")", run->before);
		return 0;
	}
	if (is_step)
		diag_add(&run->undo, "rollback --step");
	else
		diag_add(&run->undo, "rollback --to %" PRIu64, run->before);
	return run_commit(run, steerer, &next);
}

struct set_what {
	const struct share_request *requests;
	size_t n_requests;
};

static int change_set(struct service *service, const void *what, uint64_t revision,
		      const uint64_t key[2], bool *ret_changed, struct diag *why)
{
	const struct set_what *set = what;

	return service_set(service, set->requests, set->n_requests, revision, key, ret_changed,
			   why);
}

int cmd_set(struct run *run)
{
	size_t count = (size_t)run->n_arguments / 2;
	auto_free struct share_request *requests = calloc(count + 1, sizeof(*requests));
	auto_free const char **pools = calloc(count + 1, sizeof(*pools));
	const struct set_what what = {requests, count};
	int result;

	if (!requests || !pools)
		return -ENOMEM;
	result = parse_requests(run, requests, pools);
	return result ? result : change_shares(run, pools, count, change_set, &what);
}

/* ---- switch ---- */

static int change_switch(struct service *service, const void *what, uint64_t revision,
			 const uint64_t key[2], bool *ret_changed, struct diag *why)
{
	return service_switch(service, what, revision, key, ret_changed, why);
}

int cmd_switch(struct run *run)
{
	const char *pool = run->arguments[0];

	return change_shares(run, &pool, 1, change_switch, pool);
}

/* ---- get ---- */

static void get_service(struct run *run, const struct service *service, bool is_only,
			const char *only, json_t *list)
{
	const char *between = "";

	if (run_prints(run) && !is_only)
		printf("-s %s ", service->name);
	for (size_t p = 0; p < service->n_pools; p++) {
		const struct pool *pool = &service->pools[p];
		uint32_t slots = service_pool_slots(service, pool);
		char text[SHARE_TEXT];

		if (only && strcmp(pool->name, only) != 0)
			continue;
		share_format(slots, text);
		if (run_prints(run))
			printf("%s%s %s", between, pool->name, text);
		between = " ";
		json_add(list,
			 json_pack("{s:s, s:s, s:I, s:s}", "service", service->name, "pool",
				   pool->name, "share_slots", (json_int_t)slots, "share", text));
	}
	if (run_prints(run))
		(void)putchar('\n');
}

int cmd_get(struct run *run)
{
	auto_steerer struct steerer *steerer = NULL;
	const char *only = run->n_arguments ? run->arguments[0] : NULL;
	bool chosen[STEER_SERVICES] = {0}, has_all = run->options.all;
	const struct policy *policy;
	size_t count = 0;
	json_t *list;
	int result = run_open(run, STEERER_READ, &steerer);

	if (result)
		return result;
	policy = steerer_policy(steerer);
	run->options.all = true; /* reading is never ambiguous */
	result = run_choose(run, policy, &only, only ? 1 : 0, chosen);
	run->options.all = has_all;
	if (result)
		return policy->n_services ? result : 0;
	for (size_t i = 0; i < policy->n_services; i++)
		count += chosen[i];
	list = json_array();
	for (size_t i = 0; i < policy->n_services; i++)
		if (chosen[i])
			get_service(run, &policy->services[i], count == 1, only, list);
	(void)json_object_set_new(run->json, "shares", list);
	return 0;
}
