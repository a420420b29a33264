// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Coming up, going down, and taking a changed inventory over.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/own.h"
#include "core/generation.h"
#include "core/loader.h"
#include "core/slot.h"
#include "core/steerer_private.h"

#define UP_LOCK_MS 10000

static void number_backends(struct policy *policy)
{
	for (size_t s = 0; s < policy->n_services; s++)
		for (size_t p = 0; p < policy->services[s].n_pools; p++)
			for (size_t b = 0; b < policy->services[s].pools[p].n_backends; b++) {
				struct backend *backend = &policy->services[s].pools[p].backends[b];

				if (backend->id == 0)
					backend->id = ++policy->last_backend_id;
			}
}

static void keep_backends(const struct service *live, struct service *next)
{
	for (size_t p = 0; p < next->n_pools; p++) {
		const struct pool *was = service_pool(live, next->pools[p].name);

		for (size_t b = 0; was && b < next->pools[p].n_backends; b++) {
			struct backend *backend = &next->pools[p].backends[b];

			for (size_t i = 0; i < was->n_backends; i++) {
				const struct backend *old = &was->backends[i];

				if (strcmp(old->name, backend->name) != 0 ||
				    memcmp(&old->address, &backend->address,
					   sizeof(old->address)) != 0)
					continue;
				backend->id = old->id;
				backend->state = old->state;
				if (old->weight != old->weight_configured)
					backend->weight = old->weight;
			}
		}
	}
}

/* Give @next the shares of @live; a pool that owns slots must still exist. */
static int keep_shares(const struct service *live, struct service *next, struct diag *why)
{
	struct shares shares = {0}, base = {0};
	bool changed;
	int error;

	for (size_t p = 0; p < live->n_pools; p++) {
		const struct pool *pool = &live->pools[p];

		if (!service_pool(next, pool->name) && service_pool_slots(live, pool))
			return diag_fail(why, -EBUSY,
					 "service '%s': pool '%s' still owns %u slots; 'steerctl "
					 "-s %s set %s 0%%' or switch away before removing it",
					 live->name, pool->name, service_pool_slots(live, pool),
					 live->name, pool->name);
	}
	error = service_shares(live, live->revision, &shares);
	if (!error)
		error = service_restore(next, &shares, &changed, why);
	shares_free(&shares);
	if (error)
		return error;
	next->revision = live->revision;
	shares_free(&base);
	error = shares_copy(&live->base, &next->base);
	return error ? error : shares_copy(&live->before, &next->before);
}

int steerer_merge(const struct policy *live, const struct policy *config, struct policy *ret_next,
		  struct diag *why)
{
	struct policy next = {0};
	int error = policy_copy(config, &next);

	if (error)
		return diag_fail(why, error, "out of memory merging the configuration");
	next.revision = live->revision;
	next.last_backend_id = live->last_backend_id;
	for (size_t s = 0; s < next.n_services && !error; s++) {
		const struct service *was = policy_service(live, next.services[s].name);

		if (!was)
			continue;
		keep_backends(was, &next.services[s]);
		error = keep_shares(was, &next.services[s], why);
	}
	if (error) {
		policy_free(&next);
		return error;
	}
	number_backends(&next);
	*ret_next = next;
	return 0;
}

/* Policy to start with: the journal's newest over the configuration's, or the latter alone. */
static int first_policy(struct steerer *steerer, const struct policy *config,
			struct policy *ret_policy, struct diag *why)
{
	uint64_t head = journal_head(steerer->journal);
	struct policy newest = {0};
	int error;

	if (head == 0) {
		error = policy_copy(config, ret_policy);
		if (error)
			return diag_fail(why, error, "out of memory");
		number_backends(ret_policy);
		return 0;
	}
	error = journal_policy(steerer->journal, head, &newest, why);
	if (!error)
		error = steerer_merge(&newest, config, ret_policy, why);
	policy_free(&newest);
	return error;
}

/* The instance's key decides who meets which slot; no packet has been steered yet. */
static void draw_slots(struct steerer *steerer)
{
	struct steer_control *control = steerer->dp.control;

	memcpy(control->hash_key, journal_key(steerer->journal), sizeof(control->hash_key));
	slot_draw(journal_key(steerer->journal), control->slot_hash);
}

static int install_first(struct steerer *steerer, const struct policy *config,
			 const struct commit_note *note, struct diag *why)
{
	struct journal_entry entry = {.revision = journal_head(steerer->journal) + 1,
				      .parent = journal_head(steerer->journal),
				      .time = time(NULL),
				      .uid = getuid()};
	struct policy first = {0};
	uint32_t bank;
	int error = first_policy(steerer, config, &first, why);

	if (error)
		return error;
	first.revision = entry.revision;
	for (size_t s = 0; s < first.n_services; s++)
		if (first.services[s].revision == 0)
			first.services[s].revision = entry.revision;
	(void)snprintf(entry.command, sizeof(entry.command), "%s", note->command);
	draw_slots(steerer);
	error = journal_intent(steerer->journal, &entry, &first, why);
	if (!error)
		error = generation_install(&steerer->dp, &first, &bank, why);
	if (!error)
		error = dataplane_swap(&steerer->dp, dataplane_word(&steerer->dp), bank);
	if (!error)
		error = journal_done(steerer->journal, entry.revision, why);
	else
		(void)journal_abort(steerer->journal, entry.revision, NULL);
	policy_free(&first);
	return error;
}

static int make_dir(const char *path, mode_t mode, struct diag *why)
{
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return diag_fail(why, errno == EACCES ? -EPERM : -errno, "cannot make %s: %m",
				 path);
	return 0;
}

static int attach_all(struct steerer *steerer, const struct policy *config, struct diag *notice,
		      struct diag *why)
{
	for (size_t i = 0; i < config->n_interfaces; i++) {
		int error = loader_attach(steerer->dir, &config->interfaces[i], notice, why);

		if (error)
			return error;
	}
	return 0;
}

static int bring_up(struct steerer *steerer, const struct policy *config,
		    const struct commit_note *note, bool *ret_was_up, struct diag *notice,
		    struct diag *why)
{
	struct steer_facts facts = loader_facts(config);
	int error = take_lock(steerer, UP_LOCK_MS, why);

	if (!error)
		error = loader_load(steerer->dir, &facts, why);
	if (!error)
		error = dataplane_open(steerer->dir, true, &steerer->dp, why);
	steerer->is_open = !error;
	if (!error)
		error = journal_open(steerer->state, true, &steerer->journal, notice, why);
	if (error)
		return error;
	*ret_was_up = STEER_WORD_BANK(dataplane_word(&steerer->dp)) != 0;
	if (*ret_was_up)
		error = load_live(steerer, why) ?: recover_journal(steerer, notice, why);
	else
		error = install_first(steerer, config, note, why);
	return error ? error : attach_all(steerer, config, notice, why);
}

int steerer_up(const struct steerer_place *place, const struct policy *config,
	       const struct commit_note *note, bool *ret_was_up, struct diag *notice,
	       struct diag *why)
{
	struct steerer *steerer = calloc(1, sizeof(*steerer));
	bool was_up = false;
	int error;

	if (!steerer)
		return diag_fail(why, -ENOMEM, "out of memory");
	notice->text[0] = '\0';
	steerer->lock = -1;
	error = dataplane_privileged(why);
	if (!error)
		error = place_paths(place, steerer, why);
	if (!error)
		error = make_dir(place->bpffs, 0700, why) ?: make_dir(steerer->dir, 0700, why);
	if (!error)
		error = make_dir(place->state, 0755, why) ?: make_dir(steerer->state, 0700, why);
	if (!error) {
		error = bring_up(steerer, config, note, &was_up, notice, why);
		if (error && !was_up)
			(void)steerer_down(place, -1, NULL);
	}
	steerer_close(steerer);
	*ret_was_up = was_up;
	return error;
}

static void remove_tree(const char *dir)
{
	char path[512];
	struct dirent *entry;
	DIR *stream = opendir(dir);

	while (stream && (entry = readdir(stream))) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		if (unlink(path) < 0 && (errno == EISDIR || errno == EPERM))
			remove_tree(path);
	}
	if (stream)
		(void)closedir(stream);
	(void)rmdir(dir);
}

static void detach_all(const struct steerer *steerer)
{
	char path[512];
	struct dirent *entry;
	DIR *stream;

	(void)snprintf(path, sizeof(path), "%s/links", steerer->dir);
	stream = opendir(path);
	while (stream && (entry = readdir(stream)))
		if (entry->d_name[0] != '.')
			(void)loader_detach(steerer->dir, entry->d_name, NULL);
	if (stream)
		(void)closedir(stream);
}

int steerer_down(const struct steerer_place *place, int timeout_ms, struct diag *why)
{
	struct steerer steerer = {.lock = -1};
	int error = place_paths(place, &steerer, why);

	/* A negative time-out: the caller holds the lock already. */
	if (!error && timeout_ms >= 0)
		error = dataplane_privileged(why) ?: take_lock(&steerer, timeout_ms, why);
	if (error)
		return error;
	detach_all(&steerer);
	remove_tree(steerer.dir);
	own_close(&steerer.lock);
	return 0;
}
