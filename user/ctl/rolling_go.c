// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The order of a rolling update: who is out of service together, and what becomes of them when
 * one fails. The steps themselves are in rolling_step.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "ctl/rolling_run.h"

/* Backends of the pool that are out of service, and not because of this run. */
static int count_others(struct roll *roll, size_t *ret_others)
{
	auto_steerer struct steerer *steerer = NULL;
	const struct service *service;
	const struct pool *pool;
	uint64_t before = roll->run->before, after = roll->run->after;
	size_t others = 0;
	int result = run_open(roll->run, STEERER_READ, &steerer);

	if (result)
		return result;
	if (before) { /* the answer is about the whole update */
		roll->run->before = before;
		roll->run->after = after;
	}
	roll->run->options.has_if_revision = false; /* it was the one, now we change it */
	service = policy_service(steerer_policy(steerer), roll->rolling.service);
	pool = service ? service_pool(service, roll->rolling.pool) : NULL;
	if (!pool)
		return diag_fail(&roll->run->why, STATUS_UNKNOWN_NAME,
				 "there is no pool '%s' of %s any more", roll->rolling.pool,
				 roll->rolling.service);
	for (size_t i = 0; i < pool->n_backends; i++) {
		bool is_ours = false;

		for (size_t s = 0; s < roll->rolling.n_servers; s++)
			is_ours |=
				rolling_has_begun(&roll->rolling.servers[s]) &&
				strcmp(roll->rolling.servers[s].name, pool->backends[i].name) == 0;
		others += pool->backends[i].state != BACKEND_READY && !is_ours;
	}
	*ret_others = others;
	return 0;
}

/* Nothing was done to those yet: they need not stay out because of another's failure. */
static void give_back(struct roll *roll, const size_t *which, size_t count)
{
	const struct diag why = roll->run->why;

	for (size_t i = 0; i < count; i++) {
		if (roll->rolling.servers[which[i]].step != ROLLING_DRAINING ||
		    roll_commit(roll, &which[i], 1, BACKEND_READY))
			continue;
		(void)roll_note(roll, which[i], ROLLING_WAITING);
	}
	roll->run->why = why;
}

static int update_one(struct roll *roll, size_t which)
{
	int result = 0;

	if (roll->rolling.servers[which].step != ROLLING_UPDATED) {
		result = roll_note(roll, which, ROLLING_HOOK);
		if (!result)
			result = roll_update(roll, which);
		if (result) {
			const struct diag why = roll->run->why;

			(void)roll_note(roll, which, ROLLING_FAILED);
			roll->run->why = why;
			return result;
		}
		result = roll_note(roll, which, ROLLING_UPDATED);
	}
	if (!result)
		result = roll_commit(roll, &which, 1, BACKEND_READY);
	return result ? result : roll_note(roll, which, ROLLING_DONE);
}

/* They were not drained after all: refused by a rail, or another writer was in the way. */
static void take_back(struct roll *roll, const size_t *which, size_t count)
{
	for (size_t i = 0; i < count; i++)
		roll->rolling.servers[which[i]].step = ROLLING_WAITING;
	(void)rolling_write(roll->path, &roll->rolling, NULL);
}

static int update_together(struct roll *roll, const size_t *which, size_t count)
{
	int result = 0;
	auto_free size_t *drained = calloc(count, sizeof(*drained));
	size_t n_drained = 0;

	if (!drained)
		return -ENOMEM;
	for (size_t i = 0; !result && i < count; i++) {
		if (roll->rolling.servers[which[i]].step == ROLLING_UPDATED)
			continue;
		result = roll_note(roll, which[i], ROLLING_DRAINING);
		drained[n_drained++] = which[i];
	}
	if (!result) {
		result = roll_commit(roll, drained, n_drained, BACKEND_DRAIN);
		if (result)
			take_back(roll, drained, n_drained);
	}
	if (!result && n_drained)
		result = roll_wait(roll, drained, n_drained);
	if (result)
		return result; /* drained they stay: --resume waits on */
	for (size_t i = 0; !result && i < count; i++)
		result = update_one(roll, which[i]);
	if (result)
		give_back(roll, which, count);
	return result;
}

int roll_go_on(struct roll *roll)
{
	auto_free size_t *next = calloc(roll->rolling.n_servers + 1, sizeof(*next));
	int result = next ? 0 : -ENOMEM;

	while (!result && !rolling_is_over(&roll->rolling)) {
		size_t others = 0, count;

		result = count_others(roll, &others);
		if (result)
			return result;
		count = rolling_next(&roll->rolling, others, next);
		if (count == 0)
			return diag_fail(&roll->run->why, STATUS_RAIL,
					 "%zu backends of %s are out of service for other reasons: "
					 "--max-unavailable %u leaves no room",
					 others, roll->rolling.pool, roll->rolling.max_unavailable);
		result = update_together(roll, next, count);
	}
	return result;
}
