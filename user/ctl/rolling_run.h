/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What cmd_rolling.c (begin, resume, abort), rolling_go.c (who is next) and rolling_step.c (what
 * is done) share.
 */
#ifndef STEER_CTL_ROLLING_RUN_H
#define STEER_CTL_ROLLING_RUN_H

#include <limits.h>

#include "core/rolling.h"
#include "ctl/commands.h"

struct roll {
	struct run *run;
	struct rolling rolling;
	char path[PATH_MAX]; /* of the state */
	char logs[PATH_MAX]; /* folder */
	int lock;	     /* against a second run; not the writers' lock */
};

/* Update all that are not done; stops at the first failure. */
int roll_go_on(struct roll *roll);
/* Give servers @which the state, in one commit; one in maint is somebody else's and stays. */
int roll_commit(struct roll *roll, const size_t *which, size_t count, enum backend_state state);
/* Wait until they are empty. */
int roll_wait(struct roll *roll, const size_t *which, size_t count);
/* Hook and check of one server. Errors: STATUS_FAILED, STATUS_TIMED_OUT. */
int roll_update(struct roll *roll, size_t which);
/* Note the step in the file, and say it. */
int roll_note(struct roll *roll, size_t which, enum rolling_step step);
void roll_say(const struct roll *roll, size_t which, const char *what);

#endif
