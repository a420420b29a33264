// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Coming up and going down.
 *
 * What runs is adopted and repaired, never taken down: only an "up" that found nothing running
 * cleans up after itself when it fails.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/own.h"
#include "core/facts.h"
#include "core/flows.h"
#include "core/generation.h"
#include "core/inventory.h"
#include "core/links.h"
#include "core/loader.h"
#include "core/members.h"
#include "core/slot.h"
#include "core/steerer_private.h"

#define UP_LOCK_MS    10000
#define UP_LOCK_TRIES 3 /* a "down" may remove the directory while "up" waits for its lock */

/* Policy to start with: the journal's newest over the configuration's, or the latter alone. */
/* Nobody confirmed the newest revision before everything went: its fallback then. */
static int take_fallback(struct steerer *steerer, struct policy *newest, struct diag *notice,
			 struct diag *why)
{
	size_t n;
	const struct journal_entry *entries = journal_entries(steerer->journal, &n);
	struct policy back = {0};
	bool changed = false;
	int error = 0;

	if (n && entries[n - 1].window_s)
		error = generation_way_back(newest, true, &back, &changed, why);
	if (error || !changed)
		return error;
	diag_line(notice, "revision %lu was not confirmed before the restart: rolled back",
		  (unsigned long)newest->revision);
	policy_free(newest);
	*newest = back;
	return 0;
}

static int first_policy(struct steerer *steerer, const struct policy *config,
			struct policy *ret_policy, struct diag *notice, struct diag *why)
{
	auto_free struct id_set *taken = calloc(1, sizeof(*taken));
	uint64_t head = journal_head(steerer->journal);
	struct policy newest = {0}, first = {0};
	int error = taken ? 0 : -ENOMEM;

	if (!error && head == 0)
		error = policy_copy(config, &first);
	if (error)
		return diag_fail(why, error, "out of memory");
	if (head) {
		error = journal_policy(steerer->journal, head, &newest, why);
		if (!error)
			error = take_fallback(steerer, &newest, notice, why);
		if (!error)
			error = inventory_merge(&newest, config, &first, why);
		policy_free(&newest);
	}
	if (!error)
		error = inventory_number(&first, taken, why);
	if (error)
		policy_free(&first);
	else
		*ret_policy = first;
	return error;
}

/* The instance's key decides who meets which slot; no packet has been steered yet. */
static void draw_slots(struct steerer *steerer, const struct policy *policy)
{
	struct steer_control *control = steerer->dp.control;

	memcpy(control->hash_key, journal_key(steerer->journal), sizeof(control->hash_key));
	slot_draw(journal_key(steerer->journal), control->slot_hash);
	control->births = flows_births(facts_of(policy).buckets);
}

/* Killed or without power between intent and swap: the kernel has forgotten it, so do we. */
static int drop_pending(struct steerer *steerer, struct diag *notice, struct diag *why)
{
	uint64_t pending = journal_pending(steerer->journal);

	if (pending == 0)
		return 0;
	diag_line(notice, "revision %lu was begun and not finished: undone",
		  (unsigned long)pending);
	return journal_abort(steerer->journal, pending, why);
}

static int install_first(struct steerer *steerer, const struct policy *config,
			 const struct commit_note *note, struct diag *notice, struct diag *why)
{
	struct journal_entry entry = {.revision = journal_head(steerer->journal) + 1,
				      .parent = journal_head(steerer->journal),
				      .time = time(NULL),
				      .uid = getuid()};
	const struct install install = {0};
	struct policy first = {0};
	uint32_t bank;
	int error = first_policy(steerer, config, &first, notice, why);

	if (error)
		return error;
	first.revision = entry.revision;
	for (size_t s = 0; s < first.n_services; s++)
		if (first.services[s].revision == 0)
			first.services[s].revision = entry.revision;
	(void)snprintf(entry.command, sizeof(entry.command), "%s", note->command);
	draw_slots(steerer, &first);
	error = journal_intent(steerer->journal, &entry, &first, why);
	if (!error)
		error = generation_install(&steerer->dp, NULL, &first, &install, &bank, why);
	if (!error)
		error = generation_select(&steerer->dp, &first, dataplane_word(&steerer->dp), bank,
					  why);
	if (!error)
		error = journal_done(steerer->journal, entry.revision, why);
	else
		(void)journal_abort(steerer->journal, entry.revision, NULL);
	policy_free(&first);
	return error;
}

int wanted_facts(const struct policy *policy, struct steer_facts *ret_facts, struct diag *why)
{
	struct steer_facts facts = facts_of(policy);
	int error = members_fill(policy->interfaces, policy->n_interfaces, &facts, why);

	if (!error)
		*ret_facts = facts;
	return error;
}

/* Go on after an interface that cannot be had: the others are worth having. First error wins. */
static int attach_all(struct steerer *steerer, const struct policy *policy, bool is_repair,
		      struct diag *notice, struct diag *why)
{
	int first = 0;

	for (size_t i = 0; i < policy->n_interfaces; i++) {
		bool created;
		int error = link_attach(steerer->dir, &policy->interfaces[i], &created, notice,
					first ? NULL : why);

		if (created && is_repair)
			diag_line(notice, "%s: was not attached, attached again",
				  policy->interfaces[i].name);
		if (error && !first)
			first = error;
		if (first && !is_repair)
			break;
	}
	return first;
}

/* It runs: make program and links what its own policy wants. */
static int adopt(struct steerer *steerer, struct diag *notice, struct diag *why)
{
	struct steer_facts facts;
	bool changed = false;
	int error = journal_open(steerer->state, JOURNAL_WRITE, &steerer->journal, notice, why);

	if (!error)
		error = recover_journal(steerer, notice, why);
	if (!error)
		error = wanted_facts(&steerer->policy, &facts, why);
	if (!error)
		error = loader_install(steerer->dir, &facts, &changed, why);
	if (error)
		return error;
	if (changed)
		diag_line(notice, "the program differed and was replaced in place");
	links_detach_others(steerer->dir, &steerer->policy, notice);
	return attach_all(steerer, &steerer->policy, true, notice, why);
}

static void remove_tree(const char *dir);

static void empty_tree(const char *dir)
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
}

static void remove_tree(const char *dir)
{
	empty_tree(dir);
	(void)rmdir(dir);
}

static int start(struct steerer *steerer, const struct policy *config,
		 const struct commit_note *note, struct diag *notice, struct diag *why)
{
	struct steer_facts facts;
	bool changed;
	int error = wanted_facts(config, &facts, why);

	/* Objects that an "up" or "down" cut short left pinned are in no map that we make. */
	empty_tree(steerer->dir);
	if (!error)
		error = loader_install(steerer->dir, &facts, &changed, why);
	if (!error)
		error = dataplane_open(steerer->dir, true, &steerer->dp, why);
	if (error)
		return error;
	steerer->is_open = true;
	error = journal_open(steerer->state, JOURNAL_WRITE, &steerer->journal, notice, why);
	if (!error)
		error = drop_pending(steerer, notice, why);
	if (!error)
		error = install_first(steerer, config, note, notice, why);
	return error ? error : attach_all(steerer, config, false, notice, why);
}

static int fail_damaged(const struct steerer *steerer, const char *interface, struct diag *why)
{
	return diag_fail(why, -EPROTO,
			 "pins are missing under %s while the program still steers on interface "
			 "%s: 'steerctl down', then 'up'",
			 steerer->dir, interface);
}

/*
 * Is a generation live? Opens the data plane and reads its policy if so. What an "up" or "down"
 * that was cut short left is not running, as long as no interface runs the program.
 */
static int find_running(struct steerer *steerer, bool *ret_running, struct diag *why)
{
	char name[LINK_NAME];
	bool is_attached = links_any_alive(steerer->dir, name);
	int error = dataplane_open(steerer->dir, true, &steerer->dp, why);

	*ret_running = false;
	if (error == -ENOTCONN)
		return is_attached ? fail_damaged(steerer, name, why) : 0;
	if (error)
		return error;
	steerer->is_open = true;
	error = load_live(steerer, why);
	if (error && error != -ENOTCONN && error != -ENOENT)
		return error;
	if (error && is_attached)
		return fail_damaged(steerer, name, why);
	*ret_running = !error;
	if (error) {
		dataplane_close(&steerer->dp);
		steerer->is_open = false;
	}
	return 0;
}

static int make_dir(const char *path, mode_t mode, struct diag *why)
{
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return diag_fail(why, errno == EACCES ? -EPERM : -errno, "cannot make %s: %m",
				 path);
	return 0;
}

static int lock_place(const struct steerer_place *place, struct steerer *steerer, struct diag *why)
{
	int error = make_dir(place->state, 0755, why) ?: make_dir(steerer->state, 0700, why);

	for (int tries = 0; !error && tries < UP_LOCK_TRIES; tries++) {
		error = make_dir(place->bpffs, 0700, why) ?: make_dir(steerer->dir, 0700, why);
		if (error)
			return error;
		error = take_lock(steerer, UP_LOCK_MS, why);
		if (error != -ENOTCONN)
			return error;
		error = 0;
	}
	return error ? error : -ENOTCONN;
}

/* Leave nothing in the kernel. The lock is held, or nobody can have it. */
static void take_down(struct steerer *steerer)
{
	links_detach_others(steerer->dir, NULL, NULL);
	remove_tree(steerer->dir);
}

int steerer_up(const struct steerer_place *place, const struct policy *config,
	       const struct commit_note *note, bool *ret_was_up, struct diag *notice,
	       struct diag *why)
{
	struct steerer *steerer = calloc(1, sizeof(*steerer));
	int error;

	if (!steerer)
		return diag_fail(why, -ENOMEM, "out of memory");
	notice->text[0] = '\0';
	steerer->lock = -1;
	error = dataplane_privileged(why);
	if (!error)
		error = place_paths(place, steerer, why);
	if (!error)
		error = lock_place(place, steerer, why);
	if (!error)
		error = find_running(steerer, ret_was_up, why);
	if (!error && *ret_was_up) {
		error = adopt(steerer, notice, why);
	} else if (!error) {
		error = start(steerer, config, note, notice, why);
		if (error)
			take_down(steerer);
	}
	steerer_close(steerer);
	return error;
}

int steerer_down(const struct steerer_place *place, int timeout_ms, struct diag *why)
{
	struct steerer steerer = {.lock = -1};
	int error = place_paths(place, &steerer, why);

	if (!error)
		error = dataplane_privileged(why) ?: take_lock(&steerer, timeout_ms, why);
	if (error)
		return error;
	take_down(&steerer);
	if (access(steerer.dir, F_OK) == 0)
		error = diag_fail(why, -EIO, "cannot remove all of %s; see what is left with ls",
				  steerer.dir);
	own_close(&steerer.lock);
	return error;
}
