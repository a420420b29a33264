// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What the commands share: opening, choosing services, rails, and the way from a changed policy
 * to a commit or to the answer of --dry-run.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/own.h"
#include "ctl/commands.h"
#include "ctl/plan.h"

void steerer_done(struct steerer **steerer)
{
	if (*steerer)
		steerer_close(*steerer);
}

int run_open(struct run *run, enum steerer_mode mode, struct steerer **ret_steerer)
{
	const struct options *o = &run->options;
	struct diag notice = {0};
	uint64_t revision;
	int result;

	if (o->dry_run)
		mode = STEERER_READ;
	result = steerer_open(&o->place, mode, o->timeout_ms, ret_steerer, &notice, &run->why);
	if (result) {
		*ret_steerer = NULL;
		return result;
	}
	run_warn(run, notice.text);
	revision = steerer_policy(*ret_steerer)->revision;
	run->before = revision;
	run->after = revision;
	if (!o->has_if_revision || o->if_revision == revision)
		return 0;
	return diag_fail(&run->why, STATUS_OTHER_REVISION,
			 "revision is %" PRIu64 ", not %" PRIu64 " as --if-rev wants", revision,
			 o->if_revision);
}

static int unknown_service(struct run *run, const struct policy *policy)
{
	struct suggestion near = {.wanted = run->options.service};
	char text[96];

	for (size_t i = 0; i < policy->n_services; i++)
		suggest_offer(&near, policy->services[i].name);
	return diag_fail(&run->why, STATUS_UNKNOWN_NAME, "there is no service '%s'%s",
			 run->options.service, suggest_text(&near, text));
}

int run_service(struct run *run, const struct policy *policy, struct service **ret_service)
{
	*ret_service = NULL;
	if (!run->options.service)
		return 0;
	*ret_service = policy_service(policy, run->options.service);
	return *ret_service ? 0 : unknown_service(run, policy);
}

bool run_means(const struct run *run, const struct service *service)
{
	return !run->options.service || strcmp(run->options.service, service->name) == 0;
}

static const char *missing_pool(const struct service *service, const char *const *pools, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!service_pool(service, pools[i]))
			return pools[i];
	return NULL;
}

/* No service that is meant has all the pools: name one that is missing. */
static int unknown_pool(struct run *run, const struct policy *policy, const char *const *pools,
			size_t n)
{
	struct suggestion near = {.wanted = pools[0]};
	char text[96];

	for (size_t p = 0; p < n; p++) {
		bool is_known = false;

		for (size_t i = 0; i < policy->n_services; i++)
			is_known |= run_means(run, &policy->services[i]) &&
				    service_pool(&policy->services[i], pools[p]);
		if (is_known)
			continue;
		near.wanted = pools[p];
		break;
	}
	for (size_t i = 0; i < policy->n_services; i++)
		for (size_t p = 0; p < policy->services[i].n_pools; p++)
			if (run_means(run, &policy->services[i]))
				suggest_offer(&near, policy->services[i].pools[p].name);
	if (near.nearest && near.distance == 0)
		return diag_fail(&run->why, STATUS_UNKNOWN_NAME,
				 "no service has all of these pools; set them service by service");
	return diag_fail(&run->why, STATUS_UNKNOWN_NAME, "there is no pool '%s'%s%s%s", near.wanted,
			 run->options.service ? " in service " : "",
			 run->options.service ? run->options.service : "",
			 suggest_text(&near, text));
}

int run_choose(struct run *run, const struct policy *policy, const char *const *pools,
	       size_t n_pools, bool *ret_chosen)
{
	struct diag names = {0};
	struct service *service;
	size_t count = 0;
	int result = run_service(run, policy, &service);

	if (result)
		return result;
	for (size_t i = 0; i < policy->n_services; i++) {
		service = &policy->services[i];
		ret_chosen[i] = run_means(run, service) && !missing_pool(service, pools, n_pools);
		if (!ret_chosen[i])
			continue;
		diag_add(&names, "%s%s", count ? ", " : "", service->name);
		(void)snprintf(run->service, sizeof(run->service), "%s", service->name);
		count++;
	}
	if (count == 0)
		return unknown_pool(run, policy, pools, n_pools);
	if (count == 1)
		return 0;
	run->service[0] = '\0';
	if (run->options.all)
		return 0;
	return diag_fail(&run->why, STATUS_USAGE,
			 "several services have pool '%s': %.1500s; say -s SERVICE, or --all",
			 pools[0], names.text);
}

int run_rails(struct run *run, const struct policy *before, const struct policy *after)
{
	const char *override = run->options.override;

	if (override && strcmp(override, "health") == 0)
		return 0;
	for (size_t i = 0; i < after->n_services; i++) {
		const struct service *new = &after->services[i];
		const struct service *old = policy_service(before, new->name);

		for (size_t p = 0; p < new->n_pools; p++) {
			const struct pool *pool = &new->pools[p];
			const struct pool *was = old ? service_pool(old, pool->name) : NULL;
			uint32_t slots = service_pool_slots(new, pool);

			if (slots == 0 || pool_has_eligible(pool))
				continue;
			if (was && !pool_has_eligible(was) && service_pool_slots(old, was) >= slots)
				continue; /* no worse than it is */
			return diag_fail(
				&run->why, STATUS_RAIL,
				"refused by rail 'health': pool '%s' of %s would get clients and "
				"has "
				"no eligible backend (ready, weight above 0); to do it anyway: "
				"--override health",
				pool->name, new->name);
		}
	}
	return 0;
}

int run_count(struct run *run, const struct policy *before, const struct policy *after)
{
	run->forward = run->back = run->within = 0;
	for (size_t i = 0; i < after->n_services; i++) {
		const struct service *new = &after->services[i];
		const struct service *old = policy_service(before, new->name);
		struct plan_moves moves;

		if (!old)
			continue;
		if (plan_compare(old, new, &moves))
			return diag_fail(&run->why, -ENOMEM, "memory is short");
		run->forward += moves.forward;
		run->back += moves.back;
		run->within += moves.within;
		for (size_t p = 0; p < new->n_pools; p++) {
			const struct pool *pool = &new->pools[p];
			const struct pool *was = service_pool(old, pool->name);
			uint32_t from = was ? service_pool_slots(old, was) : 0;
			uint32_t to = service_pool_slots(new, pool);

			if (from != to)
				(void)json_array_append_new(
					run->changes,
					json_pack("{s:s, s:s, s:I, s:I}", "service", new->name,
						  "pool", pool->name, "from_slots",
						  (json_int_t)from, "to_slots", (json_int_t)to));
		}
	}
	return 0;
}

int run_would_change(struct run *run)
{
	struct diag line = run->line;

	run->line.text[0] = '\0';
	diag_add(&run->line, "would be: %.1900s", line.text);
	run->undo.text[0] = '\0';
	(void)json_object_set_new(run->json, "dry_run", json_true());
	return STATUS_WOULD_CHANGE;
}

static void say_moves(struct run *run)
{
	if (run->forward + run->back + run->within == 0)
		return;
	diag_add(&run->line, "; slots moved: %" PRIu64 " forward, %" PRIu64 " back", run->forward,
		 run->back);
	if (run->within)
		diag_add(&run->line, ", %" PRIu64 " within a pool", run->within);
}

static int commit(struct run *run, struct steerer *steerer, struct policy *next, bool is_apply)
{
	const struct commit_note note = {run->typed, run->options.reason};
	struct diag notice = {0};
	int result;

	if (!is_apply)
		return steerer_commit(steerer, next, &note, &run->why);
	result = steerer_apply(steerer, next, &note, &notice, &run->why);
	run_warn(run, notice.text);
	return result;
}

static int check_and_commit(struct run *run, struct steerer *steerer, struct policy *next,
			    bool is_apply)
{
	const struct policy *live = steerer_policy(steerer);
	int result = run_rails(run, live, next);

	if (!result)
		result = run_count(run, live, next);
	if (result)
		return result;
	say_moves(run);
	if (run->options.dry_run)
		return run_would_change(run);
	result = commit(run, steerer, next, is_apply);
	if (result)
		return result;
	run->after = next->revision;
	diag_add(&run->line, " (revision %" PRIu64 ", was %" PRIu64 ")", run->after, run->before);
	return 0;
}

int run_commit(struct run *run, struct steerer *steerer, struct policy *next)
{
	return check_and_commit(run, steerer, next, false);
}

int run_apply(struct run *run, struct steerer *steerer, struct policy *next)
{
	return check_and_commit(run, steerer, next, true);
}
