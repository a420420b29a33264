/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An operator's command, run for one server: with its own log, a time limit, and no way to hang. */
#ifndef STEER_CTL_HOOK_H
#define STEER_CTL_HOOK_H

#include <stdint.h>

#include "base/diag.h"

struct hook {
	const char *command;		/* for sh -c */
	const char *const *environment; /* NAME=VALUE, NULL at the end; added to our own */
	const char *log;		/* file that its output is appended to */
	uint64_t most_ms;
};

/*
 * hook_run - run it and wait.
 *
 * It has a process group of its own, which is ended (SIGTERM, then SIGKILL) when the time is over
 * or steerctl is told to end. Between screen_begin() and screen_end() only.
 * Errors: -ECHILD it failed, and how; -ETIMEDOUT; -EINTR; errno of fork() and of the log.
 */
int hook_run(const struct hook *hook, struct diag *why);

/* Can it be run, as far as can be told beforehand? Errors: -EACCES, -ENOENT of its file. */
int hook_check(const char *what, const char *command, struct diag *why);

#endif
