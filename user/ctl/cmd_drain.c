// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * drain, maint, ready: the state of a backend or of a whole pool; wait: until that has taken
 * effect. A state is part of the policy and outlives reboots.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/policy_json.h"
#include "ctl/named.h"

#define LOCK_WAIT_MS 5000 /* --timeout is for the backends, not for other writers */

/* Backends that changed: how many, the last one, and what all of them were. */
struct changed {
	size_t count;
	const char *name;
	enum backend_state were; /* COUNT: not all the same */
};

/* Set @state; what changes is listed. */
static void set_states(struct run *run, const struct policy *next, const struct named *named,
		       enum backend_state state, struct changed *ret_changed)
{

	for (size_t i = 0; i < named->count; i++) {
		struct backend *backend = named_in(next, &named->backends[i]);

		if (!backend || backend->state == state)
			continue;
		ret_changed->were = ret_changed->count++ && ret_changed->were != backend->state
					    ? BACKEND_STATE_COUNT
					    : backend->state;
		ret_changed->name = named->backends[i].name;
		diag_add(&run->line, "%s%s/%s: %s, was %s", run->line.text[0] ? "; " : "",
			 named->backends[i].service, backend->name, policy_state_names[state],
			 policy_state_names[backend->state]);
		json_add(run->changes,
			 json_pack("{s:s, s:s, s:s, s:s, s:s}", "service",
				   named->backends[i].service, "backend", backend->name, "key",
				   "state", "from", policy_state_names[backend->state], "to",
				   policy_state_names[state]));
		backend->state = state;
	}
}

/* The command that gives all of NAME the state they had, where that was one. */
static void say_undo(struct run *run, const struct policy *live, const struct policy *next,
		     const char *name, enum backend_state were)
{
	struct diag ignored;

	if (were == BACKEND_STATE_COUNT)
		return;
	diag_add(&run->undo, "%s %s", policy_state_names[were], name);
	if (run->service[0])
		diag_add(&run->undo, " -s %s", run->service);
	else
		diag_add(&run->undo, " --all");
	/* A way back that a rail would refuse says so beforehand. */
	if (rail_health(next, live, &ignored))
		diag_add(&run->undo, " --override %s", rail_names[RAIL_HEALTH]);
}

static int change_states(struct run *run, enum backend_state state, struct named *named)
{
	auto_steerer struct steerer *steerer = NULL;
	auto_policy struct policy next = {0};
	const char *name = run->arguments[0];
	struct changed changed = {0};
	int result = run_write(run, &steerer, &next);

	if (!result)
		result = named_find(run, &next, name, named);
	if (result)
		return result;
	set_states(run, &next, named, state, &changed);
	if (!changed.count) {
		diag_add(&run->line, "%s: %s already (revision %" PRIu64 ")", name,
			 policy_state_names[state], run->before);
		return 0;
	}
	/* Of those that changed among others that did not, one can be named: NAME means all. */
	if (changed.count == 1)
		name = changed.name;
	if (changed.count == 1 || changed.count == named->count)
		say_undo(run, steerer_policy(steerer), &next, name, changed.were);
	return run_commit(run, steerer, &next);
}

static int wait_for(struct run *run, const struct named *named, int64_t most_ms)
{
	const struct patience patience = {most_ms, (uint64_t)run->options.idle_ms};

	return wait_drained(run, named, &patience);
}

static int command_of_state(struct run *run, enum backend_state state)
{
	auto_named struct named named = {0};
	int64_t most_ms = run->options.has_timeout ? run->options.timeout_ms : -1;
	int result;

	if (run->options.idle_ms && !run->options.wait)
		return diag_fail(&run->why, STATUS_USAGE, "--idle goes with --wait only");
	if (run->options.wait)
		run->options.timeout_ms = LOCK_WAIT_MS;
	run->keeps_window = true;
	result = change_states(run, state, &named);
	if (result || !run->options.wait || run->options.dry_run)
		return result;
	return wait_for(run, &named, most_ms);
}

int cmd_drain(struct run *run)
{
	return command_of_state(run, BACKEND_DRAIN);
}

int cmd_maint(struct run *run)
{
	return command_of_state(run, BACKEND_MAINT);
}

int cmd_ready(struct run *run)
{
	return command_of_state(run, BACKEND_READY);
}

int cmd_wait(struct run *run)
{
	auto_steerer struct steerer *steerer = NULL;
	auto_named struct named named = {0};
	int64_t most_ms = run->options.has_timeout ? run->options.timeout_ms : -1;
	int result;

	if (strcmp(run->arguments[0], "drained") != 0)
		return diag_fail(&run->why, STATUS_USAGE,
				 "'%s' is nothing to wait for: steerctl wait drained NAME",
				 run->arguments[0]);
	result = run_open(run, STEERER_READ, &steerer);
	if (!result)
		result = named_find(run, steerer_policy(steerer), run->arguments[1], &named);
	return result ? result : wait_for(run, &named, most_ms);
}
