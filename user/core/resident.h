/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel still holds: which banks and objects are in use, and which numbers are free.
 *
 * The live bank, its prepared ways on and the newest RESIDENT_GENERATIONS that were live stay.
 * A number is taken again at the earliest when as many generations have been live since, each
 * installed with a grace period, so that no packet on its way can still mean the old thing.
 */
#ifndef STEER_CORE_RESIDENT_H
#define STEER_CORE_RESIDENT_H

#include "core/dataplane.h"

#define RESIDENT_GENERATIONS 8
#define RESIDENT_NUMBERS     STEER_TABLE_OBJECTS /* the largest number space of all kinds */

struct resident {
	bool bank[STEER_BANKS];
	bool object[OBJECT_KIND_COUNT][RESIDENT_NUMBERS];
	uint64_t newest; /* generation */
};

/* Find what is in use; retire old banks and unpin what only they referred to. */
int resident_survey(struct dataplane *dp, struct resident *ret_resident, struct diag *why);

/* A free number, now taken; 0 when there is none. */
uint32_t resident_take_bank(struct resident *resident);
uint32_t resident_take(struct resident *resident, enum object_kind kind);

/* Numbers of @kind are below this. */
uint32_t resident_limit(enum object_kind kind);

#endif
