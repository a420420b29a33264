/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whom a packet of a flow must reach, written a second time from the rules of transitions.
 *
 * What is recorded of a flow is known only by where its packets went, and the rules leave some
 * freedom (when an expired record is swept, what a repeated SYN makes of a young record). So the
 * model keeps everything that may be recorded, and what is observed narrows it down. A packet
 * that reaches a backend which no possibility allows breaks the rules.
 */
#ifndef STEER_TESTS_FLOW_MODEL_H
#define STEER_TESTS_FLOW_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FLOW_MODEL_MOST 32 /* possibilities */

enum flow_packet {
	FLOW_PACKET_SYN,   /* without ACK */
	FLOW_PACKET_END,   /* FIN or RST */
	FLOW_PACKET_OTHER, /* anything else, SYN with ACK included */
	FLOW_PACKET_COUNT,
};

enum flow_phase { FLOW_NONE, FLOW_YOUNG, FLOW_KNOWN, FLOW_ENDING, FLOW_RETURNING };

/* What may be recorded of a flow. */
struct flow_record {
	enum flow_phase phase;
	uint16_t backend;
	uint32_t stamp; /* epoch, of a known flow its age; not wrapped */
};

struct flow_model {
	struct flow_record may_be[FLOW_MODEL_MOST];
	size_t n;
};

struct flow_moment {
	uint32_t epoch, age;
	uint16_t now, origin; /* of the flow's slot; origin 0 = not touched */
};

/* Nothing is recorded. */
void flow_model_reset(struct flow_model *flow);

/* @packet was sent and reached @backend. False: the rules forbid that; @flow is then as it was. */
bool flow_model_observe(struct flow_model *flow, enum flow_packet packet,
			const struct flow_moment *moment, uint16_t backend);

#endif
