/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rails: reasons not to commit that an operator may overrule one by one.
 *
 * A rollback passes all of them. Each function tells whether its rail refuses, and with what one
 * fact; how to go on is for the caller to say.
 */
#ifndef STEER_CORE_RAILS_H
#define STEER_CORE_RAILS_H

#include "core/steerer.h"

enum rail {
	RAIL_HEALTH, /* a pool would get clients and none of its backends may take them */
	RAIL_LOCK,   /* somebody locked, see journal_lock() */
	RAIL_DRIFT,  /* the kernel holds what steer did not make */
	RAIL_WINDOW, /* a commit waits to be confirmed, see steerer_window() */
	RAIL_COUNT,
};

extern const char *const rail_names[RAIL_COUNT];

/* Refuses only what gets worse: a dead pool may lose clients, and may keep those it has. */
bool rail_health(const struct policy *before, const struct policy *after, struct diag *ret_fact);

/* @lock may be NULL. */
bool rail_lock(const struct journal_lock *lock, struct diag *ret_fact);

/* Refuses too where memory or a map cannot be read. */
bool rail_drift(const struct steerer *steerer, struct diag *ret_fact);

/* Refuses while @window is armed. */
bool rail_window(const struct steerer_window *window, struct diag *ret_fact);

#endif
