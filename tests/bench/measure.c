// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * E, W and T of every case in every round, and the proof that T measured what it says: steer's
 * own counter of the expected verdict moved by exactly the number of packets run.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/bpf.h>

#include "bench/rig.h"
#include "bench/touched.h"
#include "steer/abi.h"

#define CASES_MAX 32

/*
 * E, W and T take turns this often within a round. The speed of a virtual machine's CPU changes
 * by a half from one second to the next; a turn of a few milliseconds sees one speed.
 */
#define TURNS 8

/* A case made ready, and its figures so far. */
struct bout {
	struct run run;
	double empty[ROUNDS_MAX], driven[ROUNDS_MAX], over[ROUNDS_MAX];
};

double clock_ns(int clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int by_value(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

struct figure figure_of(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), by_value);
	return (struct figure){
		.median = (values[(n - 1) / 2] + values[n / 2]) / 2,
		.min = values[0],
		.max = values[n - 1],
	};
}

static uint32_t action_of(const struct bench_case *c)
{
	static const uint32_t actions[] = {
#define VERDICT_ACTION(name, action, help) [STEER_VERDICT_##name] = (action),
		STEER_VERDICTS(VERDICT_ACTION)
#undef VERDICT_ACTION
	};

	return c->is_redirected ? (uint32_t)XDP_REDIRECT : actions[c->verdict];
}

/* One turn each of E, W and T. */
static void take_turn(const struct rig *rig, const struct bout *bout, uint32_t repeat,
		      double *ret_empty, double *ret_driven, double *ret_over)
{
	const struct run *run = &bout->run;
	uint32_t action = action_of(run->c);
	double steer;

	*ret_empty = rig_time(rig, run, rig->to_empty->progs.empty, repeat, XDP_TX);
	*ret_driven = rig_time(rig, run, rig->to_empty->progs.driver, repeat, XDP_TX);
	steer = rig_time(rig, run, rig->to_steer->progs.driver, repeat, action);
	*ret_over = steer - *ret_driven;
}

static void measure_round(const struct rig *rig, struct touched *touched, struct bout *bout,
			  uint32_t round, uint32_t repeat)
{
	const struct bench_case *c = bout->run.c;
	uint32_t per_turn = repeat / TURNS;
	uint64_t expected = (uint64_t)per_turn * TURNS;
	struct steer_flow_counters flows;
	double empty[TURNS], driven[TURNS], over[TURNS];
	uint64_t counted;

	rig_set(rig, &bout->run);
	touched_prepare(touched, rig, &bout->run);
	touched_count(touched, &flows);
	counted = edge_count(rig->edge, c->verdict);
	for (int i = 0; i < TURNS; i++) {
		if (c->flow == FLOW_BIRTH)
			touched_clear(touched);
		take_turn(rig, bout, per_turn, &empty[i], &driven[i], &over[i]);
	}
	counted = edge_count(rig->edge, c->verdict) - counted;
	if (counted != expected)
		bench_fail("%s: %llu of %llu packets were counted under the expected verdict",
			   c->name, (unsigned long long)counted, (unsigned long long)expected);
	touched_check(touched, c, &flows, expected);
	bout->empty[round] = figure_of(empty, TURNS).median;
	bout->driven[round] = figure_of(driven, TURNS).median;
	bout->over[round] = figure_of(over, TURNS).median;
}

bool case_is_wanted(const struct bench_case *c, const struct settings *settings)
{
	return !settings->only || strstr(c->name, settings->only);
}

size_t measure_group(const struct rig *rig, const struct bench_group *group,
		     const struct settings *settings, struct result *ret_results)
{
	static struct bout bouts[CASES_MAX];
	struct touched touched;
	size_t n = 0;

	for (size_t i = 0; i < group->n_cases && n < CASES_MAX; i++) {
		if (!case_is_wanted(&group->cases[i], settings))
			continue;
		bouts[n].run.c = &group->cases[i];
		frame_build(bouts[n].run.c, &bouts[n].run.frame);
		n++;
	}
	touched_up(rig->edge, &touched);
	for (uint32_t round = 0; round < settings->rounds; round++)
		for (size_t i = 0; i < n; i++)
			measure_round(rig, &touched, &bouts[i], round, settings->repeat);
	touched_down(&touched);
	for (size_t i = 0; i < n; i++) {
		ret_results[i] = (struct result){
			.group = group,
			.c = bouts[i].run.c,
			.empty = figure_of(bouts[i].empty, settings->rounds),
			.driver = figure_of(bouts[i].driven, settings->rounds),
			.over = figure_of(bouts[i].over, settings->rounds),
		};
	}
	return n;
}
