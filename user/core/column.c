// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/column.h"

#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/own.h"
#include "core/policy_json.h"
#include "core/table.h"

static int note_times(struct planned_bank *planned, const struct transition *transition,
		      const struct times *times)
{
	uint64_t origins_until = transition_origins_until(transition);
	struct times *grown =
		realloc(planned->times, (planned->n_times + 1) * sizeof(*planned->times));

	if (!grown)
		return -ENOMEM;
	planned->times = grown;
	planned->times[planned->n_times++] = *times;
	if (origins_until > planned->origins_until_ms)
		planned->origins_until_ms = origins_until;
	if (transition->until_ms > planned->until_ms)
		planned->until_ms = transition->until_ms;
	return 0;
}

/* Write one service of one bank: its table of now (already an object) and its transition. */
static int put_service(struct build *build, enum role role, const struct column *column,
		       uint32_t now, const struct transition *transition)
{
	struct planned_bank *planned = &build->planned[role];
	auto_free struct steer_table *origins = NULL;
	auto_free struct times *times = NULL;
	int error;

	planned->bank.now[column->index] = now;
	if (transition->touched == 0)
		return 0;
	origins = malloc(sizeof(*origins));
	times = malloc(sizeof(*times));
	if (!origins || !times)
		return diag_fail(build->why, -ENOMEM, "out of memory writing a transition");
	touched_split(transition, (uint32_t)column->index, origins, times);
	error = build_table(build, column->index, origins, &planned->bank.origin[column->index]);
	if (error)
		return error;
	planned->bank.flags |= STEER_BANK_TOUCHED;
	error = note_times(planned, transition, times);
	return error ? diag_fail(build->why, error, "out of memory writing a transition") : 0;
}

/* Compile the service and make an object of it, unless it is the one of @like. */
static int put_now(struct build *build, const struct column *column, const struct service *service,
		   const struct service *like, uint32_t number_of_like, struct steer_table *table,
		   uint32_t *ret_number)
{
	int error;

	if (like && number_of_like && service_equal(service, like) == 1) {
		*ret_number = number_of_like;
		return 0;
	}
	memset(table, 0, sizeof(*table));
	error = table_compile(service, table);
	if (error)
		return diag_fail(build->why, error, "cannot compile the table of '%s': %s",
				 service->name, strerror(-error));
	return build_table(build, column->index, table, ret_number);
}

static int read_table(struct build *build, uint32_t number, struct steer_table *ret_table)
{
	auto_free void *value = NULL;
	size_t size;
	int error = object_read(build->dp, OBJECT_TABLE, number, &value, &size, build->why);

	if (!error)
		memcpy(ret_table, value, sizeof(*ret_table));
	return error;
}

/*
 * A transition that begins is told from all before it by the generation that begins it: that of
 * the bank in @role, for a way back from the settled bank begins another one than the live bank.
 */
static void step(const struct build *build, struct column *column, enum role role,
		 const struct transition *from, const struct steer_table *was,
		 const struct steer_table *next, uint64_t hold_ms, struct transition *ret)
{
	transition_step(from, was->backend, next->backend, column->now_ms, hold_ms, ret);
	if (ret->touched && ret->era != from->era)
		ret->era = (uint32_t)build->planned[role].bank.generation;
}

static void forget_maintained(const struct service *service, const struct steer_table *now,
			      struct transition *transition)
{
	for (size_t p = 0; p < service->n_pools; p++)
		for (size_t b = 0; b < service->pools[p].n_backends; b++)
			if (service->pools[p].backends[b].state == BACKEND_MAINT)
				transition_forget(transition,
						  (uint16_t)service->pools[p].backends[b].id,
						  now->backend);
}

/* A way back was built before it was selected: its deadlines count from its selection. */
static void allow_for_selection(const struct build *build, struct transition *running)
{
	const struct steer_links *links = &build->dp->control->links[build->running];

	if (links->hold_ns && links->due_ns && running->touched)
		transition_extend(running, links->due_ns / 1000000);
}

static size_t find_index(const struct policy *policy, const char *name)
{
	for (size_t i = 0; policy && i < policy->n_services; i++)
		if (strcmp(policy->services[i].name, name) == 0)
			return i;
	return STEER_SERVICES;
}

/* The transition that leads from the running table to @now, into column->live. */
static int step_from_running(struct build *build, struct column *column, uint32_t now,
			     const struct install *install)
{
	const struct steer_bank *running = &build->dp->control->bank[build->running];
	uint32_t was = running->now[column->was_index];
	int error;

	if (was == 0 || (was == now && running->origin[column->was_index] == 0))
		return 0;
	error = touched_read(build->dp, running, build->running, (uint32_t)column->was_index,
			     &column->from, build->why);
	if (!error)
		allow_for_selection(build, &column->from);
	if (!error)
		error = read_table(build, was, &column->now);
	if (!error)
		error = read_table(build, now, &column->next);
	if (!error)
		step(build, column, ROLE_LIVE, &column->from, &column->now, &column->next,
		     install->is_cut ? 0 : column->hold_ms, &column->live);
	return error;
}

/* From the running bank to the live one, and what the timer makes of that. */
static int put_live(struct build *build, struct column *column, const struct service *service,
		    const struct install *install)
{
	const struct steer_bank *running = &build->dp->control->bank[build->running];
	const struct service *like = NULL;
	uint32_t number_of_like = 0, now;
	int error;

	memset(&column->live, 0, sizeof(column->live));
	column->was_index = build->running ? find_index(build->was, service->name) : STEER_SERVICES;
	if (column->was_index < STEER_SERVICES) {
		like = &build->was->services[column->was_index];
		number_of_like = running->now[column->was_index];
	}
	error = put_now(build, column, service, like, number_of_like, &column->next, &now);
	if (!error && like)
		error = step_from_running(build, column, now, install);
	column->finished = column->live;
	if (!error && column->live.touched) {
		forget_maintained(service, &column->next, &column->live);
		column->finished = column->live;
		transition_finish_origins(&column->finished, column->next.backend);
	}
	if (!error)
		error = put_service(build, ROLE_LIVE, column, now, &column->live);
	if (!error)
		error = put_service(build, ROLE_FINISHED, column, now, &column->finished);
	memset(&column->to, 0, sizeof(column->to));
	return error ? error : put_service(build, ROLE_SETTLED, column, now, &column->to);
}

/* The way back from each of the three banks; @first is the role from the live one. */
static int put_way(struct build *build, struct column *column, const struct service *live,
		   const struct service *back, enum role first)
{
	static const struct transition settled;
	const struct transition *const from[] = {&column->live, &column->finished, &settled};
	uint32_t now = build->planned[ROLE_LIVE].bank.now[column->index];
	uint32_t to;
	int error = put_now(build, column, back, live, now, &column->next, &to);

	if (!error && (to != now || column->live.touched))
		error = read_table(build, now, &column->now)
				?: read_table(build, to, &column->next);
	for (int i = 0; i < 3 && !error; i++) {
		memset(&column->to, 0, sizeof(column->to));
		if (to != now || from[i]->touched)
			step(build, column, (enum role)(first + i), from[i], &column->now,
			     &column->next, column->hold_ms, &column->to);
		error = put_service(build, (enum role)(first + i), column, to, &column->to);
	}
	return error ? error : put_service(build, (enum role)(first + 3), column, to, &settled);
}

int column_put(struct build *build, struct column *column, const struct ways *ways,
	       const struct install *install)
{
	const struct service *service = &ways->live->services[column->index];
	int error;

	column->hold_ms = service->deadline_ms;
	error = put_live(build, column, service, install);
	if (!error && ways->has_back)
		error = put_way(build, column, service, &ways->back.services[column->index],
				ROLE_BACK);
	if (!error && ways->has_undo)
		error = put_way(build, column, service, &ways->undo.services[column->index],
				ROLE_UNDO);
	return error;
}
