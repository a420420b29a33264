/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Frontends of all services -> the two perfect hashes that the packet path probes.
 */
#ifndef STEER_CORE_FRONTENDS_H
#define STEER_CORE_FRONTENDS_H

#include "core/policy.h"
#include "steer/abi.h"

/*
 * Build @ret_frontends (zeroed by the callee). Deterministic: the same policy gives the same
 * bytes. Errors: -EEXIST a frontend belongs to two services (named); -E2BIG more than
 * STEER_FRONTENDS; -EAGAIN no seed found (cannot happen below that limit in practice).
 */
int frontends_build(const struct policy *policy, struct steer_frontends *ret_frontends,
		    struct diag *why);

/* Look a frontend up as the packet path does: service number or STEER_NO_SERVICE. */
uint32_t frontends_find(const struct steer_frontends *frontends, const struct address *address,
			uint8_t protocol, uint16_t port);

#endif
