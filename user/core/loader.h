/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The XDP program: load it, pin it with its maps, and hand it to the interfaces that are
 * attached. The only file that knows the skeleton.
 *
 * Beside the program lies its identity: which build it is, under which facts it was loaded and
 * its id in the kernel, so that the next "up" knows without loading whether it is the one wanted.
 */
#ifndef STEER_CORE_LOADER_H
#define STEER_CORE_LOADER_H

#include "core/facts.h"

struct diag;

/*
 * loader_install - make a program with @facts the one that is pinned and attached under @dir.
 *
 * Loads only if the pinned program is of another build, has other facts or is missing. Maps that
 * are pinned already are used again; links go over to the program one by one and without a gap.
 * @ret_changed  a program was loaded, or a link still had another one
 * Errors: -EPERM with the missing capability; -EOPNOTSUPP the kernel refused the program, with
 * the end of the verifier's log; errno of links and pins. On error the former program stays
 * pinned and on every link.
 */
int loader_install(const char *dir, const struct steer_facts *facts, bool *ret_changed,
		   struct diag *why);

/* Open the pinned program. Errors: -ENOENT. */
int loader_open(const char *dir, int *ret_fd, struct diag *why);

#endif
