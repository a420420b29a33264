/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Shares as an operator writes them: "5%", "0.25%" or "1/400", and never a bare number, which
 * could mean either percent or fraction.
 */
#ifndef STEER_BASE_SHARE_H
#define STEER_BASE_SHARE_H

#include <stdint.h>

#include "base/diag.h"

#define SHARE_TEXT 16

/*
 * share_parse - read a share as slots, 0 .. STEER_SLOTS, rounded to the nearest.
 *
 * Errors: -EINVAL not a share; -ERANGE outside 0% to 100%, or above 0% yet less than half a slot.
 */
int share_parse(const char *text, uint32_t *ret_slots, struct diag *why);

/* Print the shortest percentage that share_parse() reads as @slots again; returns @buffer. */
const char *share_format(uint32_t slots, char buffer[static SHARE_TEXT]);

#endif
