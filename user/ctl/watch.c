// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * status -w: look each second. The steerer is opened again only when its word or its files
 * changed; between, counters are read. On a terminal the status is drawn over itself with rates
 * for sums; else each change is one line.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"
#include "base/time_text.h"
#include "ctl/measure.h"
#include "ctl/screen.h"
#include "ctl/status.h"

#define LOOK_MS 1000

struct view {
	struct run *run;
	struct steerer *steerer; /* NULL: not up at the moment */
	json_t *status;
	json_t *since;	   /* what actual shares are measured from */
	json_t *before;	   /* services[] of the look before */
	int64_t before_ms; /* when that was */
	uint64_t files;	   /* files_mark() of the last opening */
	struct diag said;  /* key of the last line printed without a terminal */
	uint64_t told;	   /* and its revision; 0 = none yet */
};

/*
 * Changes with what a commit leaves on disk besides the word: locks are in the journal alone,
 * and the note of the counters is renamed into its place shortly after the swap.
 */
static uint64_t files_mark(const struct run *run)
{
	struct stat journal = {0}, note = {0};
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s/journal", run->options.place.state,
		       run->options.place.instance);
	(void)stat(path, &journal);
	measure_path(run, path);
	(void)stat(path, &note);
	return (uint64_t)journal.st_size ^ (uint64_t)note.st_ino << 32;
}

static void forget(struct view *view)
{
	steerer_done(&view->steerer);
	view->steerer = NULL;
	json_decref(view->status);
	json_decref(view->since);
	view->status = view->since = NULL;
}

/* Open and build anew. Warnings would tear the picture: they are for "status" without -w. */
static int look_anew(struct view *view)
{
	const struct options *o = &view->run->options;
	const struct service *only = NULL;
	struct diag ignored = {0};
	int result;

	forget(view);
	view->files = files_mark(view->run);
	result =
		steerer_open(&o->place, STEERER_READ, 0, &view->steerer, &ignored, &view->run->why);
	if (result) {
		view->steerer = NULL;
		return result;
	}
	only = o->service ? policy_service(steerer_policy(view->steerer), o->service) : NULL;
	if (o->service && !only)
		return diag_fail(&view->run->why, STATUS_UNKNOWN_NAME, "there is no service '%s'",
				 o->service);
	view->status = status_build(view->steerer, only);
	view->since = measure_view(view->run, view->steerer);
	return view->status ? 0 : -ENOMEM;
}

static int look(struct view *view)
{
	json_t *services;
	int result = 0;

	if (!view->steerer || !steerer_is_current(view->steerer) ||
	    files_mark(view->run) != view->files)
		result = look_anew(view);
	if (result)
		return result;
	services = json_object_get(view->status, "services");
	status_fill(view->status, view->steerer);
	measure_fill(services, view->steerer, view->since);
	return 0;
}

static void remember_look(struct view *view)
{
	json_decref(view->before);
	view->before = json_deep_copy(json_object_get(view->status, "services"));
	view->before_ms = time_now_ms();
}

/* ---- on a terminal ---- */

static void draw_status(struct view *view, FILE *out, size_t columns)
{
	const struct status_sheet sheet = {out, columns};
	struct status_rates rates = {view->before, 1};
	const char *back = json_string_value(json_object_get(view->status, "way_back"));
	int64_t past = time_now_ms() - view->before_ms;
	struct diag undo;

	if (past > 0)
		rates.seconds = (double)past / 1000;
	status_draw(view->run, view->status, &rates, &sheet);
	if (!back)
		return;
	diag_add(&view->run->undo, "%s", back);
	run_undo_text(view->run, &undo);
	view->run->undo.text[0] = '\0'; /* said here, not at the end */
	fprintf(out, "undo: %s\n", undo.text);
}

static void draw(struct view *view, int result)
{
	size_t columns, lines, size;
	auto_free char *text = NULL;
	FILE *out = open_memstream(&text, &size);
	char when[TIME_TEXT];

	if (!out)
		return;
	screen_size(&columns, &lines);
	fprintf(out, "steer %s   %s   each second, q quits\n\n", view->run->options.place.instance,
		time_format(time(NULL), when));
	if (result)
		fprintf(out, "%s\n", view->run->why.text);
	else
		draw_status(view, out, columns);
	if (fclose(out) == 0)
		screen_show(text);
}

/* ---- without a terminal ---- */

/* Who made the revisions since the last look, none left out. */
static void say_revisions(struct view *view)
{
	const struct journal *journal = steerer_journal(view->steerer);
	const struct journal_entry *entries;
	char when[TIME_TEXT], who[NAME_TEXT];
	size_t count = 0;

	if (journal && view->told)
		entries = journal_entries(journal, &count);
	for (size_t i = 0; i < count; i++)
		if (entries[i].revision > view->told)
			printf("%s revision %" PRIu64 " by %s: %s\n",
			       time_format(entries[i].time, when), entries[i].revision,
			       journal_who(entries[i].login, entries[i].uid, who),
			       entries[i].command);
	view->told = steerer_policy(view->steerer)->revision;
}

/* The services that changed after @told, all of them the first time. */
static void add_services(const struct view *view, uint64_t told, struct diag *line)
{
	const struct policy *policy = steerer_policy(view->steerer);
	struct diag shares = {0};

	for (size_t i = 0; i < policy->n_services; i++)
		if (run_means(view->run, &policy->services[i]) &&
		    (!told || policy->services[i].revision > told))
			say_shares(&shares, &policy->services[i]);
	diag_add(line, "at revision %" PRIu64 "%s%.1500s", policy->revision,
		 shares.text[0] ? ": " : "", shares.text);
}

/* "; shop: 3277 slots in transition", "; window armed": what begins and ends by itself. */
static void add_timed(const struct view *view, struct diag *line)
{
	const json_t *service;
	size_t i;

	json_array_foreach (json_object_get(view->status, "services"), i, service) {
		const json_t *slots =
			json_object_get(json_object_get(service, "transition"), "touched_slots");

		if (slots)
			diag_add(line, "; %s: %" JSON_INTEGER_FORMAT " slots in transition",
				 json_string_value(json_object_get(service, "name")),
				 json_integer_value(slots));
	}
	if (json_is_object(json_object_get(view->status, "window")))
		diag_add(line, "; undoes itself unless confirmed");
}

/* Revision, lock, transition or trouble: what makes a line worth printing. */
static struct diag change_key(const struct view *view, int result, const char *locked)
{
	struct diag key = {0};

	if (result)
		diag_add(&key, "%.1000s", view->run->why.text);
	else
		diag_add(&key, "%" PRIu64 " %s", steerer_policy(view->steerer)->revision, locked);
	if (!result)
		add_timed(view, &key);
	return key;
}

static void say_change(struct view *view, int result)
{
	const char *locked = json_string_value(json_object_get(view->status, "locked")) ?: "";
	const struct diag key = change_key(view, result, locked);
	struct diag line = {0};
	uint64_t told = view->told;
	char when[TIME_TEXT];

	if (strcmp(key.text, view->said.text) == 0)
		return;
	view->said = key;
	if (result) {
		line = key;
	} else {
		say_revisions(view);
		add_services(view, told, &line);
		add_timed(view, &line);
		diag_add(&line, "%s%.300s", locked[0] ? "; locked: " : "", locked);
	}
	printf("%s %s\n", time_format(time(NULL), when), line.text);
	(void)fflush(stdout);
}

int status_watch(struct run *run)
{
	bool is_terminal = isatty(STDOUT_FILENO) && isatty(STDIN_FILENO);
	struct view view = {.run = run};
	enum screen_event event;
	int64_t due = time_now_ms() + LOOK_MS;
	int result;

	if (run->options.json || run->options.quiet)
		return diag_fail(&run->why, STATUS_USAGE,
				 "-w is a view for people; for programs: status --json");
	result = look(&view);
	if (!result)
		result = screen_begin(is_terminal);
	if (result) {
		forget(&view);
		return result;
	}
	remember_look(&view);
	do {
		if (is_terminal)
			draw(&view, result);
		else
			say_change(&view, result);
		event = screen_wait((int)(due > time_now_ms() ? due - time_now_ms() : 0));
		if (event != SCREEN_TICK)
			continue;
		due = time_now_ms() + LOOK_MS;
		if (!result)
			remember_look(&view);
		result = look(&view);
	} while (event != SCREEN_END);
	screen_end();
	forget(&view);
	json_decref(view.before);
	return 0;
}
