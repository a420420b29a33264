/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The transitions of a bank as it is kept in the kernel: origins in the table that the packet
 * path reads, times in an object that only user space reads.
 */
#ifndef STEER_CORE_TOUCHED_H
#define STEER_CORE_TOUCHED_H

#include "core/dataplane.h"
#include "core/transition.h"

/* What OBJECT_TIMES keeps of one service. */
struct times {
	uint32_t service;
	uint32_t pad;
	uint64_t until_ms;
	uint64_t class_ms[TRANSITION_CLASSES];
	uint8_t class[STEER_SLOTS];
};

/* Milliseconds of CLOCK_BOOTTIME, which the timer goes by. */
uint64_t touched_now_ms(void);

/*
 * Transition of @service in @bank (pinned as @number), settled when it has no origins.
 * Errors: -EPROTO the objects do not fit.
 */
int touched_read(const struct dataplane *dp, const struct steer_bank *bank, uint32_t number,
		 uint32_t service, struct transition *ret_transition, struct diag *why);

/* The two halves of a transition, to be written. */
void touched_split(const struct transition *transition, uint32_t service,
		   struct steer_table *ret_origins, struct times *ret_times);

#endif
