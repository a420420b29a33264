// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rollback: to the base of the release or one step back by selecting the prepared bank; to any
 * revision, or of one service alone, by a commit that no rail refuses.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl/commands.h"
#include "ctl/measure.h"

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
	say_shares(&run->line, service);
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
	result = run_revision(run, journal, run->options.to, &revision);
	if (!result)
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
	int result = run_write(run, &steerer, &next);

	if (!result)
		result = run_service(run, &next, &service);
	if (result)
		return result;
	if (service)
		(void)snprintf(run->service, sizeof(run->service), "%s", service->name);
	result = run->options.to ? restore_revision(run, steerer, &next, &is_changed)
				 : restore_one(run, &next, &is_changed);
	if (result)
		return result;
	if (!is_changed)
		return say_already_back(run);
	diag_add(&run->undo, "rollback --to %" PRIu64 "%s%s", run->before, service ? " -s " : "",
		 service ? service->name : "");
	return run_commit(run, steerer, &next);
}

/* What moves, service by service where anything does. */
static int count_rollback(struct run *run, const struct policy *live, const struct policy *next)
{
	for (size_t i = 0; i < next->n_services; i++)
		if (next->services[i].revision == next->revision)
			say_shares(&run->line, &next->services[i]);
	return run_count(run, live, next);
}

/* The prepared bank: needs neither journal nor lock. */
static int rollback_prepared(struct run *run)
{
	const struct commit_note note = run_note(run);
	auto_steerer struct steerer *steerer = NULL;
	auto_policy struct policy next = {0}, was = {0};
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
	(void)policy_copy(steerer_policy(steerer), &was);
	result = steerer_rollback(steerer, step, &note, &is_changed, &notice, &run->why);
	if (result)
		return result;
	run_warn(run, notice.text);
	(void)run_check_lock(run, steerer);
	if (!is_changed)
		return say_already_back(run);
	run->after = steerer_policy(steerer)->revision;
	if (run->after == run->before)
		run->after = run->before + 1;
	run_say_revision(run);
	diag_add(&run->undo, "rollback --to %" PRIu64, run->before);
	run_say_after(run, steerer, &was);
	measure_note(run, steerer, false);
	return 0;
}

int cmd_rollback(struct run *run)
{
	run->is_rollback = run->keeps_window = true;
	if (run->options.step && run->options.to)
		return diag_fail(&run->why, STATUS_USAGE, "--step and --to exclude each other");
	if (run->options.confirm_within_ms && !run->options.to)
		return diag_fail(&run->why, STATUS_USAGE,
				 "--confirm-within goes with rollback --to only: a plain rollback "
				 "is what a window ends with");
	if (run->options.to || run->options.service)
		return rollback_by_commit(run);
	return rollback_prepared(run);
}
