// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What is measured once of a transition: a tick of the timer, how full the flow table gets, and
 * how long an operator waits with many flows open.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "base/own.h"
#include "bench/touched.h"
#include "steer/abi.h"
#include "tests/bench/tick.skel.h"

#define TICKS	     32 /* fewer than take a young record's life */
#define COMMITS	     15
#define BIRTHS	     8192 /* at once, while the table fills */
#define CACHES_BYTES (64u << 20)

/* The instance's maps in place of the object's own. */
static void use_maps_of(const struct edge *edge, struct bpf_object *object)
{
	struct bpf_map *map;
	char pins[192], path[256];

	edge_pins(edge, pins);
	bpf_object__for_each_map(map, object)
	{
		const char *name = bpf_map__name(map);

		if (strcmp(name, ".data.control") == 0)
			name = "control";
		(void)snprintf(path, sizeof(path), "%s/maps/%s", pins, name);
		if (access(path, F_OK) == 0 && bpf_map__set_pin_path(map, path) < 0)
			bench_fail("cannot use %s: %s", path, strerror(errno));
	}
}

static struct tick_bpf *load_tick(const struct edge *edge, uint32_t buckets)
{
	struct tick_bpf *skel = tick_bpf__open();
	int error;

	if (!skel)
		bench_fail("cannot open the timer's callback: %s", strerror(errno));
	*(__u32 *)&skel->rodata->facts.buckets = buckets;
	(void)bpf_map__set_max_entries(skel->maps.flows, buckets);
	(void)bpf_program__set_autoload(skel->progs.arm, false);
	use_maps_of(edge, skel->obj);
	error = tick_bpf__load(skel);
	if (error)
		bench_fail("cannot load the timer's callback: %s", strerror(-error));
	return skel;
}

/* A quarter of a second after the last tick nothing of the table is in a cache. */
static void empty_caches(void)
{
	static uint8_t *bytes;

	if (!bytes)
		bytes = malloc(CACHES_BYTES);
	if (!bytes)
		bench_fail("out of memory");
	memset(bytes, rand(), CACHES_BYTES);
}

/* Microseconds of a tick over a table full of records that were heard of @ages ago. */
static struct figure time_ticks(struct tick_bpf *skel, struct touched *touched, uint32_t ages,
				uint64_t expected)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);
	struct steer_flow_counters before, after;
	double us[TICKS];

	touched_fill(touched, ages);
	touched_count(touched, &before);
	for (int i = 0; i < TICKS; i++) {
		int error;

		empty_caches();
		error = bpf_prog_test_run_opts(bpf_program__fd(skel->progs.timed_tick), &options);
		if (error || options.retval)
			bench_fail("the timer's callback did not run: %s", strerror(-error));
		us[i] = (double)skel->bss->spent_ns / 1e3;
	}
	touched_count(touched, &after);
	/* The true timer ticks, too: perhaps at the same moment over the same buckets. */
	if (after.expired - before.expired < expected * (TICKS - 1) ||
	    (!expected && after.expired != before.expired))
		bench_fail("%llu records expired in %d ticks instead of %llu in each",
			   (unsigned long long)(after.expired - before.expired), TICKS,
			   (unsigned long long)expected);
	return figure_of(us, TICKS);
}

/* Records in the table when of a batch of births 1 in 100 finds no room. */
static uint64_t fill_up(struct touched *touched, const struct rig *rig, const struct run *syn)
{
	struct steer_flow_counters start, before, after;

	rig_set(rig, syn);
	touched_clear(touched);
	touched_count(touched, &start);
	after = start;
	do {
		before = after;
		(void)rig_time(rig, syn, rig->to_steer->progs.driver, BIRTHS, XDP_TX);
		touched_count(touched, &after);
	} while (after.full - before.full < BIRTHS / 100);
	return after.births - start.births;
}

static double time_steerctl(const struct edge *edge, const char *const *arguments)
{
	double start = clock_ns(CLOCK_MONOTONIC);

	run_steerctl(edge, arguments);
	return (clock_ns(CLOCK_MONOTONIC) - start) / 1e6;
}

/* Everybody to blue, the flows of @run open there, and back. */
static struct figure time_rollbacks(const struct rig *rig, struct touched *touched,
				    const struct run *run)
{
	static const char *const there[] = {"switch", "blue", NULL};
	static const char *const back[] = {"rollback", NULL};
	double ms[COMMITS];

	for (int i = 0; i < COMMITS; i++) {
		if (i)
			run_steerctl(rig->edge, there);
		rig_set(rig, run);
		touched_prepare(touched, rig, run);
		ms[i] = time_steerctl(rig->edge, back);
	}
	run_steerctl(rig->edge, there);
	return figure_of(ms, COMMITS);
}

static struct figure time_canaries(const struct edge *edge)
{
	static const char *const shares[2][4] = {{"set", "canary", "5%"}, {"set", "canary", "10%"}};
	double ms[COMMITS];

	for (int i = 0; i < COMMITS; i++)
		ms[i] = time_steerctl(edge, shares[i % 2]);
	return figure_of(ms, COMMITS);
}

static const struct bench_case *case_of(const struct bench_group *group, enum flow_role role)
{
	for (size_t i = 0; i < group->n_cases; i++)
		if (group->cases[i].flow == role)
			return &group->cases[i];
	bench_fail("'%s' has no case for its facts", group->name);
}

void facts_of_transition(const struct rig *rig, const struct bench_group *group,
			 struct transition_facts *ret_facts)
{
	struct run recorded = {.c = case_of(group, FLOW_RECORDED)};
	struct run birth = {.c = case_of(group, FLOW_BIRTH)};
	struct touched touched;
	struct tick_bpf *skel;

	frame_build(recorded.c, &recorded.frame);
	frame_build(birth.c, &birth.frame);
	touched_up(rig->edge, &touched);
	skel = load_tick(rig->edge, touched.buckets);
	ret_facts->tick_us = time_ticks(skel, &touched, 0, 0);
	ret_facts->tick_expiring_us = time_ticks(skel, &touched, STEER_CONFIRMED_AGES,
						 STEER_SWEEP_BUCKETS * STEER_BUCKET_FLOWS);
	tick_bpf__destroy(skel);
	ret_facts->capacity = (uint64_t)touched.buckets * STEER_BUCKET_FLOWS;
	ret_facts->filled = fill_up(&touched, rig, &birth);
	ret_facts->open = recorded.c->clients;
	ret_facts->rollback_ms = time_rollbacks(rig, &touched, &recorded);
	ret_facts->commit_ms = time_canaries(rig->edge);
	touched_down(&touched);
}
