/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What steerer*.c share and nobody else sees.
 */
#ifndef STEER_CORE_STEERER_PRIVATE_H
#define STEER_CORE_STEERER_PRIVATE_H

#include "core/dataplane.h"
#include "core/steerer.h"

struct steerer {
	char dir[192];	 /* pins of the instance */
	char state[192]; /* journal of the instance */
	int lock;	 /* descriptor, -1 = not held */
	bool is_open;	 /* dp is */
	struct dataplane dp;
	uint64_t word; /* at the time policy and bank were read */
	struct policy policy;
	struct steer_bank bank;	 /* a copy */
	struct journal *journal; /* may be NULL, see steerer_journal() */
};

int place_paths(const struct steerer_place *place, struct steerer *steerer, struct diag *why);
int take_lock(struct steerer *steerer, int timeout_ms, struct diag *why);
int load_live(struct steerer *steerer, struct diag *why);

/* Facts of @policy with the members of its bonds as they are now. */
int wanted_facts(const struct policy *policy, struct steer_facts *ret_facts, struct diag *why);
int recover_journal(struct steerer *steerer, struct diag *notice, struct diag *why);

#endif
