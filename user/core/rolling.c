// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/rolling.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/own.h"

const char *const rolling_step_names[] = {
	[ROLLING_WAITING] = "waiting", [ROLLING_DRAINING] = "draining", [ROLLING_HOOK] = "hook",
	[ROLLING_UPDATED] = "updated", [ROLLING_DONE] = "done",		[ROLLING_FAILED] = "failed",
	[ROLLING_SKIPPED] = "skipped",
};
_Static_assert(ARRAY_SIZE(rolling_step_names) == ROLLING_STEP_COUNT, "every step has a name");

void rolling_free(struct rolling *rolling)
{
	free(rolling->servers);
	*rolling = (struct rolling){0};
}

int rolling_list(const struct pool *pool, struct rolling *rolling)
{
	struct rolling_server *servers = calloc(pool->n_backends + 1, sizeof(*servers));

	if (!servers)
		return -ENOMEM;
	for (size_t i = 0; i < pool->n_backends; i++) {
		const struct backend *backend = &pool->backends[i];

		(void)snprintf(servers[i].name, sizeof(servers[i].name), "%s", backend->name);
		servers[i].step =
			backend->state == BACKEND_READY ? ROLLING_WAITING : ROLLING_SKIPPED;
	}
	free(rolling->servers);
	rolling->servers = servers;
	rolling->n_servers = pool->n_backends;
	return 0;
}

bool rolling_has_begun(const struct rolling_server *server)
{
	return server->step == ROLLING_DRAINING || server->step == ROLLING_HOOK ||
	       server->step == ROLLING_UPDATED || server->step == ROLLING_FAILED;
}

size_t rolling_count(const struct rolling *rolling, enum rolling_step step)
{
	size_t count = 0;

	for (size_t i = 0; i < rolling->n_servers; i++)
		count += rolling->servers[i].step == step;
	return count;
}

bool rolling_is_over(const struct rolling *rolling)
{
	return rolling_count(rolling, ROLLING_DONE) + rolling_count(rolling, ROLLING_SKIPPED) ==
	       rolling->n_servers;
}

size_t rolling_next(const struct rolling *rolling, size_t others, size_t *ret_indices)
{
	size_t room = rolling->each, count = 0;

	if (rolling->max_unavailable) {
		size_t left =
			rolling->max_unavailable > others ? rolling->max_unavailable - others : 0;

		room = left < room ? left : room;
	}
	for (size_t i = 0; i < rolling->n_servers && count < room; i++)
		if (rolling_has_begun(&rolling->servers[i]))
			ret_indices[count++] = i;
	for (size_t i = 0; i < rolling->n_servers && count < room; i++)
		if (rolling->servers[i].step == ROLLING_WAITING)
			ret_indices[count++] = i;
	return count;
}

/* ---- the file ---- */

static int step_of(const char *name, enum rolling_step *ret_step)
{
	for (enum rolling_step step = 0; step < ROLLING_STEP_COUNT; step++) {
		if (strcmp(name, rolling_step_names[step]) != 0)
			continue;
		*ret_step = step;
		return 0;
	}
	return -EINVAL;
}

/* Does @text fit? Copied if so. */
static bool take_text(char *into, size_t size, const char *text)
{
	return (size_t)snprintf(into, size, "%s", text) < size;
}

static int read_servers(const json_t *list, struct rolling *rolling)
{
	const json_t *item;
	size_t i;

	rolling->servers = calloc(json_array_size(list) + 1, sizeof(*rolling->servers));
	if (!rolling->servers)
		return -ENOMEM;
	rolling->n_servers = json_array_size(list);
	json_array_foreach (list, i, item) {
		struct rolling_server *server = &rolling->servers[i];
		const char *name, *step;

		if (json_unpack((json_t *)item, "{s:s, s:s !}", "name", &name, "step", &step) ||
		    !take_text(server->name, sizeof(server->name), name) ||
		    step_of(step, &server->step))
			return -EINVAL;
	}
	return 0;
}

static int from_json(json_t *json, struct rolling *rolling)
{
	const char *service, *pool, *hook, *check;
	json_int_t each, most, timeout_ms, idle_ms;
	json_t *servers;

	if (json_unpack(json, "{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:o !}", "service",
			&service, "pool", &pool, "hook", &hook, "check", &check, "each", &each,
			"max_unavailable", &most, "timeout_ms", &timeout_ms, "idle_ms", &idle_ms,
			"servers", &servers))
		return -EINVAL;
	if (!take_text(rolling->service, sizeof(rolling->service), service) ||
	    !take_text(rolling->pool, sizeof(rolling->pool), pool) ||
	    !take_text(rolling->hook, sizeof(rolling->hook), hook) || !hook[0] ||
	    !take_text(rolling->check, sizeof(rolling->check), check) || each < 1 ||
	    each > STEER_BACKENDS || most < 0 || most > STEER_BACKENDS || timeout_ms < 0 ||
	    idle_ms < 0 || !json_is_array(servers))
		return -EINVAL;
	rolling->each = (uint32_t)each;
	rolling->max_unavailable = (uint32_t)most;
	rolling->timeout_ms = (uint64_t)timeout_ms;
	rolling->idle_ms = (uint64_t)idle_ms;
	return read_servers(servers, rolling);
}

int rolling_read(const char *path, struct rolling *ret_rolling, struct diag *why)
{
	auto_fclose FILE *file = fopen(path, "re");
	struct rolling rolling = {0};
	json_error_t trouble;
	json_t *json;
	int error;

	if (!file)
		return diag_fail(why, -errno, "cannot open %s: %m", path);
	json = json_loadf(file, JSON_REJECT_DUPLICATES, &trouble);
	error = json ? from_json(json, &rolling) : -EINVAL;
	json_decref(json);
	if (error) {
		rolling_free(&rolling);
		return diag_fail(why, error, "%s is not the state of a rolling update%s%s", path,
				 json ? "" : ": ", json ? "" : trouble.text);
	}
	*ret_rolling = rolling;
	return 0;
}

static json_t *to_json(const struct rolling *rolling)
{
	json_t *servers = json_array();

	for (size_t i = 0; i < rolling->n_servers; i++)
		(void)json_array_append_new(
			servers, json_pack("{s:s, s:s}", "name", rolling->servers[i].name, "step",
					   rolling_step_names[rolling->servers[i].step]));
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:o}", "service",
			 rolling->service, "pool", rolling->pool, "hook", rolling->hook, "check",
			 rolling->check, "each", (json_int_t)rolling->each, "max_unavailable",
			 (json_int_t)rolling->max_unavailable, "timeout_ms",
			 (json_int_t)rolling->timeout_ms, "idle_ms", (json_int_t)rolling->idle_ms,
			 "servers", servers);
}

int rolling_write(const char *path, const struct rolling *rolling, struct diag *why)
{
	char beside[PATH_MAX];
	auto_fclose FILE *file = NULL;
	json_t *json = to_json(rolling);
	int failed;

	if (!json)
		return diag_fail(why, -ENOMEM, "out of memory writing %s", path);
	(void)snprintf(beside, sizeof(beside), "%.4000s.new", path);
	file = fopen(beside, "we");
	failed = !file || json_dumpf(json, file, JSON_INDENT(1)) < 0 || fflush(file) != 0 ||
		 fdatasync(fileno(file)) < 0 || rename(beside, path) < 0;
	json_decref(json);
	return failed ? diag_fail(why, errno ? -errno : -EIO, "cannot write %s: %m", path) : 0;
}
