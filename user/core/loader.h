/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The XDP program: load and pin it with its maps, attach and detach it. The only file that
 * knows the skeleton.
 */
#ifndef STEER_CORE_LOADER_H
#define STEER_CORE_LOADER_H

#include "core/policy.h"
#include "steer/abi.h"

struct diag;

/* What the program may take for granted under @policy. */
struct steer_facts loader_facts(const struct policy *policy);

/*
 * Load the program with @facts and pin it and its maps under @dir (made if missing); maps that
 * are pinned there already are used again, so that a running program can be upgraded.
 * Errors: -EPERM; the verifier's or the kernel's errno with the last lines of its log.
 */
int loader_load(const char *dir, const struct steer_facts *facts, struct diag *why);

/*
 * Attach the pinned program to @interface and pin the link, or hand an existing link of ours
 * the pinned program, without a gap. @notice says when generic mode had to do.
 * Errors: -ENODEV no such interface; -EBUSY somebody else's program is attached (named).
 */
int loader_attach(const char *dir, const struct interface *interface, struct diag *notice,
		  struct diag *why);
/* Pin of an interface's link. */
#define LINK_PATH 256
void loader_link_path(const char *dir, const char *interface, char path[static LINK_PATH]);

int loader_detach(const char *dir, const char *interface, struct diag *why);

#endif
