// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * steer-bench: what a packet costs, and a few facts of size. `make bench`, or
 * build/steer-bench [--json] [--rounds N] [--repeat N] [--case TEXT].
 *
 * BPF_PROG_TEST_RUN repeats a program on one buffer and does not put the packet back, so that a
 * forwarder would be timed on what it made of the packet. Hence a driver (driver.bpf.c) is
 * repeated: it restores the packet, writes the source address of one of N clients, and
 * tail-calls the program under test. Per case and round, on one CPU, in thread CPU time:
 *
 *   E  the empty program alone          over empty = T - W      the sturdy figure
 *   W  driver, then the empty program   ns/packet  = T - W + E
 *   T  driver, then steer
 *
 * The three follow each other at once, so that the machine's moods cancel in the difference;
 * figures are medians over the rounds. After each T the counter of the expected verdict must
 * have moved by the number of packets run, or there are no figures at all. The same holds of
 * the flow table's counters in a transition: touched.c.
 *
 * What they are not: there is no NIC, no driver ring, no DMA and no redirect behind them; the
 * one packet is in the first-level cache, and so is steer's code, with nothing else running.
 * Only what differs by client (table, records, counters) is missed as often as in earnest. A
 * figure here is comparable with another one of the same machine, not with a line rate.
 */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "bench/rig.h"
#include "bench/touched.h"

#define RESULTS_MAX 64
#define REPEAT_MIN  1000000

static struct edge edge;
static bool is_up;

void bench_fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)fputs("steer-bench: ", stderr);
	(void)vfprintf(stderr, format, arguments);
	(void)fputc('\n', stderr);
	va_end(arguments);
	exit(EXIT_FAILURE);
}

static void take_down(void)
{
	if (is_up) {
		is_up = false;
		edge_down(&edge);
	}
}

static volatile sig_atomic_t is_interrupted;

static void on_signal(int number)
{
	(void)number;
	is_interrupted = 1;
}

void bench_check_signals(void)
{
	if (is_interrupted)
		bench_fail("interrupted");
}

static void catch_signals(void)
{
	const struct sigaction action = {.sa_handler = on_signal};

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)atexit(take_down);
}

/* The last CPU: the first one gets the interrupts. */
static void stay_on_one_cpu(cpu_set_t *ret_before)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	if (sched_getaffinity(0, sizeof(*ret_before), ret_before) < 0)
		bench_fail("cannot read the CPU set: %s", strerror(errno));
	for (int cpu = CPU_SETSIZE - 1; cpu >= 0 && !CPU_COUNT(&one); cpu--)
		if (CPU_ISSET(cpu, ret_before))
			CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one) < 0)
		bench_fail("cannot stay on one CPU: %s", strerror(errno));
}

static uint32_t number_of(const char *option, const char *text, uint32_t min, uint32_t max)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || value < min || value > max)
		bench_fail("%s '%s' is not a number from %u to %u", option, text, min, max);
	return (uint32_t)value;
}

static struct settings read_options(int argc, char **argv)
{
	static const struct option options[] = {
		{"rounds", required_argument, NULL, 'r'},
		{"repeat", required_argument, NULL, 'n'},
		{"case", required_argument, NULL, 'c'},
		{"json", no_argument, NULL, 'j'},
		{NULL, 0, NULL, 0},
	};
	struct settings settings = {.rounds = 9, .repeat = 1048576};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 'r')
			settings.rounds = number_of("--rounds", optarg, 1, ROUNDS_MAX);
		else if (option == 'n')
			settings.repeat = number_of("--repeat", optarg, REPEAT_MIN, 1u << 30);
		else if (option == 'c')
			settings.only = optarg;
		else if (option == 'j')
			settings.json = true;
		else
			exit(2);
	}
	if (optind < argc)
		bench_fail("unexpected argument '%s'", argv[optind]);
	return settings;
}

static bool group_is_wanted(const struct bench_group *group, const struct settings *settings)
{
	for (size_t i = 0; i < group->n_cases; i++)
		if (case_is_wanted(&group->cases[i], settings))
			return true;
	return false;
}

/*
 * Facts of maps belong to a generation without history: the first group, before any commit. A
 * transition leaves the program as it is.
 */
static size_t run_group(size_t number, const struct settings *settings, struct result *ret_results,
			struct facts *facts)
{
	const struct bench_group *group = &bench_groups[number];
	auto_free char *config = bench_config(group);
	cpu_set_t before;
	struct rig rig;
	size_t n;

	edge_up(&edge, config);
	is_up = true;
	if (group->transition == TRANSITION_NONE)
		facts->program[facts->n_programs++] = facts_of_program(&edge, group->name);
	if (number == 0)
		facts_of_maps(&edge, facts);
	touched_begin(&edge, group->transition);
	rig_up(&edge, &rig);
	stay_on_one_cpu(&before);
	n = measure_group(&rig, group, settings, ret_results);
	(void)sched_setaffinity(0, sizeof(before), &before);
	if (number + 1 == bench_n_groups && !settings->only) {
		facts_of_transition(&rig, group, &facts->transition);
		facts->transition.bytes = facts_flow_bytes(&edge);
	}
	rig_down(&rig);
	if (number == 0 && !settings->only) {
		facts->load_ms = facts_load_ms(&edge);
		facts->commit_ms = facts_commit_ms(&edge);
	}
	take_down();
	return n;
}

int main(int argc, char **argv)
{
	static struct result results[RESULTS_MAX];
	struct settings settings = read_options(argc, argv);
	struct facts facts = {0};
	struct report report = {.settings = &settings, .results = results};

	catch_signals();
	for (size_t i = 0; i < bench_n_groups; i++)
		if (group_is_wanted(&bench_groups[i], &settings))
			report.n_results +=
				run_group(i, &settings, results + report.n_results, &facts);
	if (report.n_results == 0)
		bench_fail("no case has '%s' in its name", settings.only);
	if (!settings.only)
		report.facts = &facts;
	report_machine(&report);
	if (settings.json)
		report_json(&report);
	else
		report_table(&report);
	return EXIT_SUCCESS;
}
