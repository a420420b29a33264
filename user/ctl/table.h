/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tables on the terminal, through libsmartcols. */
#ifndef STEER_CTL_TABLE_H
#define STEER_CTL_TABLE_H

#include <libsmartcols.h>
#include <stdbool.h>
#include <stddef.h>

struct column {
	const char *name;
	bool is_number; /* aligned right */
};

/* NULL when memory is short; the other two accept that. */
struct libscols_table *table_new(const struct column *columns, size_t n_columns);
void table_row(struct libscols_table *table, const char *const *cells, size_t n_cells);
void table_show(struct libscols_table *table); /* prints and frees */

#endif
