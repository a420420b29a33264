/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Times as an operator reads and writes them: UTC in ISO 8601, and durations like 500ms or 2h.
 */
#ifndef STEER_BASE_TIME_TEXT_H
#define STEER_BASE_TIME_TEXT_H

#include <stdint.h>

#include "base/diag.h"

#define TIME_TEXT 24 /* "2026-11-23T12:19:40Z" */

/* Milliseconds of a clock that nobody sets, for deadlines. */
int64_t time_now_ms(void);

/* Print @seconds since the epoch; "" when there is no such date. Returns @buffer. */
const char *time_format(int64_t seconds, char buffer[static TIME_TEXT]);

/*
 * duration_parse - read a whole number with its unit: 500ms, 5s, 2m, 1h, 7d.
 *
 * Errors: -EINVAL not a duration, or longer than @most_ms.
 */
int duration_parse(const char *text, int64_t most_ms, int64_t *ret_ms, struct diag *why);

#define DURATION_TEXT 32

/* Print the two largest units: "4m32s", "1h5m", "12s", "0.4s". Returns @buffer. */
const char *duration_format(uint64_t ms, char buffer[static DURATION_TEXT]);

#endif
