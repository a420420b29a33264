/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Client -> slot as user space sees it: the values that the packet path combines, and the same
 * combination for commands.
 */
#ifndef STEER_CORE_SLOT_H
#define STEER_CORE_SLOT_H

#include <stdint.h>

#include "base/address.h"
#include "core/policy.h"
#include "steer/abi.h"

/*
 * Draw the values of steer_slot4() and steer_slot6() from @key: the low 16 bits of siphash13() of
 * the two bytes {position, byte value}.
 */
void slot_draw(const uint64_t key[static 2], __u16 ret_hash[static STEER_KEY_BYTES][256]);

/* Slot of @client under the client prefixes of @service. @hash: as drawn */
uint32_t slot_of(const __u16 hash[static STEER_KEY_BYTES][256], const struct service *service,
		 const struct address *client);

#endif
