/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the next step of a release would do to one client: asked by "explain". */
#ifndef STEER_CORE_NEXT_STEP_H
#define STEER_CORE_NEXT_STEP_H

#include "core/policy.h"

/*
 * next_step_share - least share of @pool that has the client of @slot in it.
 *
 * Above the present share: where the client would join, all other shares but the active pool's
 * staying as they are. Up to it: the client is in @pool and leaves below. A share that begins a
 * release draws a cohort seed; the answer is about the ranks of that one.
 *
 * @key       of the instance, as for service_set()
 * @ret_slots 1 .. STEER_SLOTS; 0 = no share of @pool does, or @pool is the active one
 * Errors: -ENOMEM.
 */
int next_step_share(const struct service *service, const struct pool *pool, uint32_t slot,
		    const uint64_t key[2], uint32_t *ret_slots);

#endif
