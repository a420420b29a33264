/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The objects of one installation: written beside the live ones, or found among them, then
 * published together. Only generation.c includes it; which banks are built is decided there.
 */
#ifndef STEER_CORE_BUILD_H
#define STEER_CORE_BUILD_H

#include "core/policy.h"
#include "core/resident.h"
#include "core/touched.h"

struct diag;

/*
 * The banks of one installation. The live one may be settled by the timer in two steps, and from
 * each of these three there is a way back to the release's base and to one commit before.
 */
enum role {
	ROLE_LIVE,
	ROLE_FINISHED, /* all origins final, records still valid */
	ROLE_SETTLED,
	ROLE_BACK, /* rollback from each of the three */
	ROLE_BACK_FINISHED,
	ROLE_BACK_SETTLED,
	ROLE_BASE, /* where they settle */
	ROLE_UNDO, /* undo from each of the three */
	ROLE_UNDO_FINISHED,
	ROLE_UNDO_SETTLED,
	ROLE_BEFORE, /* where they settle */
	ROLE_COUNT,
};

struct planned_bank {
	uint32_t number; /* 0 = not built */
	struct steer_bank bank;
	struct times *times; /* of the touched services, owned */
	size_t n_times;
	uint64_t origins_until_ms; /* latest over its services; 0 = no origin is pending */
	uint64_t until_ms;	   /* 0 = settled */
};

struct build {
	struct dataplane *dp;
	const struct policy *was;	/* the running policy, NULL at the first start */
	const struct policy *inventory; /* whose backends have records */
	struct diag *why;
	struct resident resident;
	uint32_t running; /* number of the running bank, 0 = none */
	uint32_t fresh[OBJECT_KIND_COUNT][RESIDENT_NUMBERS];
	size_t n_fresh[OBJECT_KIND_COUNT];
	/* What all banks of this build share. */
	uint32_t frontends;
	__u64 address_seed[2];
	__u64 port_seed;
	uint32_t page[STEER_PAGES];
	struct planned_bank planned[ROLE_COUNT];
};

int build_frontends(struct build *build);
int build_pages(struct build *build);

/*
 * A table of service number @index: one that a resident or a planned bank has for that number,
 * if equal, so that a commit compares its own service's tables and not those of all services.
 */
int build_table(struct build *build, size_t index, const struct steer_table *table,
		uint32_t *ret_number);

/* What only user space reads of a bank. */
int build_policy(struct build *build, uint32_t number, const struct policy *policy);
int build_times(struct build *build, const struct planned_bank *planned);

/* Put what is fresh where the program finds it. Waits for a grace period, in any case. */
int build_publish(struct build *build);

#endif
