// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* up, down, apply, check: the commands that begin and end a steerer or read its configuration. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "core/config.h"
#include "core/policy_json.h"
#include "ctl/commands.h"
#include "ctl/measure.h"

static size_t count_backends(const struct policy *policy)
{
	size_t count = 0;

	for (size_t i = 0; i < policy->n_services; i++)
		for (size_t p = 0; p < policy->services[i].n_pools; p++)
			count += policy->services[i].pools[p].n_backends;
	return count;
}

static void say_inventory(struct run *run, const char *prefix, const struct policy *policy)
{
	size_t backends = count_backends(policy);

	diag_add(&run->line, "%s: %zu service%s, %zu backend%s", prefix, policy->n_services,
		 policy->n_services == 1 ? "" : "s", backends, backends == 1 ? "" : "s");
}

/* A configuration that is not there is a mistake of configuration, no unknown name. */
static int read_config(struct run *run, struct policy *ret_config)
{
	int result = config_read(run->options.config, ret_config, &run->why);

	return result == -ENOENT || result == -EISDIR || result == -ENOTDIR ? STATUS_USAGE : result;
}

int cmd_check(struct run *run)
{
	auto_policy struct policy config = {0};
	int result = read_config(run, &config);

	if (result)
		return result;
	say_inventory(run, run->options.config, &config);
	return 0;
}

static int policies_equal(const struct policy *a, const struct policy *b, bool *ret_equal)
{
	json_t *left = policy_to_json(a);
	json_t *right = policy_to_json(b);
	int result = left && right ? 0 : -ENOMEM;

	if (!result)
		*ret_equal = json_equal(left, right);
	json_decref(left);
	json_decref(right);
	return result;
}

/* A running steerer goes by the policy in force, not by the file: say when they differ. */
static void compare_config(struct run *run, const struct steerer *steerer,
			   const struct policy *config)
{
	auto_policy struct policy next = {0};
	bool is_equal = false;

	if (steerer_merge(steerer, config, &next, NULL) == 0 &&
	    policies_equal(steerer_policy(steerer), &next, &is_equal) == 0 && is_equal)
		return;
	run_warn(run, "the configuration file differs from what is in force; 'steerctl apply' "
		      "takes it over");
}

/* Tell which revision runs after "up". */
static void read_revision(struct run *run, const struct policy *config, bool was_up)
{
	auto_steerer struct steerer *steerer = NULL;
	const struct options *o = &run->options;
	struct diag ignored = {0};

	if (steerer_open(&o->place, STEERER_READ, 0, &steerer, &ignored, NULL)) {
		steerer = NULL;
		return;
	}
	run->after = steerer_policy(steerer)->revision;
	measure_note(run, steerer, !was_up); /* counters of a new start begin at 0 */
	diag_add(&run->line, " (revision %" PRIu64 ")", run->after);
	if (was_up)
		compare_config(run, steerer, config);
}

/* --dry-run: on a steerer that is whole "up" changes nothing. */
static int try_up(struct run *run, const struct policy *config)
{
	auto_steerer struct steerer *steerer = NULL;
	struct diag findings = {0};

	if (steerer_open(&run->options.place, STEERER_READ, 0, &steerer, &findings, NULL))
		steerer = NULL;
	if (steerer && !steerer_verify(steerer, &findings, NULL) && !findings.text[0]) {
		run->before = run->after = steerer_policy(steerer)->revision;
		return diag_fail(&run->line, 0, "it was up already (revision %" PRIu64 ")",
				 run->before);
	}
	say_inventory(run, "up", config);
	return run_would_change(run);
}

int cmd_up(struct run *run)
{
	const struct commit_note note = run_note(run);
	auto_policy struct policy config = {0};
	struct diag notice = {0};
	bool was_up = false;
	int result = read_config(run, &config);

	if (result)
		return result;
	if (run->options.dry_run)
		return try_up(run, &config);
	result = steerer_up(&run->options.place, &config, &note, &was_up, &notice, &run->why);
	run_warn(run, notice.text);
	if (result)
		return result;
	if (was_up)
		diag_add(&run->line, "it was up already");
	else
		say_inventory(run, "up", &config);
	(void)json_object_set_new(run->json, "was_up", json_boolean(was_up));
	read_revision(run, &config, was_up);
	if (!was_up)
		diag_add(&run->undo, "down");
	return 0;
}

static bool agrees(const struct run *run)
{
	char answer[16];

	if (run->options.yes || !isatty(STDIN_FILENO))
		return true;
	fprintf(stderr, "stop steering (instance %s)? [y/N] ", run->options.place.instance);
	return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

/* Whatever can be known of what is taken down; a steerer that is broken may go as well. */
static int check_down(struct run *run)
{
	const struct options *o = &run->options;
	auto_steerer struct steerer *steerer = NULL;
	struct diag ignored = {0};

	if (o->dry_run || o->has_if_revision)
		return run_open(run, STEERER_READ, &steerer);
	if (steerer_open(&o->place, STEERER_READ, 0, &steerer, &ignored, NULL)) {
		steerer = NULL;
		return 0;
	}
	return run_check_lock(run, steerer);
}

int cmd_down(struct run *run)
{
	const struct options *o = &run->options;
	int result;

	result = check_down(run);
	if (result)
		return result;
	diag_add(&run->line, "down: nothing is steered, the state is kept");
	if (o->dry_run)
		return run_would_change(run);
	if (!agrees(run))
		return diag_fail(&run->why, STATUS_FAILED, "not agreed to; nothing was changed");
	result = steerer_down(&o->place, (int)o->timeout_ms, &run->why);
	if (result == -ENOTCONN)
		return diag_fail(&run->line, 0, "it is not up");
	diag_add(&run->undo, "up");
	return result;
}

static bool has_interface(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->n_interfaces; i++)
		if (strcmp(policy->interfaces[i].name, name) == 0)
			return true;
	return false;
}

/* Interfaces that only @policy has, each with @sign before its name. */
static void say_interfaces(struct run *run, char sign, const struct policy *policy,
			   const struct policy *other)
{
	for (size_t i = 0; i < policy->n_interfaces; i++)
		if (!has_interface(other, policy->interfaces[i].name))
			diag_add(&run->line, ", %c%s", sign, policy->interfaces[i].name);
}

int cmd_apply(struct run *run)
{
	auto_steerer struct steerer *steerer = NULL;
	auto_policy struct policy config = {0};
	auto_policy struct policy next = {0};
	const struct policy *live;
	bool is_equal = false;
	int result = read_config(run, &config);

	if (!result)
		result = run_open(run, STEERER_WRITE, &steerer);
	if (result)
		return result;
	live = steerer_policy(steerer);
	result = steerer_merge(steerer, &config, &next, &run->why);
	if (result == -EBUSY)
		return STATUS_RAIL; /* a pool that owns slots is no longer there */
	if (!result)
		result = policies_equal(live, &next, &is_equal);
	if (result)
		return result;
	if (is_equal)
		return diag_fail(&run->line, 0, "nothing to apply: %.1024s is in force",
				 run->options.config);
	say_inventory(run, "applied", &next);
	say_interfaces(run, '+', &next, live);
	say_interfaces(run, '-', live, &next);
	return run_apply(run, steerer, &next);
}
