/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Interfaces: attach the pinned program to them, move them to another program, detach them.
 *
 * A link is pinned as links/INTERFACE. It dies with its interface and stays dead when one of
 * that name comes back; it does not move when the interface is renamed.
 */
#ifndef STEER_CORE_LINKS_H
#define STEER_CORE_LINKS_H

#include <stdbool.h>

#include "core/policy.h"

struct diag;

#define LINK_PATH 256
#define LINK_NAME 64

enum link_condition {
	LINK_NONE,	/* nothing is pinned */
	LINK_DEAD,	/* its interface is gone */
	LINK_ATTACHED,	/* to the interface of that name */
	LINK_RENAMED,	/* to an interface here that has another name now */
	LINK_ELSEWHERE, /* to an interface of another network namespace */
	LINK_CONDITION_COUNT,
};

struct link_state {
	enum link_condition condition;
	uint32_t ifindex;    /* of what it is attached to, 0 = dead */
	uint32_t program_id; /* that it runs */
	bool is_generic;     /* known only when ATTACHED or RENAMED */
};

/* Look at an interface's link. Never fails: what cannot be read is LINK_NONE. */
struct link_state link_look(const char *dir, const char *interface);

/*
 * link_attach - attach the pinned program to @interface unless it is already.
 *
 * A dead link is replaced; so is one whose mode (native, generic) is not the configured one,
 * packets pass to the host in between. @ret_created  a link was made
 * @notice  gets a line when generic mode had to do, or the mode was changed
 * Errors: -ENODEV no such interface; -EEXIST somebody else's program is there (named); -EXDEV
 * the link belongs to another network namespace; -EOPNOTSUPP the driver refused, with a likely
 * reason.
 */
int link_attach(const char *dir, const struct interface *interface, bool *ret_created,
		struct diag *notice, struct diag *why);

/* Detach and unpin; nothing pinned is fine. */
int link_detach(const char *dir, const char *interface, struct diag *why);

/*
 * links_update - let every live link run @program, one after the other, no packet lost.
 *
 * @former  program to give back to the links already moved when one refuses, or -1
 * @ret_changed  set to true when a link had another program
 */
int links_update(const char *dir, int program, int former, bool *ret_changed, struct diag *why);

/* Detach what is pinned and is not an interface of @policy (NULL: all); a line for each. */
void links_detach_others(const char *dir, const struct policy *policy, struct diag *notice);

/* Does any pinned link still run its program? Its pin name goes to @ret_name. */
bool links_any_alive(const char *dir, char ret_name[static LINK_NAME]);

#endif
