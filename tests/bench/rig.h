/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The drivers in the kernel, and one timed run of one of them.
 */
#ifndef STEER_TESTS_BENCH_RIG_H
#define STEER_TESTS_BENCH_RIG_H

#include "bench/bench.h"
#include "tests/bench/driver.skel.h"

/* Two drivers, for it takes the kernel a grace period to redirect a tail call. */
struct rig {
	const struct edge *edge;
	struct driver_bpf *to_empty;
	struct driver_bpf *to_steer;
	uint32_t ifindex; /* of the edge */
};

/* A case and its packet. */
struct run {
	const struct bench_case *c;
	struct frame frame;
};

void rig_up(const struct edge *edge, struct rig *ret_rig);
void rig_down(const struct rig *rig);

/* Tell both drivers what to put back. */
void rig_set(const struct rig *rig, const struct run *run);

/*
 * Run the frame as if it came by the edge's interface, or by the loopback interface if it is to
 * be redirected. Returns nanoseconds of this thread's CPU time per packet; fails unless the last
 * one ended in @action.
 */
double rig_time(const struct rig *rig, const struct run *run, const struct bpf_program *program,
		uint32_t repeat, uint32_t action);

#endif
