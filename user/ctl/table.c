// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "ctl/table.h"

struct libscols_table *table_new(const struct column *columns, size_t n_columns)
{
	struct libscols_table *table = scols_new_table();

	for (size_t i = 0; table && i < n_columns; i++)
		(void)scols_table_new_column(table, columns[i].name, 0,
					     columns[i].is_number ? SCOLS_FL_RIGHT : 0);
	return table;
}

void table_row(struct libscols_table *table, const char *const *cells, size_t n_cells)
{
	struct libscols_line *line = table ? scols_table_new_line(table, NULL) : NULL;

	for (size_t i = 0; line && i < n_cells; i++)
		(void)scols_line_set_data(line, i, cells[i]);
}

void table_show(struct libscols_table *table)
{
	if (!table)
		return;
	(void)scols_print_table(table);
	scols_unref_table(table);
}
