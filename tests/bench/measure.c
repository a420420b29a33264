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
#include <linux/if_link.h>

#include "bench/bench.h"
#include "steer/abi.h"
#include "tests/bench/driver.skel.h"

#define CASES_MAX 32

/*
 * E, W and T take turns this often within a round. The speed of a virtual machine's CPU changes
 * by a half from one second to the next; a turn of a few milliseconds sees one speed.
 */
#define TURNS 8

/* A case made ready, and its figures so far. */
struct bout {
	const struct bench_case *c;
	struct frame frame;
	double empty[ROUNDS_MAX], driven[ROUNDS_MAX], over[ROUNDS_MAX];
};

/* Two drivers, for it takes the kernel a grace period to redirect a tail call. */
struct rig {
	const struct edge *edge;
	struct driver_bpf *to_empty;
	struct driver_bpf *to_steer;
	uint32_t ifindex; /* of the edge */
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

/*
 * Run the frame as if it came by the edge's interface, or by the loopback interface if it is to
 * be redirected. Returns nanoseconds of this thread's CPU time per packet.
 */
static double time_packets(const struct rig *rig, const struct bout *bout,
			   const struct bpf_program *program, uint32_t repeat, uint32_t action)
{
	const struct frame *frame = &bout->frame;
	struct xdp_md context = {.data_end = frame->size,
				 .ingress_ifindex = bout->c->is_redirected ? 0 : rig->ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame->bytes, .data_size_in = frame->size,
		    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = (int)repeat);
	double start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	int error = bpf_prog_test_run_opts(bpf_program__fd(program), &run);
	double spent = clock_ns(CLOCK_THREAD_CPUTIME_ID) - start;

	bench_check_signals(); /* or the run ended with EINTR */
	if (error)
		bench_fail("the kernel did not run the program: %s", strerror(-error));
	if (run.retval != action)
		bench_fail("XDP action %u instead of %u", run.retval, action);
	return spent / repeat;
}

static struct driver_bpf *open_driver(void)
{
	struct driver_bpf *driver = driver_bpf__open();

	if (!driver)
		bench_fail("cannot open the driver: %s", strerror(errno));
	return driver;
}

/* Load a driver that calls @program, or its own empty one if that is -1. */
static struct driver_bpf *load_driver(int program)
{
	struct driver_bpf *driver = open_driver();
	uint32_t first = 0;
	int error = driver_bpf__load(driver);

	if (error)
		bench_fail("cannot load the driver: %s", strerror(-error));
	if (program < 0)
		program = bpf_program__fd(driver->progs.empty);
	error = bpf_map__update_elem(driver->maps.under_test, &first, sizeof(first), &program,
				     sizeof(program), BPF_ANY);
	if (error)
		bench_fail("the driver cannot call the program: %s", strerror(-error));
	return driver;
}

/*
 * An attached program has its place in the kernel's XDP dispatcher, as steer has. For any other
 * one each test run makes a place and removes it again, and waits for a grace period both times.
 */
static void attach(const char *interface, const struct bpf_program *program)
{
	int error = bpf_xdp_attach((int)if_nametoindex(interface), bpf_program__fd(program),
				   XDP_FLAGS_DRV_MODE, NULL);

	if (error)
		bench_fail("cannot attach to %s: %s", interface, strerror(-error));
}

static void rig_up(const struct edge *edge, struct rig *ret_rig)
{
	*ret_rig = (struct rig){
		.edge = edge,
		.to_empty = load_driver(-1),
		.to_steer = load_driver(edge->program_fd),
		.ifindex = if_nametoindex("edge0"),
	};
	/* They stay down and go with the network namespace. */
	if (system("ip link add bench0 type veth peer name bench1 && "
		   "ip link add bench2 type veth peer name bench3") != 0)
		bench_fail("cannot make interfaces for the driver");
	attach("bench0", ret_rig->to_empty->progs.empty);
	attach("bench1", ret_rig->to_empty->progs.driver);
	attach("bench2", ret_rig->to_steer->progs.driver);
}

static void rig_down(const struct rig *rig)
{
	driver_bpf__destroy(rig->to_empty);
	driver_bpf__destroy(rig->to_steer);
}

/* Tell a driver what to put back. */
static void set_driver(const struct bout *bout, struct driver_bpf *driver)
{
	const struct frame *frame = &bout->frame;
	const uint8_t *ip = frame->bytes + frame->network;

	memcpy(&driver->bss->mac_low, frame->bytes, 8);
	memcpy(&driver->bss->mac_high, frame->bytes + 8, 4);
	driver->bss->header = 0;
	memcpy(&driver->bss->header, frame->family == 4 ? ip + 8 : ip + 7,
	       frame->family == 4 ? 4 : 1);
	driver->bss->frame_bytes = frame->size;
	driver->bss->network = frame->network;
	driver->bss->family = frame->family;
	driver->bss->client_mask = bout->c->clients - 1;
}

/* One turn each of E, W and T. */
static void take_turn(const struct rig *rig, const struct bout *bout, uint32_t repeat,
		      double *ret_empty, double *ret_driven, double *ret_over)
{
	uint32_t action = action_of(bout->c);
	double steer;

	*ret_empty = time_packets(rig, bout, rig->to_empty->progs.empty, repeat, XDP_TX);
	*ret_driven = time_packets(rig, bout, rig->to_empty->progs.driver, repeat, XDP_TX);
	steer = time_packets(rig, bout, rig->to_steer->progs.driver, repeat, action);
	*ret_over = steer - *ret_driven;
}

static void measure_round(const struct rig *rig, struct bout *bout, uint32_t round, uint32_t repeat)
{
	uint64_t expected = (uint64_t)(repeat / TURNS) * TURNS;
	uint64_t counted = edge_count(rig->edge, bout->c->verdict);
	double empty[TURNS], driven[TURNS], over[TURNS];

	set_driver(bout, rig->to_empty);
	set_driver(bout, rig->to_steer);
	for (int i = 0; i < TURNS; i++)
		take_turn(rig, bout, repeat / TURNS, &empty[i], &driven[i], &over[i]);
	counted = edge_count(rig->edge, bout->c->verdict) - counted;
	if (counted != expected)
		bench_fail("%s: %llu of %llu packets were counted under the expected verdict",
			   bout->c->name, (unsigned long long)counted,
			   (unsigned long long)expected);
	bout->empty[round] = figure_of(empty, TURNS).median;
	bout->driven[round] = figure_of(driven, TURNS).median;
	bout->over[round] = figure_of(over, TURNS).median;
}

bool case_is_wanted(const struct bench_case *c, const struct settings *settings)
{
	return !settings->only || strstr(c->name, settings->only);
}

size_t measure_group(const struct edge *edge, const struct bench_group *group,
		     const struct settings *settings, struct result *ret_results)
{
	static struct bout bouts[CASES_MAX];
	struct rig rig;
	size_t n = 0;

	rig_up(edge, &rig);
	for (size_t i = 0; i < group->n_cases && n < CASES_MAX; i++) {
		if (!case_is_wanted(&group->cases[i], settings))
			continue;
		bouts[n].c = &group->cases[i];
		frame_build(bouts[n].c, &bouts[n].frame);
		n++;
	}
	for (uint32_t round = 0; round < settings->rounds; round++)
		for (size_t i = 0; i < n; i++)
			measure_round(&rig, &bouts[i], round, settings->repeat);
	rig_down(&rig);
	for (size_t i = 0; i < n; i++) {
		ret_results[i] = (struct result){
			.group = group,
			.c = bouts[i].c,
			.empty = figure_of(bouts[i].empty, settings->rounds),
			.driver = figure_of(bouts[i].driven, settings->rounds),
			.over = figure_of(bouts[i].over, settings->rounds),
		};
	}
	return n;
}

void measure_clang(char *text, size_t size)
{
	struct driver_bpf *driver = open_driver();

	(void)snprintf(text, size, "%s", driver->rodata->clang);
	driver_bpf__destroy(driver);
}
