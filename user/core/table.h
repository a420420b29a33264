/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Policy -> tables: slot -> pool by cohort rank, then pool -> backend by the pool's own table.
 *
 * Colours first: what happens among the backends of a pool moves no client to another pool.
 */
#ifndef STEER_CORE_TABLE_H
#define STEER_CORE_TABLE_H

#include "core/policy.h"
#include "steer/abi.h"

/*
 * pool_table - share all slots among the backends of @pool by weight.
 *
 * Two steps, both pure: a weighted Maglev fill over all configured backends, each to its exact
 * quota of slots; then every slot of a backend that is not eligible (not ready) follows a fixed
 * chain of other slots of the same fill until it meets one of an eligible backend. So a failure
 * moves only the failed backend's slots, and they come back when it does.
 *
 * @ret_index  slot -> index into pool->backends, or 0xffff where no backend is eligible
 * Errors: -ENOMEM.
 * Source of the fill: Eisenbud et al., "Maglev", NSDI 2016, section 3.4.
 */
int pool_table(const struct pool *pool, uint16_t ret_index[static STEER_SLOTS]);

/* Is there a backend in @pool that new clients may meet? */
bool pool_has_eligible(const struct pool *pool);

/* Compile the table of one service: slot -> backend id. Errors: -ENOMEM. */
int table_compile(const struct service *service, struct steer_table *ret_table);

/*
 * max/mean over the backends of @pool of the slots they own, weights considered (slots per
 * weight); 0 when the pool owns none. @slots counts per backend, pool->n_backends long.
 */
double table_imbalance(const struct pool *pool, const uint32_t *slots);

#endif
