// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* From a changed policy to a commit or to the answer of --dry-run: rails, what moves, words. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/share.h"
#include "base/time_text.h"
#include "ctl/commands.h"
#include "ctl/measure.h"
#include "ctl/plan.h"

static bool refuses(enum rail rail, const struct steerer *steerer, const struct policy *after,
		    struct diag *ret_fact)
{
	const struct journal *journal = steerer_journal(steerer);
	struct steerer_window window;

	switch (rail) {
	case RAIL_HEALTH:
		return rail_health(steerer_policy(steerer), after, ret_fact);
	case RAIL_WINDOW:
		return !steerer_window(steerer, &window) && rail_window(&window, ret_fact);
	case RAIL_LOCK:
		return journal && rail_lock(journal_lock(journal, time(NULL)), ret_fact);
	default:
		return rail_drift(steerer, ret_fact);
	}
}

static const char *way_on(enum rail rail)
{
	static const char *const ways[RAIL_COUNT] = {
		[RAIL_HEALTH] =
			"give it a backend first ('steerctl ready', 'steerctl weight'), or its "
			"clients another pool ('steerctl switch')",
		[RAIL_LOCK] = "'steerctl unlock', or wait; 'steerctl rollback' works",
		[RAIL_DRIFT] =
			"'steerctl verify' tells all, 'rollback' works, 'down' and 'up' build anew",
		[RAIL_WINDOW] = "'steerctl confirm' keeps it, 'steerctl cancel' undoes it now; "
				"drain, maint, ready and rollback work",
	};

	return ways[rail];
}

static int check_rail(struct run *run, enum rail rail, const struct steerer *steerer,
		      const struct policy *after)
{
	struct diag fact = {0}, text = {0};

	if (rail == RAIL_WINDOW && run->keeps_window && !run->options.confirm_within_ms)
		return 0;
	if (run->options.overrides[rail] || !refuses(rail, steerer, after, &fact))
		return 0;
	if (run->is_rollback) {
		diag_add(&text, "rolled back in spite of rail '%s': %.1900s", rail_names[rail],
			 fact.text);
		run_warn(run, text.text);
		return 0;
	}
	(void)json_object_set_new(run->json, "rail", json_string(rail_names[rail]));
	return diag_fail(&run->why, STATUS_RAIL,
			 "refused by rail '%s': %.1500s\n"
			 "  go on: %s; to do it anyway: --override %s",
			 rail_names[rail], fact.text, way_on(rail), rail_names[rail]);
}

static int check_rails(struct run *run, const struct steerer *steerer, const struct policy *after)
{
	int result = 0;

	for (enum rail rail = 0; !result && rail < RAIL_COUNT; rail++)
		result = check_rail(run, rail, steerer, after);
	return result;
}

int run_check_lock(struct run *run, const struct steerer *steerer)
{
	return check_rail(run, RAIL_LOCK, steerer, NULL);
}

/* ---- what moves ---- */

static void list_shares(struct run *run, const struct service *old, const struct service *new)
{
	for (size_t p = 0; p < new->n_pools; p++) {
		const struct pool *pool = &new->pools[p];
		const struct pool *was = service_pool(old, pool->name);
		uint32_t from = was ? service_pool_slots(old, was) : 0;
		uint32_t to = service_pool_slots(new, pool);

		if (from != to)
			json_add(run->changes,
				 json_pack("{s:s, s:s, s:I, s:I}", "service", new->name, "pool",
					   pool->name, "from_slots", (json_int_t)from, "to_slots",
					   (json_int_t)to));
	}
}

/* "3277 forward (5%)": of the slots of all services in which any moves */
static void say_part(struct run *run, const char *before, uint64_t slots, const char *direction)
{
	char share[SHARE_TEXT] = "";

	diag_add(&run->line, "%s%" PRIu64 " %s", before, slots, direction);
	if (slots && run->n_moving == 1)
		diag_add(&run->line, " (%s)", share_format((uint32_t)slots, share));
	else if (slots)
		diag_add(&run->line, " (%.2f%%)",
			 100.0 * (double)slots / ((double)run->n_moving * STEER_SLOTS));
}

static void say_moves(struct run *run)
{
	if (run->n_moving == 0)
		return;
	say_part(run, "; slots moved: ", run->forward, "forward");
	say_part(run, ", ", run->back, "back");
	if (run->within)
		say_part(run, ", ", run->within, "within a pool");
}

int run_count(struct run *run, const struct policy *before, const struct policy *after)
{
	run->forward = run->back = run->within = 0;
	run->n_moving = 0;
	for (size_t i = 0; i < after->n_services; i++) {
		const struct service *new = &after->services[i];
		const struct service *old = policy_service(before, new->name);
		struct plan_moves moves;

		if (!old)
			continue;
		if (plan_compare(old, new, &moves))
			return diag_fail(&run->why, -ENOMEM, "memory is short");
		run->n_moving += moves.forward || moves.back || moves.within;
		run->forward += moves.forward;
		run->back += moves.back;
		run->within += moves.within;
		list_shares(run, old, new);
	}
	say_moves(run);
	return 0;
}

/* ---- commit ---- */

int run_would_change(struct run *run)
{
	struct diag line = run->line;

	run->line.text[0] = '\0';
	diag_add(&run->line, "would be: %.1900s", line.text);
	run->undo.text[0] = '\0';
	(void)json_object_set_new(run->json, "dry_run", json_true());
	return STATUS_WOULD_CHANGE;
}

void run_say_revision(struct run *run)
{
	diag_add(&run->line, " (revision %" PRIu64 ", was %" PRIu64 ")", run->after, run->before);
}

struct commit_note run_note(const struct run *run)
{
	return (struct commit_note){
		.command = run->typed,
		.reason = run->options.reason,
		.cut = run->options.cut,
		.keeps_window = run->keeps_window,
		.confirm_within_s = (uint32_t)((run->options.confirm_within_ms + 999) / 1000),
	};
}

/* "open connections of 3277 slots finish where they began, 10m at most" */
static void say_transition(struct run *run, const struct steerer *steerer, const struct policy *was)
{
	const struct policy *live = steerer_policy(steerer);
	struct steerer_transition all = {0}, one;
	char left[DURATION_TEXT];

	for (size_t i = 0; i < live->n_services; i++) {
		const struct service *old = policy_service(was, live->services[i].name);

		if ((old && old->revision == live->services[i].revision) ||
		    steerer_transition(steerer, i, &one))
			continue;
		all.touched += one.touched;
		if (one.touched && one.left_ms > all.left_ms)
			all.left_ms = one.left_ms;
	}
	if (!all.touched)
		return;
	diag_add(&run->more, "%sopen connections of %u slots finish where they began",
		 run->more.text[0] ? "\n" : "", all.touched);
	if (all.left_ms == UINT64_MAX)
		diag_add(&run->more, ", however long");
	else
		diag_add(&run->more, ", within %s", duration_format(all.left_ms, left));
}

void run_say_after(struct run *run, const struct steerer *steerer, const struct policy *was)
{
	struct steerer_window window;
	char left[DURATION_TEXT];

	if (!run->options.wait && !run->options.cut) /* waiting tells it as it goes */
		say_transition(run, steerer, was);
	(void)steerer_window(steerer, &window);
	if (window.is_armed) {
		diag_add(&run->more,
			 "%sundoes itself in %s: 'steerctl confirm' keeps it, 'steerctl cancel' "
			 "undoes it now",
			 run->more.text[0] ? "\n" : "", duration_format(window.left_ms, left));
		(void)json_object_set_new(run->json, "window", window_json(&window));
	} else if (run->options.confirm_within_ms) {
		run_warn(run, "no window is armed: there is nothing to go back to");
	}
	if (window.is_armed && run->options.confirm_within_ms)
		(void)diag_fail(&run->undo, 0, "cancel");
}

json_t *window_json(const struct steerer_window *window)
{
	if (!window->is_armed)
		return json_null();
	return json_pack("{s:I, s:I, s:I}", "left_ms", (json_int_t)window->left_ms, "revision",
			 (json_int_t)window->revision, "fallback_revision",
			 (json_int_t)window->fallback_revision);
}

static int commit(struct run *run, struct steerer *steerer, struct policy *next, bool is_apply)
{
	const struct commit_note note = run_note(run);
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
	auto_policy struct policy was = {0};
	int result = check_rails(run, steerer, next);

	if (!result)
		result = run_count(run, steerer_policy(steerer), next);
	if (result)
		return result;
	if (run->options.dry_run)
		return run_would_change(run);
	result = policy_copy(steerer_policy(steerer), &was);
	if (!result)
		result = commit(run, steerer, next, is_apply);
	if (result)
		return result;
	run->is_committed = true;
	run->after = next->revision;
	run_say_revision(run);
	run_say_after(run, steerer, &was);
	measure_note(run, steerer, false);
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
