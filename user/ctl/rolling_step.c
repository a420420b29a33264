// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The steps of a rolling update. Each opens steer for itself: no lock is held between them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"
#include "core/policy_json.h"
#include "ctl/hook.h"
#include "ctl/named.h"
#include "ctl/rolling_run.h"
#include "ctl/screen.h"

#define LOCK_WAIT_MS   30000 /* a hook may have written just now; an update need not fail of it */
#define TRIES	       3     /* of a commit that met another one */
#define HOOK_MS	       600000
#define CHECK_MS       30000
#define CHECK_EVERY_MS 1000

#define BAR_WIDTH 20

/* A run of its own for one step: what it says is the step's, what it changed is the answer's. */
static struct run *step_begin(const struct roll *roll)
{
	struct run *step = calloc(1, sizeof(*step));

	if (!step)
		return NULL;
	step->options = roll->run->options;
	step->options.service = roll->rolling.service;
	step->options.timeout_ms = LOCK_WAIT_MS;
	step->options.has_timeout = true;
	step->options.has_if_revision = false;
	step->options.all = false;
	step->command = roll->run->command;
	step->keeps_window = true;
	step->json = json_object();
	step->changes = roll->run->changes;
	step->warnings = roll->run->warnings;
	return step;
}

static int step_end(struct roll *roll, struct run *step, int result)
{
	if (result)
		roll->run->why = step->why;
	if (step->is_committed) {
		roll->run->is_committed = true;
		roll->run->after = step->after;
	}
	json_decref(step->json);
	free(step);
	return result;
}

static struct backend *find(const struct roll *roll, const struct policy *policy, size_t which,
			    struct service **ret_service, struct pool **ret_pool)
{
	const char *name = roll->rolling.servers[which].name;

	*ret_service = policy_service(policy, roll->rolling.service);
	*ret_pool = *ret_service ? service_pool(*ret_service, roll->rolling.pool) : NULL;
	for (size_t i = 0; *ret_pool && i < (*ret_pool)->n_backends; i++)
		if (strcmp((*ret_pool)->backends[i].name, name) == 0)
			return &(*ret_pool)->backends[i];
	return NULL;
}

/* ---- states ---- */

static void set_state(struct roll *roll, struct run *step, const struct policy *next, size_t which,
		      enum backend_state state)
{
	struct service *service;
	struct pool *pool;
	struct backend *backend = find(roll, next, which, &service, &pool);
	char text[2 * NAME_TEXT + 96];

	if (!backend) {
		(void)snprintf(text, sizeof(text), "%s is no longer a backend of %s",
			       roll->rolling.servers[which].name, roll->rolling.pool);
		run_warn(roll->run, text);
		return;
	}
	if (backend->state == BACKEND_MAINT) {
		(void)snprintf(text, sizeof(text), "somebody gave %s the state maint: it stays",
			       backend->name);
		run_warn(roll->run, text);
		return;
	}
	if (backend->state == state)
		return;
	json_add(step->changes,
		 json_pack("{s:s, s:s, s:s, s:s, s:s}", "service", service->name, "backend",
			   backend->name, "key", "state", "from",
			   policy_state_names[backend->state], "to", policy_state_names[state]));
	backend->state = state;
	diag_add(&step->line, " %s", backend->name);
}

static int commit_once(struct roll *roll, const size_t *which, size_t count,
		       enum backend_state state)
{
	auto_steerer struct steerer *steerer = NULL;
	auto_policy struct policy next = {0};
	struct run *step = step_begin(roll);
	int result;

	if (!step)
		return -ENOMEM;
	result = run_write(step, &steerer, &next);
	for (size_t i = 0; !result && i < count; i++)
		set_state(roll, step, &next, which[i], state);
	if (!result && step->line.text[0]) {
		(void)snprintf(step->typed, sizeof(step->typed), "rolling %s: %s%.120s",
			       roll->rolling.pool, policy_state_names[state], step->line.text);
		result = run_commit(step, steerer, &next);
	}
	return step_end(roll, step, result);
}

int roll_commit(struct roll *roll, const size_t *which, size_t count, enum backend_state state)
{
	int result = -ESTALE;

	for (int i = 0; i < TRIES && result == -ESTALE; i++)
		result = commit_once(roll, which, count, state);
	return result;
}

int roll_wait(struct roll *roll, const size_t *which, size_t count)
{
	const struct patience patience = {-1, roll->rolling.idle_ms};
	auto_steerer struct steerer *steerer = NULL;
	auto_named struct named named = {0};
	struct run *step = step_begin(roll);
	int result;

	if (!step)
		return -ENOMEM;
	result = run_open(step, STEERER_READ, &steerer);
	for (size_t i = 0; !result && i < count; i++) {
		struct service *service;
		struct pool *pool;
		const struct backend *backend =
			find(roll, steerer_policy(steerer), which[i], &service, &pool);

		if (backend)
			result = named_add(&named, service, pool, backend);
	}
	if (!result)
		result = wait_drained(step, &named, &patience);
	return step_end(roll, step, result);
}

/* ---- hook and check ---- */

/* What a hook is told: five variables, and where they stand for it. */
struct telling {
	char text[5][NAME_TEXT + 32];
	const char *environment[6];
};

static int tell(struct roll *roll, size_t which, struct telling *telling)
{
	auto_steerer struct steerer *steerer = NULL;
	struct run *step = step_begin(roll);
	struct service *service;
	struct pool *pool;
	const struct backend *backend = NULL;
	char address[ADDRESS_TEXT];
	int result = step ? run_open(step, STEERER_READ, &steerer) : -ENOMEM;

	if (!result)
		backend = find(roll, steerer_policy(steerer), which, &service, &pool);
	if (!result && !backend)
		result = diag_fail(&step->why, STATUS_UNKNOWN_NAME, "there is no backend '%s'",
				   roll->rolling.servers[which].name);
	if (!result) {
		const char *const names[] = {"BACKEND", "ADDRESS", "POOL", "VERSION", "SERVICE"};
		const char *const values[] = {backend->name,
					      address_format(&backend->address, address),
					      pool->name, pool->version, service->name};

		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			(void)snprintf(telling->text[i], sizeof(telling->text[i]), "STEER_%s=%s",
				       names[i], values[i]);
			telling->environment[i] = telling->text[i];
		}
	}
	return step ? step_end(roll, step, result) : result;
}

static int failed(struct roll *roll, size_t which, const char *what, int error,
		  const struct hook *hook, const struct diag *fact)
{
	return diag_fail(&roll->run->why, error == -ETIMEDOUT ? STATUS_TIMED_OUT : STATUS_FAILED,
			 "%s of %s: %.1000s; its log is %s", what,
			 roll->rolling.servers[which].name, fact->text, hook->log);
}

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A server needs time to start: the check is asked again until its time is over. */
static int check_again(struct hook *hook, const char *command, uint64_t most_ms, struct diag *fact)
{
	int64_t end = now_ms() + (int64_t)most_ms;
	int error;

	hook->command = command;
	for (;;) {
		int64_t left = end - now_ms();

		hook->most_ms = left > 1 ? (uint64_t)left : 1;
		error = hook_run(hook, fact);
		if (error != -ECHILD || end - now_ms() < CHECK_EVERY_MS)
			return error;
		if (screen_wait(CHECK_EVERY_MS) == SCREEN_END)
			return diag_fail(fact, -EINTR, "interrupted");
	}
}

int roll_update(struct roll *roll, size_t which)
{
	const struct rolling *rolling = &roll->rolling;
	struct telling telling = {0};
	char log[PATH_MAX + NAME_TEXT + 8];
	struct hook hook = {.command = rolling->hook,
			    .environment = telling.environment,
			    .log = log,
			    .most_ms = rolling->timeout_ms ? rolling->timeout_ms : HOOK_MS};
	struct diag fact = {0};
	const char *what = "the hook";
	int result = tell(roll, which, &telling), error;

	if (result)
		return result;
	(void)snprintf(log, sizeof(log), "%s/%s.log", roll->logs, rolling->servers[which].name);
	error = screen_begin(false);
	if (error)
		return error;
	error = hook_run(&hook, &fact);
	if (!error && rolling->check[0]) {
		what = "the check";
		roll_say(roll, which, "check");
		error = check_again(&hook, rolling->check,
				    rolling->timeout_ms ? rolling->timeout_ms : CHECK_MS, &fact);
	}
	screen_end();
	return error ? failed(roll, which, what, error, &hook, &fact) : 0;
}

/* ---- saying ---- */

void roll_say(const struct roll *roll, size_t which, const char *what)
{
	const struct rolling *rolling = &roll->rolling;
	size_t skipped = rolling_count(rolling, ROLLING_SKIPPED);
	size_t all = rolling->n_servers - skipped, done = rolling_count(rolling, ROLLING_DONE);
	size_t filled = all ? done * BAR_WIDTH / all : 0;

	if (!run_prints(roll->run))
		return;
	if (isatty(STDOUT_FILENO))
		printf("[%.*s%*s] ", (int)filled, "####################", (int)(BAR_WIDTH - filled),
		       "");
	printf("%zu/%zu %s: %s\n", done, all, rolling->servers[which].name, what);
	(void)fflush(stdout);
}

int roll_note(struct roll *roll, size_t which, enum rolling_step step)
{
	roll->rolling.servers[which].step = step;
	roll_say(roll, which, rolling_step_names[step]);
	return rolling_write(roll->path, &roll->rolling, &roll->run->why);
}
