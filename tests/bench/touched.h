/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Transitions: bringing one about, making the flow table what a case asks for, and the proof
 * that each packet was treated as the case says.
 */
#ifndef STEER_TESTS_BENCH_TOUCHED_H
#define STEER_TESTS_BENCH_TOUCHED_H

#include "bench/rig.h"
#include "core/dataplane.h"

struct touched {
	struct dataplane dp;
	struct steer_bucket *bucket; /* mapped */
	uint32_t buckets;
	bool is_tight; /* one flow in a thousand may find no room */
};

/* Bring the edge from its first generation to where the group's cases are measured. */
void touched_begin(const struct edge *edge, enum transition transition);

/* Births are not limited from here on: limits are not what is measured. */
void touched_up(const struct edge *edge, struct touched *ret_touched);
void touched_down(struct touched *touched);

/* Make the flow table what @run asks for; the rig is set to it already. */
void touched_prepare(struct touched *touched, const struct rig *rig, const struct run *run);
void touched_clear(struct touched *touched);

/* Fill every word with a record that is heard of @ages ago and nobody's. */
void touched_fill(struct touched *touched, uint32_t ages);

void touched_count(const struct touched *touched, struct steer_flow_counters *ret_counters);

/* Fails unless the @packets since @before were all treated as the case says. */
void touched_check(const struct touched *touched, const struct bench_case *c,
		   const struct steer_flow_counters *before, uint64_t packets);

#endif
