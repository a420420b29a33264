/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What must become of a packet: action, every byte of it, the counter that moves by one packet
 * and its bytes, and no other counter. All functions assert and name the packet by @what.
 */
#ifndef STEER_TESTS_EXPECT_H
#define STEER_TESTS_EXPECT_H

#include "harness/edge.h"
#include "harness/packet.h"

/* The frame leaves by edge0 for the backend: new MAC addresses, one hop less, nothing else. */
void expect_forwarded(const struct edge *edge, const struct frame *frame, uint32_t backend,
		      const char *what);

/* The same with the action XDP_REDIRECT: the backend is on another interface. */
void expect_redirected(const struct edge *edge, const struct frame *frame, uint32_t backend,
		       const char *what);

/* The frame gets @verdict and its action, and not a byte of it changes. */
void expect_untouched(const struct edge *edge, const struct frame *frame, uint32_t verdict,
		      const char *what);

/* expect_untouched() of the described packet, expect_forwarded() of it. */
void expect_packet_untouched(const struct edge *edge, const struct packet *packet, uint32_t verdict,
			     const char *what);
void expect_packet_forwarded(const struct edge *edge, const struct packet *packet, uint32_t backend,
			     const char *what);

/*
 * Any verdict, but exactly one: one counter moves by one packet, the action is the verdict's,
 * and what changed is what forwarding changes. @before is the state of all counters, made that
 * of after. Returns the verdict.
 */
uint32_t expect_one_verdict(const struct edge *edge, const struct frame *frame,
			    struct counts *before, const char *what);

#endif
