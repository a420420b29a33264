// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a command is about: the steerer or the journal, and which services are meant. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/suggest.h"
#include "ctl/commands.h"

#define ROLLBACK_WAIT_MS 2000 /* for the lock; then a rollback goes on without it */

void steerer_done(struct steerer **steerer)
{
	if (*steerer)
		steerer_close(*steerer);
}

void journal_done_with(struct journal **journal)
{
	if (*journal)
		journal_close(*journal);
}

/* Readers do not repair the journal; they say that the next writer will. */
static void warn_ahead(struct run *run, const struct steerer *steerer)
{
	const struct journal *journal = steerer_journal(steerer);
	uint64_t live = steerer_policy(steerer)->revision;
	struct diag text = {0};

	if (!journal || journal_head(journal) == live)
		return;
	if (journal_head(journal) < live)
		diag_add(&text,
			 "the kernel holds revision %" PRIu64 ", the journal ends at %" PRIu64
			 "; the next command that changes something journals it",
			 live, journal_head(journal));
	else
		diag_add(&text,
			 "the kernel holds revision %" PRIu64 ", the journal goes on to %" PRIu64
			 "; see 'steerctl verify'",
			 live, journal_head(journal));
	run_warn(run, text.text);
}

/* On a host where nothing was ever set up, the way begins with the file. */
static int not_up(struct run *run)
{
	const struct options *o = &run->options;
	bool is_default = strcmp(o->place.instance, "default") == 0;
	char pins[PATH_MAX];

	(void)snprintf(pins, sizeof(pins), "%s/%s", o->place.bpffs, o->place.instance);
	if (access(pins, F_OK) == 0)
		return STATUS_FAILED; /* half of it is: what is missing has been said */
	if (access(o->config, R_OK) == 0)
		return diag_fail(&run->why, STATUS_FAILED,
				 "steer is not up%s%s: start it with 'steerctl up' (%s is there)",
				 is_default ? "" : ", instance ",
				 is_default ? "" : o->place.instance, o->config);
	return diag_fail(&run->why, STATUS_FAILED,
			 "steer is not up%s%s, and %s is not there: write it (see steerctl(8)), "
			 "then 'steerctl check' and 'steerctl up'",
			 is_default ? "" : ", instance ", is_default ? "" : o->place.instance,
			 o->config);
}

int run_open(struct run *run, enum steerer_mode mode, struct steerer **ret_steerer)
{
	const struct options *o = &run->options;
	struct diag notice = {0};
	int timeout_ms = (int)o->timeout_ms;
	uint64_t revision;
	int result;

	if (mode == STEERER_ROLLBACK && !o->has_timeout)
		timeout_ms = ROLLBACK_WAIT_MS;
	if (o->dry_run)
		mode = STEERER_READ;
	result = steerer_open(&o->place, mode, timeout_ms, ret_steerer, &notice, &run->why);
	if (result) {
		*ret_steerer = NULL;
		return result == -ENOTCONN ? not_up(run) : result;
	}
	run_warn(run, notice.text);
	if (mode == STEERER_READ)
		warn_ahead(run, *ret_steerer);
	revision = steerer_policy(*ret_steerer)->revision;
	run->before = revision;
	run->after = revision;
	if (!o->has_if_revision || o->if_revision == revision)
		return 0;
	return diag_fail(&run->why, STATUS_OTHER_REVISION,
			 "revision is %" PRIu64 ", not %" PRIu64 " as --if-rev wants", revision,
			 o->if_revision);
}

int run_read(struct run *run, struct steerer **ret_steerer, const struct service **ret_only)
{
	struct service *only = NULL;
	int result = run_open(run, STEERER_READ, ret_steerer);

	if (!result)
		result = run_service(run, steerer_policy(*ret_steerer), &only);
	*ret_only = only;
	return result;
}

int run_write(struct run *run, struct steerer **ret_steerer, struct policy *ret_next)
{
	int result = run_open(run, STEERER_WRITE, ret_steerer);

	return result ? result : policy_copy(steerer_policy(*ret_steerer), ret_next);
}

int run_journal(struct run *run, struct journal **ret_journal)
{
	const struct steerer_place *place = &run->options.place;
	struct diag notice = {0};
	char path[PATH_MAX];
	int result;

	(void)snprintf(path, sizeof(path), "%s/%s", place->state, place->instance);
	result = journal_open(path, JOURNAL_CHECK, ret_journal, &notice, &run->why);
	if (result) {
		*ret_journal = NULL;
		if (result != -ENOENT)
			return result;
		return diag_fail(&run->why, STATUS_FAILED,
				 "there is no journal in %s: nothing was ever up here", path);
	}
	run_warn(run, notice.text);
	run->before = run->after = journal_head(*ret_journal);
	return 0;
}

int run_revision(struct run *run, const struct journal *journal, const char *name,
		 uint64_t *ret_revision)
{
	const struct journal_entry *entries;
	struct suggestion near = {.wanted = name};
	char text[SUGGEST_TEXT];
	size_t count;

	*ret_revision = journal_find(journal, name);
	if (*ret_revision)
		return 0;
	entries = journal_entries(journal, &count);
	for (size_t i = 0; i < count; i++)
		if (entries[i].tag[0])
			suggest_offer(&near, entries[i].tag);
	return diag_fail(&run->why, STATUS_UNKNOWN_NAME,
			 "there is no revision or tag '%s'%s; see 'steerctl history'", name,
			 suggest_text(&near, text));
}

static int unknown_service(struct run *run, const struct policy *policy)
{
	struct suggestion near = {.wanted = run->options.service};
	struct diag names = {0};
	char text[SUGGEST_TEXT];

	for (size_t i = 0; i < policy->n_services; i++) {
		suggest_offer(&near, policy->services[i].name);
		diag_add(&names, "%s%s", i ? ", " : "", policy->services[i].name);
	}
	return diag_fail(&run->why, STATUS_UNKNOWN_NAME,
			 "there is no service '%s'%s; there are: %.1024s", run->options.service,
			 suggest_text(&near, text), names.text);
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

/* Services may have pools of the same name: listed once. */
static void offer_pool(struct suggestion *near, struct diag *names, const char *name)
{
	char listed[NAME_TEXT + 4], all[DIAG_TEXT + 4];

	(void)snprintf(listed, sizeof(listed), ", %s,", name);
	(void)snprintf(all, sizeof(all), ", %s,", names->text);
	if (!strstr(all, listed))
		diag_add(names, "%s%s", names->text[0] ? ", " : "", name);
	suggest_offer(near, name);
}

/* No service that is meant has all the pools: name one that is missing. */
static int unknown_pool(struct run *run, const struct policy *policy, const char *const *pools,
			size_t n)
{
	struct suggestion near = {.wanted = pools[0]};
	struct diag names = {0};
	char text[SUGGEST_TEXT];

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
				offer_pool(&near, &names, policy->services[i].pools[p].name);
	if (near.nearest && near.distance == 0)
		return diag_fail(&run->why, STATUS_UNKNOWN_NAME,
				 "no service has all of these pools; set them service by service");
	return diag_fail(&run->why, STATUS_UNKNOWN_NAME,
			 "there is no pool '%s'%s%s%s; there are: %.1024s", near.wanted,
			 run->options.service ? " in service " : "",
			 run->options.service ? run->options.service : "",
			 suggest_text(&near, text), names.text);
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
