// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Waiting until backends are empty: a few looks each second at what leads to them. What is said
 * meanwhile is in waiting_show.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"
#include "base/time_text.h"
#include "core/table.h"
#include "ctl/screen.h"
#include "ctl/waiting.h"

#define LOOK_MS 250

uint64_t waiting_now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- looking ---- */

/* Slots of now, per backend, by the policy in force. */
static int count_slots(struct waiting *w)
{
	const struct policy *policy = steerer_policy(w->steerer);
	auto_free struct steer_table *table = calloc(1, sizeof(*table));

	memset(w->slots_now, 0, w->named->count * sizeof(*w->slots_now));
	for (size_t i = 0; i < policy->n_services; i++) {
		if (!table || table_compile(&policy->services[i], table))
			return -ENOMEM;
		for (size_t b = 0; b < w->named->count; b++)
			for (size_t slot = 0; slot < STEER_SLOTS; slot++)
				w->slots_now[b] += table->backend[slot] == w->ids[b];
	}
	return 0;
}

static int open_anew(struct waiting *w)
{
	struct diag ignored = {0};
	int result;

	steerer_done(&w->steerer);
	w->steerer = NULL;
	result = steerer_open(&w->run->options.place, STEERER_READ, 0, &w->steerer, &ignored,
			      &w->run->why);
	if (result) {
		w->steerer = NULL;
		return result;
	}
	return count_slots(w);
}

static uint64_t left_of(const struct waiting *w, const struct named_backend *backend)
{
	const struct policy *policy = steerer_policy(w->steerer);
	struct steerer_transition transition = {0};

	for (size_t i = 0; i < policy->n_services; i++)
		if (strcmp(policy->services[i].name, backend->service) == 0)
			(void)steerer_transition(w->steerer, i, &transition);
	return transition.touched ? transition.left_ms : 0;
}

static int look(struct waiting *w)
{
	int result = w->steerer && steerer_is_current(w->steerer) ? 0 : open_anew(w);

	if (!result)
		result = steerer_bounds(w->steerer, w->ids, w->named->count, w->bounds);
	for (size_t i = 0; !result && i < w->named->count; i++) {
		const struct drain_look one = {
			.at_ms = waiting_now_ms(),
			.slots_now = w->slots_now[i],
			.slots_origin = w->bounds[i].slots_origin,
			.recorded = w->bounds[i].recorded,
			.packets = w->bounds[i].unrecorded_seen,
			.left_ms = left_of(w, &w->named->backends[i]),
		};

		drain_add(&w->watches[i], &one);
	}
	return result;
}

/* ---- judging ---- */

/* The least empty of all. */
static enum drain_state judge(const struct waiting *w, size_t *ret_which)
{
	enum drain_state least = DRAIN_EMPTY;

	*ret_which = 0;
	for (size_t i = 0; i < w->named->count; i++) {
		enum drain_state one = drain_judge(&w->watches[i], w->patience->idle_ms);

		if (one >= least)
			continue;
		least = one;
		*ret_which = i;
	}
	return least;
}

static int refuse_open(struct waiting *w, size_t which)
{
	const struct named_backend *backend = &w->named->backends[which];
	bool is_first = w->watches[which].n_looks == 1;

	return diag_fail(
		&w->run->why, is_first ? STATUS_FAILED : STATUS_MEANWHILE,
		"%s of pool %s gets new connections%s (%u slots): it does not empty before "
		"'steerctl drain %s', or another pool has its clients",
		backend->name, backend->pool, is_first ? "" : " again",
		drain_last(&w->watches[which])->slots_now, backend->name);
}

static int refuse_time(struct waiting *w, size_t which)
{
	char most[DURATION_TEXT];
	struct diag text = {0};

	waiting_say_backend(w, which, true, &text);
	return diag_fail(&w->run->why, STATUS_TIMED_OUT, "not empty after %s: %.1500s",
			 duration_format((uint64_t)w->patience->most_ms, most), text.text);
}

static void say_done(struct waiting *w, enum drain_state state)
{
	char took[DURATION_TEXT], idle[DURATION_TEXT];

	duration_format(waiting_now_ms() - w->begun_ms, took);
	if (state == DRAIN_EMPTY)
		diag_add(&w->run->line, "%snothing leads there any more (waited %s)",
			 w->run->line.text[0] ? "; " : "", took);
	else
		diag_add(&w->run->line, "%ssilent for %s, which was to be enough (waited %s)",
			 w->run->line.text[0] ? "; " : "",
			 duration_format(w->patience->idle_ms, idle), took);
}

/* Something is bound there. Is there an end to wait for? */
static int check_patience(struct waiting *w, size_t which)
{
	const struct drain_look *last = drain_last(&w->watches[which]);
	uint64_t waited = waiting_now_ms() - w->begun_ms;

	if (w->patience->most_ms >= 0 && waited >= (uint64_t)w->patience->most_ms)
		return refuse_time(w, which);
	if (last->left_ms == UINT64_MAX && w->patience->most_ms < 0 && !w->patience->idle_ms)
		return diag_fail(&w->run->why, STATUS_FAILED,
				 "%s has open connections and the service's drain.deadline is "
				 "none: say --idle DUR, --timeout DUR, or --cut",
				 w->named->backends[which].name);
	return 0;
}

/* @ret_over: nothing more to wait for, or the result is an error. */
static int step(struct waiting *w, bool *ret_over)
{
	enum drain_state state;
	size_t which;
	int result = look(w);

	*ret_over = true;
	if (result)
		return result;
	state = judge(w, &which);
	if (state == DRAIN_OPEN)
		return refuse_open(w, which);
	waiting_show(w);
	if (state == DRAIN_BOUND) {
		*ret_over = false;
		return check_patience(w, which);
	}
	say_done(w, state);
	return 0;
}

static int wait_on_screen(struct waiting *w)
{
	bool is_over = false;
	uint64_t due;
	int result = step(w, &is_over);

	while (!result && !is_over) {
		enum screen_event event = SCREEN_DRAW;

		for (due = waiting_now_ms() + LOOK_MS; event == SCREEN_DRAW;)
			event = screen_wait(due > waiting_now_ms() ? (int)(due - waiting_now_ms())
								   : 0);
		if (event == SCREEN_END)
			return diag_fail(&w->run->why, STATUS_FAILED,
					 "interrupted; the states stay as they are");
		result = step(w, &is_over);
	}
	return result;
}

static void waiting_free(struct waiting *w)
{
	steerer_done(&w->steerer);
	free(w->watches);
	free(w->slots_now);
	free(w->ids);
	free(w->bounds);
}

int wait_drained(struct run *run, const struct named *named, const struct patience *patience)
{
	__attribute__((cleanup(waiting_free))) struct waiting w = {
		.run = run,
		.named = named,
		.patience = patience,
		.watches = calloc(named->count + 1, sizeof(*w.watches)),
		.slots_now = calloc(named->count + 1, sizeof(*w.slots_now)),
		.ids = calloc(named->count + 1, sizeof(*w.ids)),
		.bounds = calloc(named->count + 1, sizeof(*w.bounds)),
		.begun_ms = waiting_now_ms(),
		.is_terminal = isatty(STDOUT_FILENO),
	};
	int result;

	if (!w.watches || !w.slots_now || !w.ids || !w.bounds)
		return diag_fail(&run->why, -ENOMEM, "memory is short");
	for (size_t i = 0; i < named->count; i++)
		w.ids[i] = named->backends[i].id;
	result = screen_begin(false);
	if (result)
		return result;
	result = wait_on_screen(&w);
	screen_end();
	waiting_answer(&w);
	return result;
}
