// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * E, W and T of every case in every round, and the proof that T measured what it says: steer's
 * own counter of the expected verdict moved by exactly the number of packets run.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "bench/bench.h"
#include "steer/abi.h"
#include "tests/bench/driver.skel.h"

#define CASES_MAX 32
#define WARM_UP	  32 /* part of the repeats that is run before the clock starts */

/* A case made ready, and its figures so far. */
struct bout {
	const struct bench_case *c;
	struct frame frame;
	struct driver_bpf *driver;
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

static uint32_t action_of(uint32_t verdict)
{
	static const uint32_t actions[] = {
#define VERDICT_ACTION(name, action, help) [STEER_VERDICT_##name] = (action),
		STEER_VERDICTS(VERDICT_ACTION)
#undef VERDICT_ACTION
	};

	return actions[verdict];
}

/* Run the frame @repeat times through @program as if it came by the edge's interface. */
static void run_packets(const struct frame *frame, int program, uint32_t repeat, uint32_t action)
{
	struct xdp_md context = {.data_end = frame->size,
				 .ingress_ifindex = if_nametoindex("edge0")};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame->bytes, .data_size_in = frame->size,
		    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = (int)repeat);
	int error = bpf_prog_test_run_opts(program, &run);

	if (error)
		bench_fail("the kernel did not run the program: %s", strerror(-error));
	if (run.retval != action)
		bench_fail("XDP action %u instead of %u", run.retval, action);
}

/* Nanoseconds of this thread's CPU time per packet, and the packets run with the warm-up. */
static double time_packets(const struct frame *frame, int program, uint32_t repeat, uint32_t action)
{
	double start;

	run_packets(frame, program, repeat / WARM_UP, action);
	start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	run_packets(frame, program, repeat, action);
	return (clock_ns(CLOCK_THREAD_CPUTIME_ID) - start) / repeat;
}

static void put_under_test(const struct bout *bout, int program)
{
	uint32_t first = 0;
	int error = bpf_map_update_elem(bpf_map__fd(bout->driver->maps.under_test), &first,
					&program, BPF_ANY);

	if (error)
		bench_fail("the driver cannot call the program: %s", strerror(-error));
}

/* What driver.bpf.c keeps of the frame to put it back. */
static void prepare_driver(struct bout *bout)
{
	const struct frame *frame = &bout->frame;
	struct driver_bpf *driver = driver_bpf__open();
	const uint8_t *ip = frame->bytes + frame->network;

	if (!driver)
		bench_fail("cannot open the driver: %s", strerror(errno));
	memcpy((void *)&driver->rodata->mac_low, frame->bytes, 8);
	memcpy((void *)&driver->rodata->mac_high, frame->bytes + 8, 4);
	if (frame->family == 4)
		memcpy((void *)&driver->rodata->header, ip + 8, 4);
	else
		memcpy((void *)&driver->rodata->header, ip, 8);
	driver->rodata->frame_bytes = frame->size;
	driver->rodata->network = frame->network;
	driver->rodata->family = frame->family;
	driver->rodata->client_mask = bout->c->clients - 1;
	if (driver_bpf__load(driver) < 0)
		bench_fail("cannot load the driver: %s", strerror(errno));
	bout->driver = driver;
}

static void measure_round(const struct edge *edge, struct bout *bout, uint32_t round,
			  uint32_t repeat)
{
	int empty = bpf_program__fd(bout->driver->progs.empty);
	int driver = bpf_program__fd(bout->driver->progs.driver);
	uint32_t verdict = bout->c->verdict;
	uint64_t packets;
	double steer;

	bout->empty[round] = time_packets(&bout->frame, empty, repeat, XDP_TX);
	put_under_test(bout, empty);
	bout->driven[round] = time_packets(&bout->frame, driver, repeat, XDP_TX);
	put_under_test(bout, edge->program_fd);
	packets = edge_count(edge, verdict);
	steer = time_packets(&bout->frame, driver, repeat, action_of(verdict));
	packets = edge_count(edge, verdict) - packets;
	if (packets != (uint64_t)repeat + repeat / WARM_UP)
		bench_fail("%s: %llu of %llu packets were counted under the expected verdict",
			   bout->c->name, (unsigned long long)packets,
			   (unsigned long long)repeat + repeat / WARM_UP);
	bout->over[round] = steer - bout->driven[round];
}

bool case_is_wanted(const struct bench_case *c, const struct settings *settings)
{
	return !settings->only || strstr(c->name, settings->only);
}

size_t measure_group(const struct edge *edge, const struct bench_group *group,
		     const struct settings *settings, struct result *ret_results)
{
	static struct bout bouts[CASES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < group->n_cases && n < CASES_MAX; i++) {
		if (!case_is_wanted(&group->cases[i], settings))
			continue;
		bouts[n].c = &group->cases[i];
		frame_build(bouts[n].c, &bouts[n].frame);
		prepare_driver(&bouts[n++]);
	}
	for (uint32_t round = 0; round < settings->rounds; round++)
		for (size_t i = 0; i < n; i++)
			measure_round(edge, &bouts[i], round, settings->repeat);
	for (size_t i = 0; i < n; i++) {
		ret_results[i] = (struct result){
			.group = group,
			.c = bouts[i].c,
			.empty = figure_of(bouts[i].empty, settings->rounds),
			.driver = figure_of(bouts[i].driven, settings->rounds),
			.over = figure_of(bouts[i].over, settings->rounds),
		};
		driver_bpf__destroy(bouts[i].driver);
	}
	return n;
}

void measure_clang(char *text, size_t size)
{
	struct driver_bpf *driver = driver_bpf__open();

	if (!driver)
		bench_fail("cannot open the driver: %s", strerror(errno));
	(void)snprintf(text, size, "%s", driver->rodata->clang);
	driver_bpf__destroy(driver);
}
