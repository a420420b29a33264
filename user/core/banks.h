/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The banks of one installation and how they are linked: the live one, what the timer makes of
 * it, and the ways back from each. Only generation.c includes it.
 */
#ifndef STEER_CORE_BANKS_H
#define STEER_CORE_BANKS_H

#include "core/build.h"
#include "core/generation.h"

/* Policies of the live bank and of its ways back; those that lead nowhere are absent. */
struct ways {
	const struct policy *live;
	struct policy back, undo;
	bool has_back, has_undo;
};

/* Compile every service in all banks; give the banks that are needed a number. */
int banks_put(struct build *build, const struct ways *ways, const struct install *install);

/* Everything is published: write the banks and their links. */
void banks_write(struct build *build, const struct policy *live, const struct install *install);

#endif
