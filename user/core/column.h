/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One service in all banks of an installation: its tables of now and its transitions, written as
 * objects, so that only one service's tables are in memory at a time. banks.c includes it.
 */
#ifndef STEER_CORE_COLUMN_H
#define STEER_CORE_COLUMN_H

#include "core/banks.h"

struct column {
	size_t index;	  /* of the service */
	size_t was_index; /* in the running policy; STEER_SERVICES = it is new */
	uint64_t now_ms;
	uint64_t hold_ms;
	struct steer_table now, next; /* of the bank that is left and of the one entered */
	struct transition from, to;
	struct transition live, finished; /* the live bank's */
};

/* Fill the service's place in build->planned[]. */
int column_put(struct build *build, struct column *column, const struct ways *ways,
	       const struct install *install);

#endif
