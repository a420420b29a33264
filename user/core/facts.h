/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Policy -> what the program may take for granted (struct steer_facts of the ABI).
 *
 * Pure but for bond members, which members.h asks of the kernel.
 */
#ifndef STEER_CORE_FACTS_H
#define STEER_CORE_FACTS_H

#include "core/policy.h"
#include "steer/abi.h"

/* Facts of @policy without the members of its bonds. */
struct steer_facts facts_of(const struct policy *policy);

/*
 * facts_widen - facts under which a program is right for both @a and @b.
 *
 * Errors: -E2BIG the bonds of both have more than STEER_MEMBERS members.
 */
int facts_widen(const struct steer_facts *a, const struct steer_facts *b,
		struct steer_facts *ret_wide, struct diag *why);

/* Append a row unless it is there already. Errors: -E2BIG all rows are taken. */
int facts_add_member(struct steer_facts *facts, uint32_t member, uint32_t master);

#endif
