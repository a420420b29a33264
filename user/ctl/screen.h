/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The terminal of a live view: another screen while it lasts, the old one and its settings back
 * at the end, however that comes (key, signal, suspension).
 */
#ifndef STEER_CTL_SCREEN_H
#define STEER_CTL_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

enum screen_event {
	SCREEN_TICK, /* the time is over */
	SCREEN_DRAW, /* draw again: other size, back from suspension */
	SCREEN_END,  /* q, or a signal that ends */
};

/* Watch the signals; on a terminal (@is_terminal) take it over as well. Errors: errno. */
int screen_begin(bool is_terminal);
void screen_end(void);

/* Columns and lines of the terminal, 80 and 24 where it does not say. */
void screen_size(size_t *ret_columns, size_t *ret_lines);

/* Show @text instead of what was there: overwritten in place, in one write. */
void screen_show(const char *text);

/* Wait for a key, a signal or until @milliseconds are over. */
enum screen_event screen_wait(int milliseconds);

#endif
