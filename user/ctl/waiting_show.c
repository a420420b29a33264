// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What is told of waiting: on a terminal a bar drawn over itself with one line per backend, else
 * one line per change, and the answer in JSON.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/time_text.h"
#include "ctl/screen.h"
#include "ctl/waiting.h"

#define SAY_MS	   1000
#define BAR_WIDTH  30
#define LINES_MOST 16 /* backends with a line of their own */

void waiting_say_backend(const struct waiting *w, size_t i, bool with_left, struct diag *text)
{
	const struct drain_watch *watch = &w->watches[i];
	const struct drain_look *last = drain_last(watch);
	char silent[DURATION_TEXT], left[DURATION_TEXT];
	uint64_t of_ms, recent = drain_recent(watch, &of_ms);

	diag_add(text, "%s: ", w->named->backends[i].name);
	if (drain_judge(watch, 0) == DRAIN_EMPTY) {
		diag_add(text, "empty");
		return;
	}
	diag_add(text, "%u recorded", last->recorded);
	if (last->slots_origin)
		diag_add(text, "; others: %" PRIu64 " packets/s (estimate)",
			 of_ms ? recent * 1000 / of_ms : 0);
	duration_format(drain_silent_ms(watch), silent);
	if (watch->has_packet)
		diag_add(text, "; last packet %s ago", silent);
	else
		diag_add(text, "; no packet for %s", silent);
	if (with_left && last->left_ms == UINT64_MAX)
		diag_add(text, "; no deadline");
	else if (with_left)
		diag_add(text, "; %s left", duration_format(last->left_ms, left));
}

static unsigned int percent(const struct waiting *w)
{
	unsigned int least = 100;

	for (size_t i = 0; i < w->named->count; i++) {
		unsigned int one = drain_percent(&w->watches[i]);

		least = one < least ? one : least;
	}
	return least;
}

static uint64_t most_left(const struct waiting *w)
{
	uint64_t most = 0;

	for (size_t i = 0; i < w->named->count; i++) {
		const struct drain_look *last = drain_last(&w->watches[i]);

		most = last->left_ms > most ? last->left_ms : most;
	}
	return most;
}

static void draw_line(FILE *out, const char *text, size_t columns)
{
	fprintf(out, "%.*s\033[K\n", (int)(columns - 1), text);
}

static void draw(struct waiting *w)
{
	static const char filled[] = "##############################";
	size_t columns, lines, size, shown = w->named->count;
	auto_free char *picture = NULL;
	FILE *out = open_memstream(&picture, &size);
	unsigned int done = percent(w), width = done * BAR_WIDTH / 100;
	char took[DURATION_TEXT];
	struct diag text = {0};

	if (!out)
		return;
	screen_size(&columns, &lines);
	shown = shown > LINES_MOST ? LINES_MOST : shown;
	if (w->lines)
		fprintf(out, "\033[%uA", w->lines);
	diag_add(&text, "[%.*s%*s] %u%%  %s", (int)width, filled, (int)(BAR_WIDTH - width), "",
		 done, duration_format(waiting_now_ms() - w->begun_ms, took));
	if (most_left(w) == UINT64_MAX)
		diag_add(&text, ", no deadline");
	else
		diag_add(&text, ", %s left", duration_format(most_left(w), took));
	draw_line(out, text.text, columns);
	for (size_t i = 0; i < shown; i++) {
		text.text[0] = '\0';
		waiting_say_backend(w, i, false, &text);
		draw_line(out, text.text, columns);
	}
	w->lines = (unsigned int)shown + 1;
	if (fclose(out) == 0)
		(void)fputs(picture, stdout);
	(void)fflush(stdout);
}

/* A line when records or slots changed, one a second at most. */
static void say_change(struct waiting *w)
{
	struct diag key = {0};

	for (size_t i = 0; i < w->named->count; i++)
		diag_add(&key, "%u %u,", drain_last(&w->watches[i])->recorded,
			 drain_last(&w->watches[i])->slots_origin);
	if (strcmp(key.text, w->said.text) == 0 ||
	    (w->said.text[0] && waiting_now_ms() - w->said_ms < SAY_MS))
		return;
	w->said = key;
	w->said_ms = waiting_now_ms();
	for (size_t i = 0; i < w->named->count; i++) {
		struct diag text = {0};

		waiting_say_backend(w, i, true, &text);
		puts(text.text);
	}
	(void)fflush(stdout);
}

void waiting_show(struct waiting *w)
{
	if (!run_prints(w->run))
		return;
	if (w->is_terminal)
		draw(w);
	else
		say_change(w);
}

void waiting_answer(struct waiting *w)
{
	json_t *list = json_array();

	for (size_t i = 0; i < w->named->count; i++) {
		const struct drain_watch *watch = &w->watches[i];
		const struct drain_look *last = drain_last(watch);
		uint64_t of_ms, recent;

		if (!watch->n_looks)
			continue;
		recent = drain_recent(watch, &of_ms);
		json_add(list,
			 json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "service",
				   w->named->backends[i].service, "backend",
				   w->named->backends[i].name, "empty",
				   drain_judge(watch, 0) == DRAIN_EMPTY, "records",
				   (json_int_t)last->recorded, "slots", (json_int_t)last->slots_now,
				   "origin_slots", (json_int_t)last->slots_origin, "recent_packets",
				   (json_int_t)recent, "recent_ms", (json_int_t)of_ms,
				   "last_packet_ms",
				   watch->has_packet
					   ? json_integer((json_int_t)drain_silent_ms(watch))
					   : json_null(),
				   "left_ms",
				   last->left_ms == UINT64_MAX
					   ? json_null()
					   : json_integer((json_int_t)last->left_ms)));
	}
	(void)json_object_set_new(w->run->json, "drained", list);
	(void)json_object_set_new(w->run->json, "waited_ms",
				  json_integer((json_int_t)(waiting_now_ms() - w->begun_ms)));
}
