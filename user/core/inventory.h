/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What exists, taken over from a configuration into a policy, and the ids of its backends.
 *
 * Pure functions. An id names a backend in tables, records and counters. It belongs to the
 * backend (name and address in its pool) as long as that is configured. Afterwards it is not
 * given out again before all 65,535 have been, and then only if no policy that is live or
 * pinned with a resident generation has it: nothing in the kernel can mean the former backend.
 */
#ifndef STEER_CORE_INVENTORY_H
#define STEER_CORE_INVENTORY_H

#include "core/policy.h"

struct id_set {
	bool is_taken[STEER_BACKEND_IDS];
};

/* Add the ids of @policy's backends. */
void ids_collect(const struct policy *policy, struct id_set *set);

/*
 * inventory_merge - the inventory of @config with the shares, states, ids and weights set by
 * hand of @live. New backends have id 0.
 *
 * Errors: -EBUSY a removed pool owns slots (named); -ENOMEM.
 */
int inventory_merge(const struct policy *live, const struct policy *config, struct policy *ret_next,
		    struct diag *why);

/* Will numbering @policy take ids that were in use before? Then @taken must be complete. */
bool inventory_needs_reuse(const struct policy *policy);

/*
 * inventory_number - give every backend without an id one.
 *
 * @taken  ids of all resident policies, completed with @policy's; NULL unless
 *         inventory_needs_reuse()
 * Errors: -ENOSPC no id is free; @policy is then half numbered, for the bin.
 */
int inventory_number(struct policy *policy, struct id_set *taken, struct diag *why);

#endif
