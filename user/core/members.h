/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which interfaces are members of the bonds that steer is attached to, asked through netlink.
 *
 * A packet arrives by the member; the backend's record names the master. Members that join or
 * leave later are met by the next "up".
 */
#ifndef STEER_CORE_MEMBERS_H
#define STEER_CORE_MEMBERS_H

#include "core/policy.h"
#include "steer/abi.h"

struct nlmsghdr;

struct members {
	const struct interface *interfaces; /* attached */
	const uint32_t *masters;	    /* their ifindexes, 0 = does not exist */
	size_t n_masters;
	struct steer_facts *facts; /* whose rows are filled */
	struct diag *why;
};

/*
 * Take one RTM_NEWLINK message into account. A link counts when it is enslaved to a master of
 * @members by the bond driver; ports of a bridge do not, an XDP program sees the bridge there.
 * Errors: -E2BIG more than STEER_MEMBERS members.
 */
int members_read(const struct nlmsghdr *header, struct members *members);

/* Fill facts->member for @interfaces. Errors: -E2BIG; errno of netlink. */
int members_fill(const struct interface *interfaces, size_t n_interfaces, struct steer_facts *facts,
		 struct diag *why);

#endif
