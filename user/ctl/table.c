// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "ctl/table.h"

#include <unistd.h>

struct libscols_table *table_new(const struct run *run, const struct column *columns,
				 size_t n_columns)
{
	struct libscols_table *table = run_prints(run) ? scols_new_table() : NULL;

	for (size_t i = 0; table && i < n_columns; i++)
		(void)scols_table_new_column(
			table, columns[i].name, 0,
			(columns[i].flags & COLUMN_NUMBER ? SCOLS_FL_RIGHT : 0) |
				(columns[i].flags & COLUMN_WRAP ? SCOLS_FL_WRAP : 0));
	(void)scols_table_enable_minout(table, 1); /* no blanks behind the last column */
	if (table && !run->options.no_color && isatty(STDOUT_FILENO))
		(void)scols_table_enable_colors(table, 1);
	return table;
}

void table_direct(struct libscols_table *table, FILE *stream, size_t width)
{
	if (!table)
		return;
	(void)scols_table_set_stream(table, stream);
	(void)scols_table_set_termforce(table, SCOLS_TERMFORCE_ALWAYS);
	(void)scols_table_set_termwidth(table, width);
}

void table_hide(struct libscols_table *table, size_t column)
{
	struct libscols_column *hidden = table ? scols_table_get_column(table, column) : NULL;

	if (hidden)
		(void)scols_column_set_flags(hidden, SCOLS_FL_HIDDEN);
}

struct libscols_line *table_row(struct libscols_table *table, const char *const *cells,
				size_t n_cells)
{
	struct libscols_line *line = table ? scols_table_new_line(table, NULL) : NULL;

	for (size_t i = 0; line && i < n_cells; i++)
		(void)scols_line_set_data(line, i, cells[i]);
	return line;
}

void table_paint(struct libscols_line *line, size_t column, const char *color)
{
	struct libscols_cell *cell = line ? scols_line_get_cell(line, column) : NULL;

	if (cell)
		(void)scols_cell_set_color(cell, color);
}

void table_show(struct libscols_table *table)
{
	if (!table)
		return;
	(void)scols_print_table(table);
	scols_unref_table(table);
}
