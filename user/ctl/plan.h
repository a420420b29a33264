/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a change moves: the compiled tables of a service before and after, compared by slot.
 */
#ifndef STEER_CTL_PLAN_H
#define STEER_CTL_PLAN_H

#include "core/policy.h"
#include "core/table.h"

struct plan_moves {
	uint32_t forward; /* slots away from the release's base pool, or into a requested pool */
	uint32_t back;	  /* slots the other way */
	uint32_t within;  /* slots between backends of the same pool */
};

/*
 * plan_compare - count the slots that go elsewhere.
 *
 * The home pool is the active pool of @after's base, or of @before where there is none. A slot
 * that leaves it goes forward and one that enters it goes back; between two other pools, growth
 * of the receiving pool decides. Errors: -ENOMEM.
 */
int plan_compare(const struct service *before, const struct service *after,
		 struct plan_moves *ret_moves);

/* Slots per backend of @pool in @table; @ret_slots is pool->n_backends long. */
void plan_backend_slots(const struct steer_table *table, const struct pool *pool,
			uint32_t *ret_slots);

#endif
