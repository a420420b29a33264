// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The figures for people and for programs. */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include <jansson.h>

#include "base/own.h"
#include "bench/bench.h"

#define MAP_BYTES_TARGET   500000 /* one service with one generation */
#define FLOW_BYTES_TARGET  20
#define TICK_US_TARGET	   200
#define ROLLBACK_MS_TARGET 100

static double per_packet(const struct result *r)
{
	return r->over.median + r->empty.median;
}

void report_machine(struct report *report)
{
	auto_fclose FILE *file = fopen("/proc/cpuinfo", "r");
	struct utsname name;
	char line[256];

	(void)snprintf(report->cpu, sizeof(report->cpu), "unknown CPU");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "model name : %127[^\n]", report->cpu) == 1)
			break;
	if (uname(&name) == 0)
		(void)snprintf(report->kernel, sizeof(report->kernel), "%s %s", name.sysname,
			       name.release);
	measure_clang(report->clang, sizeof(report->clang));
	report->clang[strcspn(report->clang, " ")] = '\0';
}

static void print_result(const struct result *r)
{
	char spread[32], target[16] = "", missed = ' ';

	(void)snprintf(spread, sizeof(spread), "[%.0f-%.0f]", r->over.min, r->over.max);
	if (r->c->target_ns > 0)
		(void)snprintf(target, sizeof(target), "<= %.0f", r->c->target_ns);
	if (r->c->target_ns > 0 && r->over.median > r->c->target_ns)
		missed = '!';
	(void)printf("%-40s %9.1f %10.1f %-11s %6s%c  %s\n", r->c->name, per_packet(r),
		     r->over.median, spread, target, missed, r->c->peers ?: "");
}

static void print_programs(const struct facts *facts)
{
	(void)printf("\n%-40s %12s %12s %12s\n", "program for frontends of", "instructions",
		     "JIT bytes", "verified");
	for (size_t i = 0; i < facts->n_programs; i++)
		(void)printf("%-40s %12u %12u %12u\n", facts->program[i].group,
			     facts->program[i].instructions, facts->program[i].machine_bytes,
			     facts->program[i].verified);
}

static void print_figure(const char *what, struct figure figure, const char *unit, double target)
{
	(void)printf("%-50s %9.1f %s [%.1f-%.1f]", what, figure.median, unit, figure.min,
		     figure.max);
	if (target > 0)
		(void)printf(" <= %.0f%s", target, figure.median > target ? " !" : "");
	(void)putchar('\n');
}

static void print_transition(const struct transition_facts *facts)
{
	double full = (double)facts->bytes / (double)facts->capacity;
	double usable = (double)facts->bytes / (double)facts->filled;

	print_figure("timer tick, table full", facts->tick_us, "us", TICK_US_TARGET);
	print_figure("timer tick, all that it sweeps expires", facts->tick_expiring_us, "us",
		     TICK_US_TARGET);
	print_figure("steerctl rollback, 131,072 open flows", facts->rollback_ms, "ms",
		     ROLLBACK_MS_TARGET);
	print_figure("steerctl set canary, 131,072 open flows", facts->commit_ms, "ms", 0);
	(void)printf("%-50s %9.1f bytes <= %d%s  Katran 121, xvs 185\n", "flow table, per flow",
		     full, FLOW_BYTES_TARGET, full > FLOW_BYTES_TARGET ? " !" : "");
	(void)printf("%-50s %9.1f bytes <= %d%s\n", "the same when 1 newborn in 100 has no room",
		     usable, FLOW_BYTES_TARGET, usable > FLOW_BYTES_TARGET ? " !" : "");
}

static void print_facts(const struct facts *facts)
{
	print_programs(facts);
	(void)putchar('\n');
	print_figure("open, load and pin the program", facts->load_ms, "ms", 0);
	print_figure("steerctl set canary 5%, whole process", facts->commit_ms, "ms", 0);
	print_transition(&facts->transition);
	(void)printf("%-50s %9.1f kB <= %d%s\n", "maps of one service, one generation",
		     (double)facts->map_bytes / 1000, MAP_BYTES_TARGET / 1000,
		     facts->map_bytes > MAP_BYTES_TARGET ? " !" : "");
	(void)printf("%-50s %9.1f kB\n", "flow table", (double)facts->flow_bytes / 1000);
}

void report_table(const struct report *report)
{
	const struct bench_group *group = NULL;

	(void)printf("%-40s %9s %10s %-11s %7s  %s\n", "case", "ns/packet", "over empty",
		     "[min-max]", "target", "peers, over empty");
	for (size_t i = 0; i < report->n_results; i++) {
		if (report->results[i].group != group)
			(void)printf("-- frontends: %s\n", report->results[i].group->name);
		group = report->results[i].group;
		print_result(&report->results[i]);
	}
	if (report->facts)
		print_facts(report->facts);
	(void)printf("\n%s; %s; clang %s; %u rounds of %u packets\n", report->cpu, report->kernel,
		     report->clang, report->settings->rounds, report->settings->repeat);
}

static json_t *json_figure(struct figure figure)
{
	return json_pack("{s:f, s:f, s:f}", "median", figure.median, "min", figure.min, "max",
			 figure.max);
}

static json_t *json_result(const struct result *r)
{
	json_t *target = r->c->target_ns > 0 ? json_real(r->c->target_ns) : json_null();

	return json_pack("{s:s, s:s, s:i, s:f, s:o, s:o, s:o, s:o, s:s?}", "case", r->c->name,
			 "frontends", r->group->name, "clients", (int)r->c->clients,
			 "ns_per_packet", per_packet(r), "over_empty_ns", json_figure(r->over),
			 "empty_ns", json_figure(r->empty), "driver_ns", json_figure(r->driver),
			 "target_ns", target, "peers", r->c->peers);
}

static json_t *json_target(struct figure figure, double target)
{
	json_t *json = json_figure(figure);

	(void)json_object_set_new(json, "target", json_real(target));
	return json;
}

static json_t *json_transition(const struct transition_facts *facts)
{
	return json_pack("{s:o, s:o, s:i, s:o, s:o, s:I, s:I, s:I, s:i, s:s}", "tick_us",
			 json_target(facts->tick_us, TICK_US_TARGET), "tick_expiring_us",
			 json_target(facts->tick_expiring_us, TICK_US_TARGET), "open_flows",
			 (int)facts->open, "rollback_ms",
			 json_target(facts->rollback_ms, ROLLBACK_MS_TARGET), "set_canary_ms",
			 json_figure(facts->commit_ms), "flow_table_bytes",
			 (json_int_t)facts->bytes, "flow_capacity", (json_int_t)facts->capacity,
			 "flows_at_1_refused_in_100", (json_int_t)facts->filled,
			 "bytes_per_flow_target", FLOW_BYTES_TARGET, "bytes_per_flow_peers",
			 "Katran 121, xvs 185");
}

static json_t *json_facts(const struct facts *facts)
{
	json_t *programs = json_array();

	for (size_t i = 0; i < facts->n_programs; i++) {
		const struct program_facts *program = &facts->program[i];

		(void)json_array_append_new(
			programs,
			json_pack("{s:s, s:i, s:i, s:i}", "frontends", program->group,
				  "instructions", (int)program->instructions, "jit_bytes",
				  (int)program->machine_bytes, "verified", (int)program->verified));
	}
	return json_pack("{s:o, s:o, s:o, s:I, s:I, s:o}", "programs", programs, "load_ms",
			 json_figure(facts->load_ms), "set_canary_ms",
			 json_figure(facts->commit_ms), "map_bytes", (json_int_t)facts->map_bytes,
			 "flow_table_bytes", (json_int_t)facts->flow_bytes, "transition",
			 json_transition(&facts->transition));
}

void report_json(const struct report *report)
{
	json_t *cases = json_array();
	json_t *root;

	for (size_t i = 0; i < report->n_results; i++)
		(void)json_array_append_new(cases, json_result(&report->results[i]));
	root = json_pack("{s:s, s:{s:s, s:s, s:s}, s:i, s:i, s:o, s:o}", "schema", "steer-bench/1",
			 "machine", "cpu", report->cpu, "kernel", report->kernel, "clang",
			 report->clang, "rounds", (int)report->settings->rounds, "repeat",
			 (int)report->settings->repeat, "cases", cases, "facts",
			 report->facts ? json_facts(report->facts) : json_null());
	if (!root || json_dumpf(root, stdout, JSON_INDENT(2)) < 0)
		bench_fail("cannot write the report");
	(void)putchar('\n');
	json_decref(root);
}
