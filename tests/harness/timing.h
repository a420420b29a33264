/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Time in the hands of a test: what the timer of a running edge would do, done now.
 */
#ifndef STEER_TESTS_TIMING_H
#define STEER_TESTS_TIMING_H

#include <stdbool.h>

#include "core/dataplane.h"
#include "harness/edge.h"

/* The pinned maps, writable; the caller closes them. Asserts on failure. */
void timing_open(const struct edge *edge, struct dataplane *ret_dp);

/* Select the live bank's successor as the timer does when it is due. False: there is none. */
bool timing_select_next(struct dataplane *dp);

/* Select successors until nothing is touched. */
void timing_settle(struct dataplane *dp);

/* Is @service touched in the live bank? */
bool timing_is_touched(const struct dataplane *dp, uint32_t service);

/* Wait until the timer has run @ticks times more, or stopped for want of work; not for ever. */
void timing_await_ticks(const struct dataplane *dp, uint32_t ticks);

/* Sums over all CPUs. */
struct steer_flow_counters timing_counters(const struct dataplane *dp);

#endif
