// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/time_text.h"
#include "ctl/status.h"
#include "ctl/table.h"

enum {
	COLUMN_POOL = 1,
	COLUMN_VERSION = 2,
	COLUMN_SLOTS = 5,
	COLUMN_STATE = 7,
	COLUMN_COUNT = 10,
};

#define WIDTH_FULL    78 /* narrower: without slots, which the share tells as well */
#define WIDTH_SMALLER 70 /* narrower: without versions */

#define COLUMNS(connections, packets)                                                              \
	{                                                                                          \
		{"SERVICE", COLUMN_TEXT}, {"POOL", COLUMN_TEXT}, {"VERSION", COLUMN_TEXT},         \
			{"WANT", COLUMN_NUMBER}, {"ACTUAL", COLUMN_NUMBER},                        \
			{"SLOTS", COLUMN_NUMBER}, {"WEIGHT", COLUMN_NUMBER},                       \
			{"STATE", COLUMN_TEXT}, {connections, COLUMN_NUMBER},                      \
			{packets, COLUMN_NUMBER},                                                  \
	}

static const struct column columns[COLUMN_COUNT] = COLUMNS("CONNS", "PACKETS");
static const struct column rates_columns[COLUMN_COUNT] = COLUMNS("CONN/s", "PKT/s");

static const char *text_of(const json_t *object, const char *key, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : otherwise;
}

static json_int_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* Seven columns at most, so that a row fits 80; --json has every digit. */
static void print_number(char text[static 24], double number)
{
	static const char units[] = " kMGTPE";
	size_t unit = 0;

	if (number < 1e7) {
		(void)snprintf(text, 24, "%.0f", number);
		return;
	}
	for (; number >= 1000 && units[unit + 1]; unit++)
		number /= 1000;
	(void)snprintf(text, 24, "%.4g%c", number, units[unit]);
}

/* A sum, or what it grew by in a second. */
static void print_count(char text[static 24], const json_t *backend, const json_t *before,
			const char *key, const struct status_rates *rates)
{
	json_int_t now = number_of(backend, key), then = number_of(before, key);

	if (!rates->before)
		print_number(text, (double)now);
	else if (!before || now < then)
		(void)snprintf(text, 24, "-");
	else
		print_number(text, (double)(now - then) / rates->seconds);
}

static void draw_backend(struct libscols_table *table, const json_t *backend, const json_t *before,
			 const struct status_rates *rates)
{
	char name[NAME_TEXT + 8], slots[24], weight[24], connections[24], packets[24];
	const char *state = text_of(backend, "state", "-");
	const char *cells[] = {"", name, "", "", "", slots, weight, state, connections, packets};
	struct libscols_line *line;

	(void)snprintf(name, sizeof(name), "  %s", text_of(backend, "name", ""));
	(void)snprintf(slots, sizeof(slots), "%" JSON_INTEGER_FORMAT, number_of(backend, "slots"));
	(void)snprintf(weight, sizeof(weight), "%" JSON_INTEGER_FORMAT,
		       number_of(backend, "weight"));
	print_count(connections, backend, before, "new_connections", rates);
	print_count(packets, backend, before, "packets", rates);
	line = table_row(table, cells, ARRAY_SIZE(cells));
	if (strcmp(state, "drain") == 0)
		table_paint(line, COLUMN_STATE, TABLE_CAUTION);
	else if (strcmp(state, "maint") == 0)
		table_paint(line, COLUMN_STATE, TABLE_BAD);
}

static void draw_pool(struct libscols_table *table, const json_t *service, const json_t *pool,
		      const char *service_name)
{
	const char *pool_name = text_of(pool, "name", "");
	bool is_active = strcmp(pool_name, text_of(service, "active", "")) == 0;
	char name[NAME_TEXT + 16], slots[24];
	const char *cells[] = {service_name,
			       name,
			       text_of(pool, "version", ""),
			       text_of(pool, "share", ""),
			       text_of(pool, "actual_share", "-"),
			       slots,
			       "",
			       "",
			       "",
			       ""};
	struct libscols_line *line;

	(void)snprintf(name, sizeof(name), "%s%s", pool_name, is_active ? " (active)" : "");
	(void)snprintf(slots, sizeof(slots), "%" JSON_INTEGER_FORMAT,
		       number_of(pool, "share_slots"));
	line = table_row(table, cells, ARRAY_SIZE(cells));
	if (is_active)
		table_paint(line, COLUMN_POOL, TABLE_GOOD);
}

/* The object of the same name in the last look. */
static const json_t *same(const json_t *list, const json_t *wanted)
{
	const json_t *one;
	size_t i;

	json_array_foreach (list, i, one)
		if (json_equal(json_object_get(one, "name"), json_object_get(wanted, "name")))
			return one;
	return NULL;
}

static void draw_service(struct libscols_table *table, const json_t *service,
			 const struct status_rates *rates)
{
	const json_t *was = same(rates->before, service), *pool, *backend;
	const char *name = text_of(service, "name", "");
	size_t p, b;

	json_array_foreach (json_object_get(service, "pools"), p, pool) {
		const json_t *pool_was = same(json_object_get(was, "pools"), pool);

		draw_pool(table, service, pool, p ? "" : name);
		json_array_foreach (json_object_get(pool, "backends"), b, backend)
			draw_backend(table, backend,
				     same(json_object_get(pool_was, "backends"), backend), rates);
	}
}

static void draw_back(FILE *stream, const json_t *service, const char *key, const char *word,
		      const char *command)
{
	const json_t *shares = json_object_get(service, key);

	if (json_is_object(shares))
		fprintf(stream, "%s %s at revision %" JSON_INTEGER_FORMAT " (%s)\n", word,
			text_of(shares, "shares", ""), number_of(shares, "revision"), command);
}

/* Slots in transition, how long, and what each pool's records are. */
static void draw_transition(FILE *stream, const json_t *service)
{
	const json_t *transition = json_object_get(service, "transition"), *pool;
	const json_t *left_ms = json_object_get(transition, "left_ms");
	char left[DURATION_TEXT];
	const char *between = "";
	size_t p;

	if (!json_is_object(transition))
		return;
	fprintf(stream, "  transition: %" JSON_INTEGER_FORMAT " slots, ",
		number_of(transition, "touched_slots"));
	if (json_is_integer(left_ms))
		fprintf(stream, "%s left",
			duration_format((uint64_t)json_integer_value(left_ms), left));
	else
		fputs("no deadline", stream);
	fputs("; records: ", stream);
	json_array_foreach (json_object_get(service, "pools"), p, pool) {
		if (!number_of(pool, "records"))
			continue;
		fprintf(stream, "%s%s %" JSON_INTEGER_FORMAT, between, text_of(pool, "name", ""),
			number_of(pool, "records"));
		between = ", ";
	}
	fputs(between[0] ? "\n" : "none\n", stream);
}

static void draw_notes(FILE *stream, const json_t *service)
{
	const json_t *changed = json_object_get(service, "changed");
	const json_t *actual = json_object_get(service, "actual");
	const json_t *total = json_object_get(actual, "total");
	const char *reason = text_of(changed, "reason", "");

	fprintf(stream, "%s: revision %" JSON_INTEGER_FORMAT, text_of(service, "name", ""),
		number_of(service, "revision"));
	if (json_is_object(changed))
		fprintf(stream, ", %s by %s: %s%s%s%s", text_of(changed, "when", ""),
			text_of(changed, "who", ""), text_of(changed, "command", ""),
			reason[0] ? " (" : "", reason, reason[0] ? ")" : "");
	fputc('\n', stream);
	draw_back(stream, service, "before", "  was:", "rollback --step");
	draw_back(stream, service, "base", "  base:", "rollback");
	draw_transition(stream, service);
	if (json_is_integer(total))
		fprintf(stream, "  ACTUAL: of %" JSON_INTEGER_FORMAT " %s since %s\n",
			json_integer_value(total),
			strcmp(text_of(actual, "by", ""), "packets") == 0 ? "packets"
									  : "new connections",
			strcmp(text_of(actual, "since", ""), "view") == 0 ? "this view began"
									  : "that revision");
	else
		fputs("  ACTUAL: unknown, no counters were noted at that revision\n", stream);
}

static void draw_window(FILE *stream, const json_t *window)
{
	char left[DURATION_TEXT];

	if (json_is_object(window))
		fprintf(stream,
			"revision %" JSON_INTEGER_FORMAT " undoes itself in %s (confirm keeps it, "
			"cancel undoes it now)\n",
			number_of(window, "revision"),
			duration_format((uint64_t)number_of(window, "left_ms"), left));
}

static void draw_end(FILE *stream, const json_t *status)
{
	const json_t *interface;
	const char *locked = text_of(status, "locked", NULL);
	size_t i;

	fprintf(stream,
		"revision %" JSON_INTEGER_FORMAT ", generation %" JSON_INTEGER_FORMAT ", digest %s",
		number_of(status, "live"), number_of(status, "generation"),
		text_of(status, "digest", ""));
	json_array_foreach (json_object_get(status, "interfaces"), i, interface)
		fprintf(stream, "%s%s", i ? ", " : "; interfaces: ", json_string_value(interface));
	fputc('\n', stream);
	draw_window(stream, json_object_get(status, "window"));
	if (locked)
		fprintf(stream, "locked: %s\n", locked);
}

void status_draw(const struct run *run, const json_t *status, const struct status_rates *rates,
		 const struct status_sheet *sheet)
{
	const json_t *services = json_object_get(status, "services"), *service;
	struct libscols_table *table =
		table_new(run, rates->before ? rates_columns : columns, COLUMN_COUNT);
	size_t i;

	if (sheet->width && sheet->width < WIDTH_FULL)
		table_hide(table, COLUMN_SLOTS);
	if (sheet->width && sheet->width < WIDTH_SMALLER)
		table_hide(table, COLUMN_VERSION);
	if (sheet->width)
		table_direct(table, sheet->stream, sheet->width);
	json_array_foreach (services, i, service)
		draw_service(table, service, rates);
	table_show(table);
	json_array_foreach (services, i, service)
		draw_notes(sheet->stream, service);
	draw_end(sheet->stream, status);
}
