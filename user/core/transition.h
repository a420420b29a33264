/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The time after a commit in which open connections finish where they were.
 *
 * Pure: which slots of one service are touched, whom their unrecorded flows belong to (the
 * origin: the backend from before the oldest open change), and until when. The packet path reads
 * the origins as a table; the times are for user space and the timer.
 *
 * A slot that is touched keeps its origin until its first deadline, whatever happens to its now;
 * then the origin becomes what now is. It stays touched until the whole service is settled: when
 * the last origin has met its deadline and the newest flow born to a former now has had its.
 */
#ifndef STEER_CORE_TRANSITION_H
#define STEER_CORE_TRANSITION_H

#include <stdbool.h>
#include <stdint.h>

#include "steer/abi.h"

#define TRANSITION_CLASSES 64
#define TRANSITION_NEVER   UINT64_MAX /* deadline: none */

/* One service. All zero: settled. Times are milliseconds of CLOCK_BOOTTIME. */
struct transition {
	uint32_t era;			       /* counts the service's transitions */
	uint32_t touched;		       /* slots with an origin; 0 = settled */
	uint64_t until_ms;		       /* settled then */
	uint64_t class_ms[TRANSITION_CLASSES]; /* deadline; class 0: the origin is final */
	uint8_t class[STEER_SLOTS];   /* of a touched slot whose origin may differ from now */
	uint16_t origin[STEER_SLOTS]; /* backend id; 0 = untouched */
};

/*
 * transition_step - what a commit at @now_ms makes of @running.
 *
 * @was, @next  the service's tables of now before and after (backend ids)
 * @hold_ms     the service's drain deadline; TRANSITION_NEVER; 0 = cut: the slots that change now
 *              move at once, and origins that were pending stay
 * Deadlines that have passed are carried out first (origin := @was). A deadline beyond
 * TRANSITION_CLASSES different ones joins the next later one, so nobody is cut early.
 */
void transition_step(const struct transition *running, const uint16_t was[static STEER_SLOTS],
		     const uint16_t next[static STEER_SLOTS], uint64_t now_ms, uint64_t hold_ms,
		     struct transition *ret_next);

/* No deadline, and not the end, before @until_ms: for a bank that is selected later than built. */
void transition_extend(struct transition *transition, uint64_t until_ms);

/*
 * transition_finish_origins - all origins become @now, slots stay touched for the records.
 * The bank that the timer selects when the last deadline has come and records live on.
 */
void transition_finish_origins(struct transition *transition,
			       const uint16_t now[static STEER_SLOTS]);

/* When the last pending origin has met its deadline; 0 = none is pending. */
uint64_t transition_origins_until(const struct transition *transition);

/* Take @backend (maint: nobody) out of all origins: its slots' unrecorded flows follow @now. */
void transition_forget(struct transition *transition, uint16_t backend,
		       const uint16_t now[static STEER_SLOTS]);

#endif
