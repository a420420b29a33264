/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An edge host of its own: a network namespace with one veth, a steerer brought up on it from a
 * configuration text, and packets run through its program with BPF_PROG_TEST_RUN.
 */
#ifndef STEER_TESTS_EDGE_H
#define STEER_TESTS_EDGE_H

#include <stddef.h>
#include <stdint.h>

#include "core/steerer.h"
#include "steer/abi.h"

/* Backend ids whose counters edge_counts() reads: those of the first 31 backends. */
#define EDGE_BACKENDS 32

struct edge {
	struct steerer_place place;
	char folder[64]; /* everything on disk */
	char instance[64];
	int program_fd;
	uint32_t ifindex;	/* of edge0 */
	struct steerer *reader; /* for counters; opened at edge_up(), never sees a later policy */
};

struct sent {
	uint32_t action; /* XDP_* */
	size_t size;
	uint8_t bytes[2048];
};

/* All counters but FORWARDED, which is the sum of the backends. */
struct counts {
	struct counter verdict[STEER_VERDICT_COUNT];
	struct counter backend[EDGE_BACKENDS]; /* by id */
};

/*
 * edge0 carries 10.0.0.1/24 and 2001:db8:10::1/64, edge1 10.0.1.1/24.
 * The calling process moves into the namespace for good. Asserts on failure. */
void edge_up(struct edge *edge, const char *config);
void edge_down(struct edge *edge);

/* Run one frame through the program, as if it came by the edge's interface. */
void edge_send(const struct edge *edge, const void *frame, size_t size, struct sent *ret_sent);

/* Packets counted under @verdict so far. */
uint64_t edge_count(const struct edge *edge, uint32_t verdict);
void edge_counts(const struct edge *edge, struct counts *ret_counts);

/* A writer or reader of its own; the caller closes it. Asserts on failure. */
struct steerer *edge_open(const struct edge *edge, enum steerer_mode mode);

/* Commit @next, which stays the caller's. Asserts on failure. */
void edge_commit(struct steerer *steerer, struct policy *next);

/* The record of a backend id in the live generation, and a way to put another in its place. */
void edge_record(const struct edge *edge, uint32_t id, struct steer_record *ret_record);
void edge_set_record(const struct edge *edge, uint32_t id, const struct steer_record *record);

/* The live table of a service, as the kernel has it. */
void edge_table(const struct edge *edge, uint32_t service, struct steer_table *ret_table);

/* Id of a backend by its name, which is unique in the test's configuration. */
uint32_t edge_backend(const struct edge *edge, const char *name);

/* The pin directory of the instance, for dataplane_open(). */
void edge_pins(const struct edge *edge, char path[static 192]);

#endif
