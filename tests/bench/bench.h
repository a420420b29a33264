/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the parts of steer-bench share: the cases, their measurement, facts, and the report.
 */
#ifndef STEER_TESTS_BENCH_H
#define STEER_TESTS_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/edge.h"

#define FRAME_BYTES 96
#define ROUNDS_MAX  101

/* What the flow table is to a packet. */
enum flow_role {
	FLOW_NONE,	 /* nothing: no transition is open, or none where the packet's slot is */
	FLOW_RECORDED,	 /* it has a record */
	FLOW_BIRTH,	 /* it gets one: each packet is of a flow of its own */
	FLOW_UNRECORDED, /* it has none, and goes to its slot's origin */
	FLOW_FULL,	 /* it would get one, and there is no room */
};

/* One packet, who sends it, and what is expected of it. */
struct bench_case {
	const char *name;
	const char *peers; /* the same case of others, nanoseconds over empty; may be NULL */
	double target_ns;  /* over empty: the best of them; 0 = none */
	const char *to;	   /* destination address; its family is the packet's; NULL = ARP */
	uint32_t port;	   /* destination */
	uint32_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	uint32_t clients;  /* a power of two */
	uint32_t verdict;  /* STEER_VERDICT_* of every packet */
	enum flow_role flow;
	bool is_syn;	    /* else ACK */
	bool is_tagged;	    /* one VLAN tag */
	bool is_redirected; /* the backend is on another interface than the packet came by */
};

enum transition {
	TRANSITION_NONE,
	TRANSITION_FEW, /* of 7 slots in 65,536 */
	TRANSITION_ALL, /* of every slot */
};

/* A configuration and what is measured under it. */
struct bench_group {
	const char *name;
	const char *frontends; /* YAML list */
	enum transition transition;
	uint32_t flows; /* limits.flows */
	const struct bench_case *cases;
	size_t n_cases;
};

extern const struct bench_group bench_groups[];
extern const size_t bench_n_groups;

struct frame {
	uint8_t bytes[FRAME_BYTES];
	uint32_t size;
	uint32_t network; /* offset of the network header */
	uint32_t family;  /* 4, 6, or 0 for neither */
};

void frame_build(const struct bench_case *c, struct frame *ret_frame);

/* One service with 100 backends; to be freed. */
char *bench_config(const struct bench_group *group);

/* Sorted by figure_of(). */
struct figure {
	double median, min, max;
};

struct figure figure_of(double *values, size_t n);

/* Nanoseconds per packet. */
struct result {
	const struct bench_group *group;
	const struct bench_case *c;
	struct figure empty;  /* the empty program alone: E */
	struct figure driver; /* driver and empty program: W */
	struct figure over;   /* T - W of each round */
};

struct settings {
	uint32_t rounds;
	uint32_t repeat;
	const char *only; /* cases whose name contains it; NULL = all */
	bool json;
};

struct rig;

/* Measure the group's cases; returns the number of results. */
size_t measure_group(const struct rig *rig, const struct bench_group *group,
		     const struct settings *settings, struct result *ret_results);
bool case_is_wanted(const struct bench_case *c, const struct settings *settings);

struct program_facts {
	const char *group;
	uint32_t instructions; /* after the verifier */
	uint32_t machine_bytes;
	uint32_t verified;
};

/* Of the last group. */
struct transition_facts {
	struct figure tick_us;		/* full table, nothing to do */
	struct figure tick_expiring_us; /* full table, every record has expired */
	uint64_t capacity;		/* flows, if every word were taken */
	uint64_t filled;		/* flows, when 1 newborn in 100 finds no room */
	uint64_t bytes;			/* of the table */
	uint32_t open;			/* flows, during the rollback */
	struct figure rollback_ms;
	struct figure commit_ms;
};

struct facts {
	struct program_facts program[8];
	size_t n_programs;
	struct figure load_ms;
	uint64_t map_bytes;  /* all maps of the instance but the flow table */
	uint64_t flow_bytes; /* flow table of the default size */
	struct figure commit_ms;
	struct transition_facts transition;
};

struct program_facts facts_of_program(const struct edge *edge, const char *group);
void facts_of_maps(const struct edge *edge, struct facts *facts);
uint64_t facts_flow_bytes(const struct edge *edge);
void facts_of_transition(const struct rig *rig, const struct bench_group *group,
			 struct transition_facts *ret_facts);
struct figure facts_load_ms(const struct edge *edge);
struct figure facts_commit_ms(const struct edge *edge);

/* Run steerctl on the edge; anything but exit code 0 ends the bench. */
void run_steerctl(const struct edge *edge, const char *const *arguments);

struct report {
	const struct settings *settings;
	const struct result *results;
	size_t n_results;
	const struct facts *facts; /* NULL when only some cases were asked for */
	char cpu[128], kernel[256], clang[128];
};

void report_machine(struct report *report);
void report_table(const struct report *report);
void report_json(const struct report *report);

/* Compiler of the driver, which is that of the program. */
void measure_clang(char *text, size_t size);

double clock_ns(int clock);

/* Say why there are no figures and exit; what is up is taken down. */
void __attribute__((noreturn, format(printf, 1, 2))) bench_fail(const char *format, ...);

/* The same after SIGINT or SIGTERM. */
void bench_check_signals(void);

#endif
