/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The backends that a NAME means: one of that name, or all of a pool of that name. */
#ifndef STEER_CTL_NAMED_H
#define STEER_CTL_NAMED_H

#include "ctl/commands.h"

struct named_backend {
	char service[NAME_TEXT];
	char pool[NAME_TEXT];
	char name[NAME_TEXT];
	uint32_t id;
};

struct named {
	struct named_backend *backends;
	size_t count;
};

void named_free(struct named *named);
#define auto_named __attribute__((cleanup(named_free)))

/*
 * named_find - what @name means in the services of -s, with --all in every service that has it.
 *
 * Errors: STATUS_UNKNOWN_NAME; STATUS_USAGE several services have it, or it is the name of a pool
 * and of a backend; -ENOMEM.
 */
int named_find(struct run *run, const struct policy *policy, const char *name,
	       struct named *ret_named);

/* Add one. Errors: -ENOMEM. */
int named_add(struct named *named, const struct service *service, const struct pool *pool,
	      const struct backend *backend);

/* It in @policy, which may have it no more: NULL. */
struct backend *named_in(const struct policy *policy, const struct named_backend *backend);

/* waiting.c: wait until nothing leads to the backends. */
struct patience {
	int64_t most_ms;  /* -1 = until the deadline, however long */
	uint64_t idle_ms; /* as drain_judge() */
};

/*
 * wait_drained - look again and again, show how far it is, until all of @named are empty.
 *
 * Holds no lock.
 * Errors: STATUS_TIMED_OUT; STATUS_MEANWHILE somebody gives them new connections; STATUS_FAILED
 * they get new connections from the start, there is no end to wait for, a signal, or steer went
 * down.
 */
int wait_drained(struct run *run, const struct named *named, const struct patience *patience);

#endif
