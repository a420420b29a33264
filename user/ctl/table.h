/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tables on the terminal, through libsmartcols.
 *
 * Colour only repeats what a word in the same cell says: green is where new clients go, yellow
 * what gets none of them, red what gets nobody. There is none without a terminal, with NO_COLOR
 * or --no-color.
 */
#ifndef STEER_CTL_TABLE_H
#define STEER_CTL_TABLE_H

#include <libsmartcols.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "ctl/commands.h"

enum column_flag {
	COLUMN_TEXT = 0,
	COLUMN_NUMBER = 1, /* aligned right */
	COLUMN_WRAP = 2,   /* takes several lines where the terminal is narrow */
};

struct column {
	const char *name;
	unsigned int flags; /* enum column_flag */
};

#define TABLE_GOOD    "green"
#define TABLE_CAUTION "yellow"
#define TABLE_BAD     "red"

/* NULL when no text is wanted or memory is short; the other functions accept that. */
struct libscols_table *table_new(const struct run *run, const struct column *columns,
				 size_t n_columns);
/* Print into @stream as for a terminal @width columns wide. */
void table_direct(struct libscols_table *table, FILE *stream, size_t width);
void table_hide(struct libscols_table *table, size_t column);
struct libscols_line *table_row(struct libscols_table *table, const char *const *cells,
				size_t n_cells);
void table_paint(struct libscols_line *line, size_t column, const char *color);
void table_show(struct libscols_table *table); /* prints and frees */

#endif
