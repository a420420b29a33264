/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A pool updated server by server: which one is next, and what a run that stopped left behind.
 *
 * Choosing is pure. The state is one JSON file beside the journal, written before each step, so
 * that a run that died anywhere goes on with the server at which it stopped.
 */
#ifndef STEER_CORE_ROLLING_H
#define STEER_CORE_ROLLING_H

#include <stddef.h>
#include <stdint.h>

#include "core/policy.h"

#define ROLLING_COMMAND_TEXT 1024

enum rolling_step {
	ROLLING_WAITING,  /* not begun */
	ROLLING_DRAINING, /* taken out of service, nothing was done to it */
	ROLLING_HOOK,	  /* its hook was begun and has not ended well, or its check has not */
	ROLLING_UPDATED,  /* hook and check ended well; to be made ready */
	ROLLING_DONE,
	ROLLING_FAILED,	 /* as HOOK, and it is known to have ended badly */
	ROLLING_SKIPPED, /* was out of service before: not touched */
	ROLLING_STEP_COUNT,
};

extern const char *const rolling_step_names[ROLLING_STEP_COUNT];

struct rolling_server {
	char name[NAME_TEXT];
	enum rolling_step step;
};

struct rolling {
	char service[NAME_TEXT];
	char pool[NAME_TEXT];
	char hook[ROLLING_COMMAND_TEXT];
	char check[ROLLING_COMMAND_TEXT]; /* "" = none */
	uint32_t each;			  /* servers out of service at a time, 1 or more */
	uint32_t max_unavailable;	  /* of the pool, for whatever reason; 0 = not limited */
	uint64_t timeout_ms;		  /* of one hook; 0 = the default */
	uint64_t idle_ms;		  /* as drain_judge() */
	struct rolling_server *servers;	  /* in the order of the pool */
	size_t n_servers;
};

void rolling_free(struct rolling *rolling);

/* List the servers of @pool; those that are not ready are skipped. Errors: -ENOMEM. */
int rolling_list(const struct pool *pool, struct rolling *rolling);

/* Was it taken out of service by this run, and not given back? */
bool rolling_has_begun(const struct rolling_server *server);

/*
 * rolling_next - which servers are out of service together now.
 *
 * Those that were begun come first, so that nobody else is taken out while one is left behind.
 *
 * @others      backends of the pool that are out for another reason
 * @ret_indices into servers, @each of them at most
 * Returns how many; 0 with rolling_is_over() false: max_unavailable leaves no room.
 */
size_t rolling_next(const struct rolling *rolling, size_t others, size_t *ret_indices);
bool rolling_is_over(const struct rolling *rolling);
/* Servers at @step. */
size_t rolling_count(const struct rolling *rolling, enum rolling_step step);

/* Errors: -ENOENT there is no run to go on with; -EINVAL damaged; errno of the file. */
int rolling_read(const char *path, struct rolling *ret_rolling, struct diag *why);
/* Written beside and renamed. Errors: errno of the file, -ENOMEM. */
int rolling_write(const char *path, const struct rolling *rolling, struct diag *why);

#endif
