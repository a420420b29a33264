// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rolling: update a pool server by server, at most some of them out of service at a time.
 *
 * The state is written before each step, so that --resume goes on after anything: a hook that
 * failed, a signal, a death. While a hook runs no lock of writers is held; a lock of its own
 * keeps a second rolling out, also one that a hook begins.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "ctl/hook.h"
#include "ctl/rolling_run.h"

static void roll_free(struct roll *roll)
{
	rolling_free(&roll->rolling);
	own_close(&roll->lock);
}

static int set_paths(struct roll *roll)
{
	const struct steerer_place *place = &roll->run->options.place;
	char lock[PATH_MAX];

	(void)snprintf(roll->path, sizeof(roll->path), "%s/%s/rolling.json", place->state,
		       place->instance);
	(void)snprintf(roll->logs, sizeof(roll->logs), "%s/%s/rolling", place->state,
		       place->instance);
	(void)snprintf(lock, sizeof(lock), "%s/%s/rolling.lock", place->state, place->instance);
	roll->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (roll->lock < 0)
		return diag_fail(&roll->run->why, errno == EACCES ? -EPERM : STATUS_FAILED,
				 "cannot open %s: %m", lock);
	if (flock(roll->lock, LOCK_EX | LOCK_NB) < 0)
		return diag_fail(&roll->run->why, STATUS_LOCKED,
				 "another rolling update is running (%s is locked)", lock);
	return 0;
}

/* ---- begin, resume ---- */

static int take_text(struct run *run, const char *what, const char *from,
		     char into[static ROLLING_COMMAND_TEXT])
{
	if (!from)
		return 0;
	if (!from[0] ||
	    (size_t)snprintf(into, ROLLING_COMMAND_TEXT, "%s", from) >= ROLLING_COMMAND_TEXT)
		return diag_fail(&run->why, STATUS_USAGE, "--%s is empty or longer than %d bytes",
				 what, ROLLING_COMMAND_TEXT - 1);
	return hook_check(what, from, &run->why) ? STATUS_USAGE : 0;
}

/* What the command line says, over what a former run was told. */
static int take_options(struct roll *roll)
{
	const struct options *o = &roll->run->options;
	struct rolling *rolling = &roll->rolling;
	int result = take_text(roll->run, "hook", o->hook, rolling->hook);

	if (!result)
		result = take_text(roll->run, "check", o->check, rolling->check);
	if (o->each)
		rolling->each = o->each;
	if (o->max_unavailable)
		rolling->max_unavailable = o->max_unavailable;
	if (o->has_timeout)
		rolling->timeout_ms = (uint64_t)o->timeout_ms;
	if (o->idle_ms)
		rolling->idle_ms = (uint64_t)o->idle_ms;
	return result;
}

/* Where a former run stopped, for "FILE exists". */
static int refuse_unfinished(struct roll *roll)
{
	const struct rolling *rolling = &roll->rolling;
	const char *at = "";

	for (size_t i = 0; i < rolling->n_servers && !at[0]; i++)
		if (rolling_has_begun(&rolling->servers[i]))
			at = rolling->servers[i].name;
	return diag_fail(&roll->run->why, STATUS_FAILED,
			 "the rolling update of %s of %s is not finished%s%s: 'steerctl rolling "
			 "--resume' goes on, '--abort' ends it",
			 rolling->pool, rolling->service, at[0] ? ", it stopped at " : "", at);
}

static int begin(struct roll *roll)
{
	struct run *run = roll->run;
	auto_steerer struct steerer *steerer = NULL;
	bool chosen[STEER_SERVICES] = {0};
	const struct policy *policy;
	const char *name = run->arguments[0];
	const struct service *service;
	int result = rolling_read(roll->path, &roll->rolling, &run->why);

	if (result != -ENOENT)
		return result ? STATUS_FAILED : refuse_unfinished(roll);
	result = run_open(run, STEERER_READ, &steerer);
	if (result)
		return result;
	policy = steerer_policy(steerer);
	result = run_choose(run, policy, &name, 1, chosen);
	if (result)
		return result;
	service = policy_service(policy, run->service);
	roll->rolling.each = 1;
	(void)snprintf(roll->rolling.service, NAME_TEXT, "%s", service->name);
	(void)snprintf(roll->rolling.pool, NAME_TEXT, "%s", name);
	result = rolling_list(service_pool(service, name), &roll->rolling);
	return result ? result : take_options(roll);
}

static int resume(struct roll *roll)
{
	struct run *run = roll->run;
	int result = rolling_read(roll->path, &roll->rolling, &run->why);

	if (result == -ENOENT)
		return diag_fail(&run->why, STATUS_FAILED,
				 "there is no rolling update to go on with");
	if (result)
		return STATUS_FAILED;
	if (run->n_arguments && strcmp(run->arguments[0], roll->rolling.pool) != 0)
		return diag_fail(&run->why, STATUS_USAGE,
				 "the update to go on with is of pool %s, not %s",
				 roll->rolling.pool, run->arguments[0]);
	(void)snprintf(run->service, sizeof(run->service), "%s", roll->rolling.service);
	return take_options(roll);
}

/* ---- the answer ---- */

static void answer(struct roll *roll)
{
	const struct rolling *rolling = &roll->rolling;
	json_t *servers = json_array();

	for (size_t i = 0; i < rolling->n_servers; i++) {
		char log[PATH_MAX + NAME_TEXT + 8];

		(void)snprintf(log, sizeof(log), "%s/%s.log", roll->logs, rolling->servers[i].name);
		json_add(servers,
			 json_pack("{s:s, s:s, s:s}", "backend", rolling->servers[i].name, "step",
				   rolling_step_names[rolling->servers[i].step], "log", log));
	}
	(void)json_object_set_new(roll->run->json, "rolling",
				  json_pack("{s:s, s:s, s:o}", "service", rolling->service, "pool",
					    rolling->pool, "servers", servers));
}

static int say_end(struct roll *roll, int result)
{
	const struct rolling *rolling = &roll->rolling;
	size_t skipped = rolling_count(rolling, ROLLING_SKIPPED);

	answer(roll);
	if (result && rolling_count(rolling, ROLLING_WAITING) + skipped == rolling->n_servers) {
		(void)unlink(roll->path); /* nothing was begun */
		return result;
	}
	if (result) {
		diag_add(&roll->run->why,
			 "\n  go on: 'steerctl rolling --resume', or '--abort' to end it");
		return result;
	}
	(void)unlink(roll->path);
	diag_add(&roll->run->line, "%s of %s: %zu servers updated", rolling->pool, rolling->service,
		 rolling_count(rolling, ROLLING_DONE));
	if (skipped)
		diag_add(&roll->run->line, ", %zu were out of service and are so still", skipped);
	run_say_revision(roll->run);
	return 0;
}

static int would(struct roll *roll)
{
	const struct rolling *rolling = &roll->rolling;

	diag_add(&roll->run->line, "%s of %s, %u at a time:", rolling->pool, rolling->service,
		 rolling->each);
	for (size_t i = 0; i < rolling->n_servers; i++)
		if (rolling->servers[i].step != ROLLING_DONE &&
		    rolling->servers[i].step != ROLLING_SKIPPED)
			diag_add(&roll->run->line, " %s", rolling->servers[i].name);
	answer(roll);
	return run_would_change(roll->run);
}

static int abort_update(struct roll *roll)
{
	struct run *run = roll->run;
	struct diag left = {0};
	int result = rolling_read(roll->path, &roll->rolling, &run->why);

	if (result == -ENOENT)
		return diag_fail(&run->line, 0, "there is no rolling update to end");
	if (result)
		run_warn(run, run->why.text);
	diag_add(&run->line, "the rolling update is ended");
	if (run->options.dry_run)
		return run_would_change(run);
	for (size_t i = 0; i < roll->rolling.n_servers; i++) {
		const struct rolling_server *server = &roll->rolling.servers[i];

		if (server->step == ROLLING_HOOK || server->step == ROLLING_FAILED)
			diag_add(&left, " %s", server->name);
		else if (rolling_has_begun(server) &&
			 (result = roll_commit(roll, &i, 1, BACKEND_READY)))
			return result;
	}
	if (left.text[0])
		diag_add(&run->line,
			 "; still drained, for its hook did not end well:%.1500s ('steerctl "
			 "ready NAME' when it is)",
			 left.text);
	answer(roll);
	return unlink(roll->path) < 0
		       ? diag_fail(&run->why, -errno, "cannot remove %s: %m", roll->path)
		       : 0;
}

static int check_usage(struct run *run)
{
	const struct options *o = &run->options;

	if (o->resume && o->abort)
		return diag_fail(&run->why, STATUS_USAGE,
				 "--resume and --abort exclude each other");
	if (o->all)
		return diag_fail(&run->why, STATUS_USAGE,
				 "one pool at a time: -s SERVICE, not --all");
	if (!o->resume && !o->abort && (!run->n_arguments || !o->hook))
		return diag_fail(
			&run->why, STATUS_USAGE,
			"usage: steerctl rolling POOL --hook CMD, or --resume, or --abort");
	return 0;
}

int cmd_rolling(struct run *run)
{
	__attribute__((cleanup(roll_free))) struct roll roll = {.run = run, .lock = -1};
	int result = check_usage(run);

	if (!result)
		result = set_paths(&roll);
	if (result)
		return result;
	if (run->options.abort)
		return abort_update(&roll);
	result = run->options.resume ? resume(&roll) : begin(&roll);
	if (result)
		return result;
	run->why.text[0] = '\0'; /* that there was no former run is no error */
	if (run->options.dry_run)
		return would(&roll);
	if (mkdir(roll.logs, 0750) < 0 && errno != EEXIST)
		return diag_fail(&run->why, -errno, "cannot make %s: %m", roll.logs);
	result = rolling_write(roll.path, &roll.rolling, &run->why);
	return result ? result : say_end(&roll, roll_go_on(&roll));
}
