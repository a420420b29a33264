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

struct edge {
	struct steerer_place place;
	char folder[64]; /* everything on disk */
	char instance[64];
	int program_fd;
};

struct sent {
	uint32_t action; /* XDP_* */
	size_t size;
	uint8_t bytes[2048];
};

/* The calling process moves into the namespace for good. Asserts on failure. */
void edge_up(struct edge *edge, const char *config);
void edge_down(struct edge *edge);

/* Run one frame through the program, as if it came by the edge's interface. */
void edge_send(const struct edge *edge, const void *frame, size_t size, struct sent *ret_sent);

/* Packets counted under @verdict so far. */
uint64_t edge_count(const struct edge *edge, uint32_t verdict);

#endif
