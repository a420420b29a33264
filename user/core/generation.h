/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Policy -> banks: build a generation and its prepared ways back beside the live one. Objects
 * that are equal to resident ones are shared; what stays resident is decided in resident.c.
 */
#ifndef STEER_CORE_GENERATION_H
#define STEER_CORE_GENERATION_H

#include "core/dataplane.h"
#include "core/nexthop.h"
#include "core/policy.h"

/*
 * Policy that selecting the rollback bank (@step false) or the undo bank (@step true) of @live
 * shows: its shares restored, everything else as it is, revision one higher.
 * @ret_changed false: @live is there already, nothing is returned.
 */
int generation_way_back(const struct policy *live, bool step, struct policy *ret_policy,
			bool *ret_changed, struct diag *why);

struct install {
	bool is_cut;	     /* what changes moves at once, nothing is touched by it */
	bool keeps_window;   /* it leaves the window of an earlier commit armed */
	uint64_t confirm_ms; /* then the timer goes one commit back; 0 = never */
};

/*
 * generation_install - build the bank of @live (not yet selected) and its ways on.
 *
 * Resolves next hops that are not given; waits for one grace period at least. @ret_bank is ready
 * for generation_select(): read back, published, its links set. @was is the running policy, NULL
 * at the first start. Errors: see nexthop_resolve(), object_write(); -EIO read-back.
 */
int generation_install(struct dataplane *dp, const struct policy *was, const struct policy *live,
		       const struct install *install, uint32_t *ret_bank, struct diag *why);

/*
 * generation_select - make @bank, which shows @live, the live one, and start what is timed.
 *
 * Records of backends in maint are taken out: nobody is to reach them.
 * Errors: -ESTALE the word is not @expected any more, nothing has changed.
 */
int generation_select(struct dataplane *dp, const struct policy *live, uint64_t expected,
		      uint32_t bank, struct diag *why);

/* Policy pinned with @bank. Errors: -ENOENT, -EPROTO. */
int generation_policy(const struct dataplane *dp, uint32_t bank, struct policy *ret_policy,
		      struct diag *why);

#endif
