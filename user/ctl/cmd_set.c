// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* set, get, switch, rollback, weight: who gets which clients. */
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

/* "shop: blue 95%, canary 5%" */
static void say_shares(struct run *run, const struct service *service)
{
	char text[SHARE_TEXT];
	int count = 0;

	diag_add(&run->line, "%s%s:", run->line.text[0] ? "; " : "", service->name);
	for (size_t p = 0; p < service->n_pools; p++) {
		uint32_t slots = service_pool_slots(service, &service->pools[p]);

		if (slots)
			diag_add(&run->line, "%s %s %s", count++ ? "," : "", service->pools[p].name,
				 share_format(slots, text));
	}
}

/* How evenly the backends of each pool carry its slots after the change. */
static void say_imbalance(struct run *run, const struct service *service)
{
	auto_free struct steer_table *table = calloc(1, sizeof(*table));
	json_t *list = json_object();

	if (!table || table_compile(service, table)) {
		json_decref(list);
		return;
	}
	for (size_t p = 0; p < service->n_pools; p++) {
		const struct pool *pool = &service->pools[p];
		auto_free uint32_t *slots = calloc(pool->n_backends + 1, sizeof(*slots));
		double imbalance = 0;

		if (!slots || service_pool_slots(service, pool) == 0)
			continue;
		plan_backend_slots(table, pool, slots);
		imbalance = table_imbalance(pool, slots);
		diag_add(&run->more, "%s%s %.3f",
			 run->more.text[0] ? ", " : "imbalance: ", pool->name, imbalance);
		(void)json_object_set_new(list, pool->name, json_real(imbalance));
	}
	(void)json_object_set_new(run->json, "imbalance", list);
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
	bool is_changed = false;
	int result = run_open(run, STEERER_WRITE, &steerer);

	if (!result)
		result = run_choose(run, steerer_policy(steerer), pools, n_pools, chosen);
	if (!result)
		result = policy_copy(steerer_policy(steerer), &next);
	for (size_t i = 0; !result && i < next.n_services; i++) {
		bool is_this = false;

		if (!chosen[i])
			continue;
		result = change(&next.services[i], what, run->before, steerer_hash_key(steerer),
				&is_this, &run->why);
		is_changed |= is_this;
		if (!result) {
			say_shares(run, &next.services[i]);
			say_imbalance(run, &next.services[i]);
		}
	}
	if (result)
		return result;
	if (!is_changed) {
		diag_add(&run->line, ": already so (revision %" PRIu64 ")", run->before);
		return 0;
	}
	diag_add(&run->undo, "steerctl rollback --step");
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
		(void)json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:s}", "service",
							    service->name, "pool", pool->name,
							    "share_slots", (json_int_t)slots,
							    "share", text));
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

/* ---- rollback ---- */

/* A pool whose version is another one than at the revision gone back to. */
static void warn_versions(struct run *run, const struct service *now, const struct service *then)
{
	for (size_t p = 0; p < then->n_pools; p++) {
		const struct pool *old = &then->pools[p];
		const struct pool *new = service_pool(now, old->name);
		char text[320];

		if (!new || strcmp(new->version, old->version) == 0 ||
		    service_pool_slots(now, new) == 0)
			continue;
		(void)snprintf(text, sizeof(text), "pool %s of %s is version '%s' now, was '%s'",
			       new->name, now->name, new->version, old->version);
		run_warn(run, text);
	}
}

static int restore_service(struct run *run, struct service *service, const struct shares *to,
			   bool *ret_changed)
{
	struct shares before = {0};
	int result = service_shares(service, run->before, &before);

	if (!result)
		result = service_restore(service, to, ret_changed, &run->why);
	if (result || !*ret_changed) {
		shares_free(&before);
		return result;
	}
	shares_free(&service->before); /* so that --step leads back here */
	service->before = before;
	say_shares(run, service);
	return 0;
}

/* Restore in @next what --to names, for the services that are meant. */
static int restore_revision(struct run *run, struct steerer *steerer, struct policy *next,
			    bool *ret_changed)
{
	struct journal *journal = steerer_journal(steerer);
	auto_policy struct policy then = {0};
	uint64_t revision;
	int result;

	if (!journal)
		return diag_fail(&run->why, STATUS_FAILED,
				 "--to needs the journal, which cannot "
				 "be read; plain rollback does not");
	revision = journal_find(journal, run->options.to);
	if (!revision)
		return diag_fail(&run->why, STATUS_UNKNOWN_NAME,
				 "there is no revision or tag '%s'; see 'steerctl history'",
				 run->options.to);
	result = journal_policy(journal, revision, &then, &run->why);
	for (size_t i = 0; !result && i < next->n_services; i++) {
		struct service *service = &next->services[i];
		struct service *old = policy_service(&then, service->name);
		struct shares to = {0};
		bool is_this = false;

		if (!old || !run_means(run, service))
			continue;
		result = service_shares(old, revision, &to);
		if (!result)
			result = restore_service(run, service, &to, &is_this);
		shares_free(&to);
		*ret_changed |= is_this;
		if (is_this)
			warn_versions(run, service, old);
	}
	return result;
}

/* Restore base (or, with --step, what was before) of the one service that -s names. */
static int restore_one(struct run *run, struct policy *next, bool *ret_changed)
{
	struct service *service;
	struct shares *to;
	struct shares copy = {0};
	int result = run_service(run, next, &service);

	if (result)
		return result;
	to = run->options.step ? &service->before : &service->base;
	if (!to->revision)
		return 0;
	if (run->options.step) { /* restore_service() replaces it */
		copy = *to;
		*to = (struct shares){0};
		to = &copy;
	}
	result = restore_service(run, service, to, ret_changed);
	if (run->options.step && !*ret_changed)
		service->before = copy;
	else
		shares_free(&copy);
	return result;
}

static int say_already_back(struct run *run)
{
	run->line.text[0] = '\0';
	diag_add(&run->line, "nothing to roll back: already there (revision %" PRIu64 ")",
		 run->before);
	return 0;
}

/* The part that goes through a commit: --to, or one service alone. */
static int rollback_by_commit(struct run *run)
{
	auto_steerer struct steerer *steerer = NULL;
	auto_policy struct policy next = {0};
	struct service *service;
	bool is_changed = false;
	int result = run_open(run, STEERER_WRITE, &steerer);

	if (!result)
		result = run_service(run, steerer_policy(steerer), &service);
	if (result)
		return result;
	if (service)
		(void)snprintf(run->service, sizeof(run->service), "%s", service->name);
	result = policy_copy(steerer_policy(steerer), &next);
	if (!result)
		result = run->options.to ? restore_revision(run, steerer, &next, &is_changed)
					 : restore_one(run, &next, &is_changed);
	if (result)
		return result;
	if (!is_changed)
		return say_already_back(run);
	diag_add(&run->undo, "steerctl rollback --to %" PRIu64, run->before);
	return run_commit(run, steerer, &next);
}

static int count_rollback(struct run *run, const struct policy *live, const struct policy *next)
{
	int result = run_count(run, live, next);

	for (size_t i = 0; !result && i < next->n_services; i++)
		say_shares(run, &next->services[i]);
	if (!result)
		diag_add(&run->line, "; slots moved: %" PRIu64 " forward, %" PRIu64 " back",
			 run->forward, run->back);
	return result;
}

/* The prepared bank: needs neither journal nor lock. */
static int rollback_prepared(struct run *run)
{
	const struct commit_note note = {run->typed, run->options.reason};
	auto_steerer struct steerer *steerer = NULL;
	auto_policy struct policy next = {0};
	struct diag notice = {0};
	bool is_changed = false, step = run->options.step;
	int result = run_open(run, STEERER_ROLLBACK, &steerer);

	if (result)
		return result;
	result = steerer_rollback_policy(steerer, step, &next, &is_changed, &run->why);
	if (!result && !is_changed)
		return say_already_back(run);
	if (!result)
		result = count_rollback(run, steerer_policy(steerer), &next);
	if (result && run->options.dry_run)
		return result;
	if (run->options.dry_run)
		return run_would_change(run);
	/* A plan that cannot be made does not stop a rollback. */
	result = steerer_rollback(steerer, step, &note, &is_changed, &notice, &run->why);
	if (result)
		return result;
	run_warn(run, notice.text);
	if (!is_changed)
		return say_already_back(run);
	run->after = steerer_policy(steerer)->revision;
	if (run->after == run->before)
		run->after = run->before + 1;
	diag_add(&run->line, " (revision %" PRIu64 ", was %" PRIu64 ")", run->after, run->before);
	diag_add(&run->undo, "steerctl rollback --to %" PRIu64, run->before);
	return 0;
}

int cmd_rollback(struct run *run)
{
	if (run->options.step && run->options.to)
		return diag_fail(&run->why, STATUS_USAGE, "--step and --to exclude each other");
	if (run->options.to || run->options.service)
		return rollback_by_commit(run);
	return rollback_prepared(run);
}

/* ---- weight ---- */

static int find_backend(struct run *run, const struct policy *policy, const char *name,
			struct backend **ret_backend)
{
	struct suggestion near = {.wanted = name};
	struct service *service;
	struct backend *found = NULL;
	char text[96];
	int result = run_service(run, policy, &service);

	for (size_t i = 0; !result && i < policy->n_services; i++) {
		struct pool *pool;
		struct backend *backend = service_backend(&policy->services[i], name, &pool);

		if (!run_means(run, &policy->services[i]))
			continue;
		if (backend && found)
			return diag_fail(&run->why, STATUS_USAGE,
					 "several services have backend '%s': say -s SERVICE",
					 name);
		if (backend)
			(void)snprintf(run->service, sizeof(run->service), "%s",
				       policy->services[i].name);
		found = backend ? backend : found;
		for (size_t p = 0; p < policy->services[i].n_pools; p++)
			for (size_t b = 0; b < policy->services[i].pools[p].n_backends; b++)
				suggest_offer(&near, policy->services[i].pools[p].backends[b].name);
	}
	*ret_backend = found;
	if (result || found)
		return result;
	return diag_fail(&run->why, STATUS_UNKNOWN_NAME, "there is no backend '%s'%s", name,
			 suggest_text(&near, text));
}

int cmd_weight(struct run *run)
{
	auto_steerer struct steerer *steerer = NULL;
	auto_policy struct policy next = {0};
	struct backend *backend;
	const char *text = run->arguments[1];
	char *end;
	unsigned long weight = strtoul(text, &end, 10);
	int result;

	if (text[0] < '0' || text[0] > '9' || *end || weight > 1000)
		return diag_fail(&run->why, STATUS_USAGE,
				 "weight '%s' is not a whole number from 0 to 1000", text);
	result = run_open(run, STEERER_WRITE, &steerer);
	if (!result)
		result = policy_copy(steerer_policy(steerer), &next);
	if (!result)
		result = find_backend(run, &next, run->arguments[0], &backend);
	if (result)
		return result;
	if (backend->weight == weight)
		return diag_fail(&run->line, 0, "%s has weight %lu already", backend->name, weight);
	diag_add(&run->line, "%s: weight %lu, was %u", backend->name, weight, backend->weight);
	diag_add(&run->undo, "steerctl weight %s %u -s %s", backend->name, backend->weight,
		 run->service);
	(void)json_array_append_new(
		run->changes, json_pack("{s:s, s:s, s:s, s:I, s:I}", "service", run->service,
					"backend", backend->name, "key", "weight", "from",
					(json_int_t)backend->weight, "to", (json_int_t)weight));
	backend->weight = (uint32_t)weight;
	return run_commit(run, steerer, &next);
}
